"""Draws random situations. States come from chance, not from logged drives: speed then says little about the future.

A network taught on drives learns "standing, therefore stay"; one taught on drawn states has to look.
"""

from __future__ import annotations

import math
import random

import carla
import numpy as np

from linkvla.agent.expert.planner import EGO_HALF_LENGTH
from linkvla.agent.navigation.dense_route import DenseRoute
from linkvla.launch.collection import looks
from linkvla.launch.collection.beside_route import pose_beside
from linkvla.launch.collection.blocked_lanes import draw_blockade
from linkvla.launch.collection.lanes import lanes_at
from linkvla.launch.collection.right_of_way import draw_oncoming, turn_at
from linkvla.launch.collection.situation import Ego, RoadUser, Situation
from linkvla.launch.collection.stage import Stage
from linkvla.launch.collection.walks import as_route, walk
from linkvla.launch.sim.render.snapshot import RenderActor
from linkvla.launch.sim.world.pose import Pose
from linkvla.launch.sim.world.town import LightState
from linkvla.model.language.instructions import LaneKind

_BEHIND, _AHEAD, _MIN_AHEAD = 62.0, 100.0, 72.0  # m of route around the ego
_HARDEST = 6.0  # m/s^2; a speed from which nobody could stop is lowered
_MULTI_LANE_SHARE = 0.15  # of the situations where there are such roads, for lane changes to be asked for
_LAGGING_SHARE = 0.6  # of those on the way past something: the ego is not yet as far aside as it should be
_UNAWARE_SHARE = 0.5  # of these: it drives on along its route as if there were nothing, as who has not seen it would
_UNAWARE_SPEED = (4.0, 9.0)  # m/s
_ASTRAY_SHARE = 0.25  # of those on roads with several lanes: the ego is in another lane than its route
_LATEST = 600.0  # s, when a situation may be
_EGO_CLEARANCE = 8.0  # m between a bystander and the ego
_ROADSIDE = (5.0, 35.0)  # m ahead of the ego, where parked cars and props stand
_KERB_GAP = (0.2, 1.4)  # m between the lane and what stands beside it
_PROP_HEADINGS = (0.0, math.pi / 2)  # rad; signs and boards look along their y
_ROUTE_CLEARANCE = 1.75  # m between the route and the nearest side of it
_CROSSING_SHARE = 0.6  # of the people in the ego's way: they walk across it
_CROSSING = (-1.0, 4.0)  # m they still have to the middle of the lane; from beyond it they may come behind the ego
_BESIDE = (2.3, 6.0)  # m beside a lane, where people stand or walk along it


