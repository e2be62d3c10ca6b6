"""Turns a tick of the running world into ``EgoFacts``, from the snapshot and the client's map: no request is sent."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Sequence

import carla
import numpy as np

from linkvla.launch.evaluation.facts import CollisionFact, EgoFacts, LaneFact
from linkvla.launch.evaluation.judges_traffic import LightRule, RedLightJudge, StopRule, StopSignJudge

_LANE_STEP = 0.5  # m
_STOP_SIGN_REACH = 12.0  # m; farther from a stop sign's area its rule cannot apply, and the lane ahead is not looked up


class FactReader:
    """Reads what the judges need, cheaply: lanes under the tail or ahead are looked up only near a light or stop sign.

    Args:
        ego: the judged vehicle.
        half_length: m.
        carla_map: the client's map.
        lights: actors and rules of the traffic lights, in the same order.
        signs: rules of the stop signs.
        traffic: actor ids of the background vehicles.
    """

    def __init__(
        self,
        ego: carla.Vehicle,
        half_length: float,
        carla_map: carla.Map,
        lights: Sequence[tuple[carla.TrafficLight, LightRule]] = (),
        signs: Sequence[StopRule] = (),
        traffic: Sequence[int] = (),
    ) -> None:
        self._ego = ego
        self._half_length = half_length
        self._map = carla_map
        self._lights = tuple(lights)
        self._light_centres = np.array([rule.centre for _, rule in lights]).reshape(-1, 3)
        self._sign_centres = np.array([sign.centre for sign in signs]).reshape(-1, 3)
        self._traffic = tuple(traffic)
        self._has_parking = True
        self._collisions: deque[CollisionFact] = deque()

    def on_collision(self, event: carla.CollisionEvent) -> None:
        """Callback of the ego's collision sensor; runs on the client's thread."""
        other = event.other_actor
        self._collisions.append(CollisionFact(other.id, other.type_id) if other else CollisionFact(0, "static.unknown"))

    def read(
        self, snapshot: carla.WorldSnapshot, start_time: float, tick: int, oncoming_lane_allowed: bool = False
    ) -> EgoFacts:
        """Facts of the tick that ``snapshot`` shows.

        Raises:
            RuntimeError: the ego is not in the snapshot.
        """
        state = snapshot.find(self._ego.id)
        if state is None:
            raise RuntimeError("the ego vehicle is no longer in the world")
        transform, velocity = state.get_transform(), state.get_velocity()
        location, yaw = transform.location, math.radians(transform.rotation.yaw)
        place = (location.x, location.y, location.z)
        lane, distance, width = self._lane(location)
        limit = self._ego.get_speed_limit() / 3.6
        return EgoFacts(
            time=snapshot.timestamp.elapsed_seconds - start_time,
            tick=tick,
            location=place,
            yaw=yaw,
            speed=math.hypot(velocity.x, velocity.y, velocity.z),
            forward_speed=velocity.x * math.cos(yaw) + velocity.y * math.sin(yaw),
            half_length=self._half_length,
            speed_limit=limit if limit > 0.0 else EgoFacts.speed_limit,
            lane=lane,
            lane_distance=distance,
            lane_width=width,
            collisions=self.drain_collisions(),
            lane_centres_ahead=self._lane_ahead(location) if self._near_stop_sign(place) else (),
            traffic_speed=self._traffic_speed(snapshot),
            oncoming_lane_allowed=oncoming_lane_allowed,
            **self._light_facts(place, yaw),
        )

    def drain_collisions(self) -> tuple[CollisionFact, ...]:
        """Collisions since the last call."""
        return tuple(self._collisions.popleft() for _ in range(len(self._collisions)))

    def _lane(self, location: carla.Location) -> tuple[LaneFact | None, float, float]:
        driving = self._map.get_waypoint(location, lane_type=carla.LaneType.Driving)
        parking = None
        if self._has_parking:
            parking = self._map.get_waypoint(location, lane_type=carla.LaneType.Parking)
            self._has_parking = parking is not None  # None from a projecting lookup: the town has no such lane at all
        if driving is None:
            return None, math.inf, EgoFacts.lane_width
        pose = driving.transform
        lane = LaneFact(driving.road_id, driving.lane_id, math.radians(pose.rotation.yaw), driving.is_junction)
        distance, width = location.distance(pose.location), driving.lane_width
        if parking is not None:
            parking_distance = location.distance(parking.transform.location)
            if parking_distance <= distance:
                return lane, parking_distance, parking.lane_width
        return lane, distance, width

    def _light_facts(self, place: tuple[float, float, float], yaw: float) -> dict:
        near = np.linalg.norm(self._light_centres - place, axis=1) <= RedLightJudge.MAX_DISTANCE
        lights = [self._lights[index] for index in np.flatnonzero(near)]
        red = frozenset(rule.id for actor, rule in lights if actor.state == carla.TrafficLightState.Red)
        if not red:
            return {}
        behind = self._half_length + 1.0
        tail = carla.Location(place[0] - behind * math.cos(yaw), place[1] - behind * math.sin(yaw), place[2])
        waypoint = self._map.get_waypoint(tail)
        return {"red_lights": red, "tail_lane": (waypoint.road_id, waypoint.lane_id) if waypoint else None}

    def _near_stop_sign(self, place: tuple[float, float, float]) -> bool:
        return bool((np.linalg.norm(self._sign_centres - place, axis=1) < _STOP_SIGN_REACH).any())

    def _lane_ahead(self, location: carla.Location) -> tuple[tuple[float, float, float], ...]:
        waypoint = self._map.get_waypoint(location)
        points = []
        for _ in range(int(StopSignJudge.MAX_DISTANCE / _LANE_STEP) + 1):
            centre = waypoint.transform.location
            points.append((centre.x, centre.y, centre.z))
            following = waypoint.next(_LANE_STEP)
            if not following:
                break
            waypoint = following[0]
        return tuple(points)

    def _traffic_speed(self, snapshot: carla.WorldSnapshot) -> float | None:
        velocities = [state.get_velocity() for state in map(snapshot.find, self._traffic) if state is not None]
        if not velocities:
            return None
        return sum(math.hypot(v.x, v.y, v.z) for v in velocities) / len(velocities)
