"""Traffic lights and stop signs along a route, for the privileged expert."""

from __future__ import annotations

import math
from dataclasses import dataclass

import carla
import numpy as np

from linkvla.agent.expert.planner import EGO_HALF_LENGTH
from linkvla.agent.navigation.dense_route import DenseRoute

_BESIDE = 1.9  # m between a lane's stop point and the route
_SAME_WAY = math.radians(45.0)
WATCHED = 70.0  # m ahead
_EASY_DECELERATION, _HARD_DECELERATION = 4.0, 6.5  # m/s^2, at a light that turns yellow
_YELLOW_TIME = 2.6  # s, in which the junction must be entered wholly
_LINE_TO_ENTRY = 10.0  # m from the front bumper at the line to the rear bumper past the junction's entry
_SIGN_REACH = 3.5  # m between the front bumper and the line that count as having stopped at it
_STANDING = 0.1  # m/s
_SIGN_WAIT = 22  # ticks of 0.05 s


@dataclass
class _LightStop:
    light: carla.TrafficLight
    arc: float
    committed: bool = False  # being driven through: it turned yellow too late to stop


@dataclass
class SignStop:
    """The line of a stop sign."""

    arc: float  # m along the route
    waited: int = 0  # ticks

    @property
    def cleared(self) -> bool:
        """Whether the ego has stood long enough."""
        return self.waited >= _SIGN_WAIT


class RouteSignals:
    """Where the route has to stop. What is static is looked up once, from the world's actors and their areas."""

    def __init__(self, world: carla.World, route: DenseRoute) -> None:
        self._route = route
        self._lights: list[_LightStop] = []
        self._signs: list[SignStop] = []
        for actor in world.get_actors():
            if actor.type_id.startswith("traffic.traffic_light"):
                self._lights += [_LightStop(actor, arc) for arc in self._light_arcs(actor)]
            elif actor.type_id == "traffic.stop":
                self._signs += [SignStop(arc) for arc in self._sign_arcs(actor)]

    def stop_arcs(self, arc: float, speed: float) -> list[float]:
        """Stop lines (m along the route) that hold the ego in this tick; call once per tick.

        Args:
            arc: m along the route, of the ego's centre.
            speed: m/s.
        """
        front = arc + EGO_HALF_LENGTH
        stops = [stop.arc for stop in self._lights if self._holds(stop, front, speed)]
        for sign in self._signs:
            if -2.0 < sign.arc - front < WATCHED:
                stops += self._held_by(sign, sign.arc - front, speed)
        return stops

    def _held_by(self, sign: SignStop, gap: float, speed: float) -> list[float]:
        """Where a stop sign holds the ego, m along the route, at most once; ``gap`` in m to its line."""
        if sign.cleared:
            return []
        standing = speed < _STANDING and gap < _SIGN_REACH
        sign.waited = sign.waited + 1 if standing else 0
        return [sign.arc]

    def _holds(self, stop: _LightStop, front: float, speed: float) -> bool:
        gap = stop.arc - front
        if not -2.0 < gap < WATCHED:
            stop.committed = False
            return False
        state = stop.light.state
        if state == carla.TrafficLightState.Yellow and not stop.committed:
            needed = speed * speed / (2.0 * max(gap, 0.1))
            in_time = gap + _LINE_TO_ENTRY < _YELLOW_TIME * speed
            stop.committed = needed > _HARD_DECELERATION or (needed > _EASY_DECELERATION and in_time)
        elif state not in (carla.TrafficLightState.Red, carla.TrafficLightState.Yellow):
            stop.committed = False
        return state in (carla.TrafficLightState.Red, carla.TrafficLightState.Yellow) and not stop.committed

    def _light_arcs(self, light: carla.TrafficLight) -> list[float]:
        """Lines of a light that the route crosses: the far ends of its area, and never inside the junction."""
        arcs: list[float] = []
        for waypoint in light.get_stop_waypoints():  # in the middle of the area, one per lane
            pose = waypoint.transform
            arcs += self._crossings(pose.location, math.radians(pose.rotation.yaw), _BESIDE)
        half_length = light.trigger_volume.extent.y
        return sorted({round(min(arc + half_length, self._entry(arc)), 1) for arc in arcs})

    def _sign_arcs(self, sign: carla.Actor) -> list[float]:
        """Lines of a stop sign that the route crosses, as for lights."""
        pose, area = sign.get_transform(), sign.trigger_volume
        half_length = min(area.extent.x, area.extent.y)
        found = self._crossings(pose.transform(area.location), None, max(_BESIDE, half_length))
        return [min(arc + half_length, self._entry(arc)) for arc in found]

    def _entry(self, arc: float) -> float:
        """Where the route enters its next junction, m; infinite where it does not."""
        ahead = np.flatnonzero(self._route.is_junction & (self._route.arc >= arc - 3.0))
        return float(self._route.arc[ahead[0]]) if len(ahead) else math.inf

    def _crossings(self, place: carla.Location, yaw: float | None, reach: float) -> list[float]:
        """Arcs where the route passes within ``reach`` metres of a place, in direction ``yaw`` (rad) where given."""
        route = self._route
        near = np.hypot(route.x - place.x, route.y - place.y)
        good = (near < reach + 0.5) & (np.abs(route.z - place.z) < 4.0)
        if yaw is not None:
            good &= np.cos(route.yaw_rad - yaw) > math.cos(_SAME_WAY)
        runs = np.split(np.flatnonzero(good), np.flatnonzero(np.diff(np.flatnonzero(good)) > 1) + 1)
        arcs = []
        for run in runs:
            if len(run) == 0:
                continue
            best = run[np.argmin(near[run])]
            heading = route.yaw_rad[best]
            along = math.cos(heading) * (place.x - route.x[best]) + math.sin(heading) * (place.y - route.y[best])
            aside = math.cos(heading) * (place.y - route.y[best]) - math.sin(heading) * (place.x - route.x[best])
            if abs(aside) < reach:
                arcs.append(float(route.arc[best] + along))
        return arcs