class Sampler:
    """Draws situations on one stage, reproducibly for a seed.

    ``line_share`` of them before stop lines; ``hazard_share`` with a blocked lane, where there is room for it, and of
    those before a left turn with cars that come towards the ego.
    """

    def __init__(self, stage: Stage, rng: random.Random, line_share: float = 0.3, hazard_share: float = 0.0) -> None:
        self.stage = stage
        self.rng = rng
        self._line_share, self._hazard_share = line_share, hazard_share

    def draw(self) -> Situation:
        """One situation."""
        route, arc, waits = self._route()
        ego = self._ego(route, arc)
        if waits and self.rng.random() < 0.6:
            ego.speed = 0.0
        weather, paint = looks.weather(self.rng), looks.paint(self.rng)
        situation = Situation(self.stage, route, ego, self._lights(), weather, paint)
        self._set_own_light(situation)
        if self.rng.random() < _ASTRAY_SHARE:
            self._stray(situation)
        if situation.astray or not (self.hazard() and self._block(situation)):
            self._put_road_users(situation)
        situation.bystanders = self._bystanders(situation)
        situation.bystanders += self._roadside(situation)
        turn = turn_at(situation.left_turns, arc)
        if turn is not None and self.hazard():
            poses = [actor.pose for actor in situation.bystanders]
            situation.bystanders += draw_oncoming(route, turn, self.stage.lane_xyzyaw, poses, self.rng)
        self._limit_speed(situation)
        situation.seconds = self.rng.uniform(0.0, _LATEST)
        return situation

    def _route(self) -> tuple[DenseRoute, float, bool]:
        while True:
            here, waits = self._start()
            past = walk(here, _BEHIND, self.rng, backwards=True)
            ahead = walk(here, _AHEAD, self.rng)
            if len(ahead) > _MIN_AHEAD and len(past) > 4:
                route = as_route(past + ahead[1:])
                return route, float(route.arc[len(past) - 1]), waits

    def _start(self) -> tuple[carla.Waypoint, bool]:
        """A place to be, and whether cars wait there."""
        rng = self.rng
        if self.stage.multi_lane and rng.random() < _MULTI_LANE_SHARE:
            return rng.choice(self.stage.multi_lane), False
        if rng.random() < self._line_share:
            waits = rng.random() < 0.5
            behind = self._stop_line().previous(EGO_HALF_LENGTH + rng.uniform(0.3, 4.0 if waits else 35.0))
            if behind:
                return rng.choice(behind), waits
        if self.stage.entries and rng.random() < 0.6:
            entry = rng.choice(self.stage.entries)
            offset = rng.uniform(-10.0, -4.5) if rng.random() < 0.25 else rng.uniform(-35.0, 12.0)
            moved = entry.previous(-offset) if offset < 0 else entry.next(offset + 0.5)
            if moved:
                return rng.choice(moved), False
        return rng.choice(self.stage.waypoints), False

    def _stop_line(self) -> carla.Waypoint:
        """At a traffic light or, less often, a stop sign."""
        lights, signs = self.stage.light_stops, self.stage.sign_stops
        if lights and (not signs or self.rng.random() < 0.65):
            return self.rng.choice(lights)
        return self.rng.choice(signs or self.stage.waypoints)

    def _ego(self, route: DenseRoute, arc: float) -> Ego:
        rng = self.rng
        x, y, _, yaw, _ = route.at(arc)
        kind = rng.random()
        if kind < 0.25:
            lateral, turn = 0.0, 0.0
        elif kind < 0.6:
            lateral, turn = rng.gauss(0, 0.25), rng.gauss(0, 3)
        else:
            lateral, turn = rng.uniform(-1.5, 1.5), rng.uniform(-15, 15)
        kind = rng.random()
        if kind < 0.22:
            speed = 0.0
        elif kind < 0.4:
            speed = rng.uniform(0, 3)
        else:
            speed = rng.uniform(0, 9)
        return Ego(
            x - math.sin(yaw) * lateral, y + math.cos(yaw) * lateral, yaw + math.radians(turn), round(speed, 1), arc
        )

    def _lights(self) -> np.ndarray:
        """Each junction gives green or yellow to at most one of its controllers."""
        sites = self.stage.town.traffic_lights
        states = np.full(len(sites), LightState.RED, dtype=np.uint8)
        for junction in {site.junction_id for site in sites}:
            controllers = sorted({site.controller for site in sites if site.junction_id == junction})
            open_one = self.rng.choice([*controllers, ""])
            state = self.rng.choices((LightState.GREEN, LightState.YELLOW), (5, 1))[0]
            for index, site in enumerate(sites):
                if site.junction_id == junction and site.controller == open_one:
                    states[index] = state
        return states

    def _set_own_light(self, situation: Situation) -> None:
        """The light that the ego meets next is red half of the time."""
        own = situation.own_light()
        if own is None:
            return
        state = self.rng.choices((LightState.RED, LightState.GREEN, LightState.YELLOW), (5, 4, 1))[0]
        set_light(situation, own, state)

    def hazard(self) -> bool:
        """Whether the next should have one: true in as many cases as the share says."""
        return self._hazard_share > 0.0 and self.rng.random() < self._hazard_share

    def _block(self, situation: Situation) -> bool:
        """Something in the lane for good, where there is room, and the ego on the line past it, or near it."""
        ego, route, planner = situation.ego, situation.route, situation.planner
        blockade = draw_blockade(self.stage.town.map, route, ego.arc, ego.speed, planner.speed_profile, self.rng)
        if blockade is None:
            return False
        lags = blockade.is_ahead(ego.arc) and self.rng.random() < _LAGGING_SHARE
        if lags and self.rng.random() < _UNAWARE_SHARE:
            situation.ego = self._unaware(route, ego.arc)
        else:
            (x, y, _, yaw, _), (line_x, line_y, _, line_yaw, _) = route.at(ego.arc), blockade.line.at(ego.arc)
            aside = self.rng.random() if lags else 1.0
            ego.x, ego.y = ego.x + aside * (line_x - x), ego.y + aside * (line_y - y)
            ego.yaw += aside * (line_yaw - yaw)
        situation.block(blockade)
        return True

    def _unaware(self, route: DenseRoute, arc: float) -> Ego:
        """Driving along its route: so a network comes up to what it overlooks, and chance draws that hardly ever."""
        rng = self.rng
        pose = pose_beside(route, arc, rng.gauss(0, 0.15), math.radians(rng.gauss(0, 1)))
        return Ego(pose.x, pose.y, math.radians(pose.yaw), round(rng.uniform(*_UNAWARE_SPEED), 1), arc)

    def _stray(self, situation: Situation) -> None:
        """The ego in a lane beside its route's, or on the way there, as after a turn that was too wide or narrow."""
        ego, route = situation.ego, situation.route
        if route.is_junction[route.index_at(ego.arc)]:
            return
        beside = [lane.offset for lane in lanes_at(situation).beside if lane.kind is LaneKind.LANE and lane.lanes == 1]
        if beside:
            pose = pose_beside(route, ego.arc, self.rng.choice(beside) * self.rng.uniform(0.5, 1.1), 0.0)
            ego.x, ego.y = pose.x, pose.y
            situation.astray = True

    def _put_road_users(self, situation: Situation) -> None:
        rng = self.rng
        kind = rng.random()
        if kind < 0.40:
            situation.ahead.append(self._lead(situation))
        elif kind < 0.48:
            situation.ahead.append(self._crossing_car(situation))
        elif kind < 0.60:
            situation.ahead.append(self._walker(situation))
        elif kind < 0.62:
            situation.ahead.append(self._obstacle(situation))

    def _lead(self, situation: Situation) -> RoadUser:
        rng = self.rng
        gap = rng.uniform(1, 8) if rng.random() < 0.45 else rng.uniform(2, 40)
        speed = 0.0 if rng.random() < 0.55 else rng.uniform(2, 8)
        body = looks.vehicle(rng)
        arc = situation.ego.arc + EGO_HALF_LENGTH + gap + body.half_extent[0]
        # One frame cannot tell a standing car from a moving one: its brake lamps have to.
        return RoadUser(arc, speed, body, rng.gauss(0, 0.15), rng.gauss(0, 0.03), braking=speed == 0.0)

    def _crossing_car(self, situation: Situation) -> RoadUser:
        rng = self.rng
        body = looks.vehicle(rng)
        arc = situation.ego.arc + EGO_HALF_LENGTH + body.half_extent[0] + rng.uniform(2, 25)
        heading = rng.choice((-1, 1)) * math.radians(rng.gauss(90, 30))
        lateral = rng.uniform(-1.8, 1.8)
        return RoadUser(arc, 0.0, body, lateral, heading)

    def _walker(self, situation: Situation) -> RoadUser:
        rng = self.rng
        arc = situation.ego.arc + EGO_HALF_LENGTH + rng.uniform(3, 22)
        right = rng.choice((-1, 1))
        heading = right * (math.pi / 2 + rng.gauss(0, 0.15))
        if rng.random() >= _CROSSING_SHARE:
            return RoadUser(arc, 0.0, looks.walker(rng), rng.uniform(-1.5, 1.5), heading)
        lateral, stride = -right * rng.uniform(*_CROSSING), rng.uniform(0, 2 * math.pi)
        return RoadUser(arc, 0.0, looks.walker(rng), lateral, heading, stride=stride)

    def _obstacle(self, situation: Situation) -> RoadUser:
        rng = self.rng
        arc = situation.ego.arc + EGO_HALF_LENGTH + rng.uniform(3, 22)
        return RoadUser(arc, 0.0, looks.prop(rng), rng.uniform(-1.0, 1.0), rng.choice(_PROP_HEADINGS))

    def _roadside(self, situation: Situation) -> tuple[RenderActor, ...]:
        """Parked cars and props beside the ego's lane, mostly on its right."""
        rng, route, placed = self.rng, situation.route, []
        others = [actor.pose for actor in situation.bystanders]
        others += [user.drawn(route).pose for user in situation.ahead]
        others += [] if situation.blockade is None else [actor.pose for actor in situation.blockade.drawn(route)]
        route_xy = np.stack([route.x, route.y], axis=1)
        for _ in range(rng.choice((0, 0, 1, 2, 3))):
            arc = situation.ego.arc + rng.uniform(*_ROADSIDE)
            body = looks.prop(rng) if rng.random() < 0.5 else looks.vehicle(rng)
            turned = rng.choice(_PROP_HEADINGS) if body.is_prop else 0.0
            half_length, half_width = body.reach(turned)
            x, y, z, yaw, _ = route.at(arc)
            width = route.lane_width[route.index_at(arc)]
            lateral = (width / 2 + half_width + rng.uniform(*_KERB_GAP)) * (1 if rng.random() < 0.75 else -1)
            x, y = x - math.sin(yaw) * lateral, y + math.cos(yaw) * lateral
            free = np.hypot(*(route_xy - (x, y)).T).min() > _ROUTE_CLEARANCE + half_width
            apart = all(math.hypot(pose.x - x, pose.y - y) > half_length + 4.0 for pose in others)
            if route.is_junction[route.index_at(arc)] or not free or not apart:
                continue
            pose = Pose(float(x), float(y), float(z), yaw=math.degrees(yaw + turned) + rng.gauss(0, 3))
            placed.append(body.drawn(pose))
            others.append(pose)
        return tuple(placed)

    def _bystanders(self, situation: Situation) -> tuple[RenderActor, ...]:
        """Cars on other lanes, and people beside the road, none of them in the ego's way."""
        rng, lanes = self.rng, self.stage.lane_xyzyaw
        distance = np.hypot(lanes[:, 0] - situation.ego.x, lanes[:, 1] - situation.ego.y)
        near = np.flatnonzero((distance > _EGO_CLEARANCE) & (distance < 70.0))
        wanted = rng.choice((0, 2, 4, 7))
        route = np.stack([situation.route.x, situation.route.y], axis=1)[::2]
        taken = [situation.route.at(user.arc)[:2] for user in situation.ahead]
        # Where the ego may have to leave its lane, only the blockade says who comes along the others.
        clear = 3.1 if situation.blockade is None else 8.0
        actors: list[RenderActor] = []
        for k in rng.sample(list(near), min(len(near), 3 * wanted)):
            x, y, z, yaw = lanes[k]
            blocked = np.hypot(route[:, 0] - x, route[:, 1] - y).min() < clear
            if blocked or any(math.hypot(x - a, y - b) < 8.0 for a, b in taken):
                continue
            taken.append((x, y))
            pose = Pose(x, y, z, yaw=math.degrees(yaw) + rng.gauss(0, 2))
            actors.append(looks.vehicle(rng).drawn(pose, brake=rng.random() < 0.4))
            if len(actors) >= wanted:
                break
        return tuple(actors) + self._people(near, route)

    def _people(self, near: np.ndarray, route: np.ndarray) -> tuple[RenderActor, ...]:
        """They stand, or walk along the road: who walks towards it is in the ego's way."""
        people, rng = [], self.rng
        for k in rng.sample(list(near), min(len(near), rng.choice((0, 0, 1, 3)))):
            x, y, z, yaw = self.stage.lane_xyzyaw[k]
            offset = rng.uniform(*_BESIDE)
            x, y = x - math.sin(yaw) * offset, y + math.cos(yaw) * offset
            if np.hypot(route[:, 0] - x, route[:, 1] - y).min() < _BESIDE[0] - 0.1:
                continue
            walks = rng.random() < 0.5
            heading = math.degrees(yaw) + rng.choice((0, 180)) + rng.gauss(0, 8) if walks else rng.uniform(0, 360)
            stride = rng.uniform(0, 2 * math.pi) if walks else 0.0
            people.append(looks.walker(rng).drawn(Pose(x, y, z + 0.15, yaw=heading), phase=stride))
        return tuple(people)

    def _limit_speed(self, situation: Situation) -> None:
        """Lower a speed from which the ego could not stop in time."""
        ego = situation.ego
        gaps = [situation.gap_to(leader.arc_of_rear) for leader in situation.leaders() if leader.speed == 0.0]
        stops = situation.held_by_lights() + situation.held_by_signs() + situation.held_by_blockade()
        gaps += [situation.gap_to(arc) for arc in stops]
        room = max(0.0, min(gaps, default=math.inf))
        if ego.speed**2 / (2 * _HARDEST) > room:
            ego.speed = round(math.sqrt(2 * _HARDEST * room) * self.rng.random(), 1)


def set_light(situation: Situation, site: int, state: LightState) -> None:
    """Give a light a state: its controller's lights share it; the rest of the junction turns red when it opens."""
    sites = situation.stage.town.traffic_lights
    for index, other in enumerate(sites):
        if other.junction_id != sites[site].junction_id:
            continue
        if other.controller == sites[site].controller:
            situation.light_states[index] = state
        elif state != LightState.RED:
            situation.light_states[index] = LightState.RED
