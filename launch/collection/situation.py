"""One traffic situation: an ego on a route, what is ahead of it, and what the expert would do."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np

from linkvla.agent.expert.planner import EGO_HALF_LENGTH, ExpertPlanner, Leader
from linkvla.agent.navigation.dense_route import DenseRoute
from linkvla.launch.collection.beside_route import pose_beside
from linkvla.launch.collection.blocked_lanes import Blockade
from linkvla.launch.collection.looks import Body
from linkvla.launch.collection.navigation import SparsePlan
from linkvla.launch.collection.right_of_way import left_turns, turn_at, waits_for
from linkvla.launch.collection.stage import Stage
from linkvla.launch.collection.stop_signs import SHIFT, holds
from linkvla.launch.sim.physics.specs import MKZ
from linkvla.launch.sim.render.capture import look_of
from linkvla.launch.sim.render.snapshot import RenderActor, SceneSnapshot
from linkvla.launch.sim.world.pose import Pose
from linkvla.launch.sim.world.town import LightState
from linkvla.launch.sim.world.weather import Weather
from linkvla.model.data.recording import Tag
from linkvla.model.interface.types import Plan

EGO_TYPE = "vehicle.lincoln.mkz_2020"  # as the evaluators spawn it
_YELLOW_DECELERATION = 4.0  # m/s^2; a yellow light that needs harder braking is driven through


@dataclass
class RoadUser:
    """Something on the ego's route."""

    arc: float  # m along the route, of its centre
    speed: float  # m/s along the route
    body: Body
    lateral: float = 0.0  # m right of the route
    heading: float = 0.0  # rad relative to the route
    braking: bool = False
    stride: float = 0.0  # rad, gait phase of who walks

    @property
    def rear_arc(self) -> float:
        """Nearest end as seen from behind, m along the route."""
        return self.arc - self.body.reach(self.heading)[0]

    def drawn(self, route: DenseRoute) -> RenderActor:
        """For the renderer."""
        pose = pose_beside(route, self.arc, self.lateral, self.heading)
        return self.body.drawn(pose, brake=self.braking, phase=self.stride)


@dataclass
class Ego:
    """The ego's state in the world."""

    x: float  # m
    y: float  # m
    yaw: float  # rad
    speed: float  # m/s
    arc: float  # m along the route


@dataclass
class Situation:
    """Everything that decides the picture and the label."""

    stage: Stage
    route: DenseRoute
    ego: Ego
    light_states: np.ndarray  # (lights of the town,) uint8 LightState
    weather: Weather
    paint: tuple[float, float, float]  # the ego's; its own roof is in the picture
    ahead: list[RoadUser] = field(default_factory=list)
    bystanders: tuple[RenderActor, ...] = ()
    blockade: Blockade | None = None  # instead of anything ``ahead``
    astray: bool = False  # the ego is in another lane than its route
    seconds: float = 0.0  # simulated time: blinkers blink and rain falls by it

    def __post_init__(self) -> None:
        route_xy = np.stack([self.route.x, self.route.y], axis=1)
        args = (route_xy, self.route.yaw_rad, self.route.arc)
        self.planner = ExpertPlanner(self.route)
        self.sparse_plan = SparsePlan(self.route)
        self.left_turns = left_turns(self.route)
        self.light_arcs = self.stage.light_lines.on_route(*args)
        self.sign_arcs = self.stage.stop_sign_lines.on_route(*args)

    @property
    def has_words(self) -> bool:
        """Whether language goes with it: words and wishes take it that the ego drives in the lane of its route."""
        return self.blockade is None and not self.astray

    def gap_to(self, arc: float) -> float:
        """Metres from the front bumper to a place on the route; negative once it is passed."""
        return arc - self.ego.arc - EGO_HALF_LENGTH

    def to_ego(self, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        """World places, (n,) metres each, in the ego frame: (n, 2)."""
        cosine, sine = math.cos(self.ego.yaw), math.sin(self.ego.yaw)
        dx, dy = x - self.ego.x, y - self.ego.y
        return np.stack([cosine * dx + sine * dy, -sine * dx + cosine * dy], axis=-1)

    def route_in_ego(self, arcs: np.ndarray) -> np.ndarray:
        """Places on the route, (n,) metres along it, in the ego frame: (n, 2); straight on beyond its end."""
        route, beyond = self.route, np.maximum(arcs - self.route.length, 0.0)
        points, yaw = route.at(arcs), route.yaw_rad[-1]
        return self.to_ego(points[:, 0] + math.cos(yaw) * beyond, points[:, 1] + math.sin(yaw) * beyond)

    def own_light(self) -> int | None:
        """Index of the next light on the route, None where there is none."""
        return next((site for arc, site in self.light_arcs if self.gap_to(arc) > -1.0), None)

    def held_by_lights(self) -> list[float]:
        """Stop lines (m along the route) of lights that hold the ego now."""
        arcs = []
        for arc, site in self.light_arcs:
            gap, state = self.gap_to(arc), self.light_states[site]
            if gap < -1.0 or state not in (LightState.RED, LightState.YELLOW):
                continue
            if state == LightState.YELLOW and self.ego.speed**2 / (2 * _YELLOW_DECELERATION) > max(gap, 0.0):
                continue
            arcs.append(arc)
        return arcs

    def held_by_signs(self) -> list[float]:
        """Where stop signs hold the ego now, m along the route; see ``stop_signs``."""
        speed = self.ego.speed
        return [arc - SHIFT for arc, _ in self.sign_arcs if holds(self.gap_to(arc), speed)]

    def held_by_blockade(self) -> list[float]:
        """Where the ego waits until it can go past what blocks its lane, m along the route; one place at most."""
        if self.blockade is None:
            return []
        ego = self.ego
        astray = self.planner.lateral_error(ego.arc, ego.x, ego.y)
        hold = self.blockade.held(ego.arc, ego.speed, astray)
        return [] if hold is None else [hold]

    def block(self, blockade: Blockade) -> None:
        """Put something into the lane for good; from now on the expert drives along the line past it."""
        self.blockade = blockade
        self.planner.follow(blockade.line)

    def leaders(self) -> list[Leader]:
        """All that the expert stays behind, but for stop lines."""
        ego = self.ego
        found = [Leader(user.rear_arc, user.speed) for user in self.ahead if user.arc > ego.arc]
        if self.blockade is not None:
            found += self.blockade.leaders(self.route, ego.arc)
        turn = turn_at(self.left_turns, ego.arc)
        if turn is not None:
            wish = self.planner.speed_profile
            found += waits_for(self.route, turn, ego.arc, ego.speed, wish, self.bystanders, found)
        return found

    def plan(self) -> Plan:
        """The expert's plan (the label)."""
        ego = self.ego
        stops = self.held_by_lights() + self.held_by_signs() + self.held_by_blockade()
        return self.planner.plan(ego.arc, (ego.x, ego.y, ego.yaw), ego.speed, self.leaders(), stops)

    def tag(self, plan: Plan) -> Tag:
        """What is special about this situation (see Tag)."""
        tag = Tag(0)
        lead_gap = min((self.gap_to(user.rear_arc) for user in self.ahead), default=math.inf)
        light_gap = min((self.gap_to(arc) for arc in self.held_by_lights()), default=math.inf)
        if light_gap < min(25.0, lead_gap):
            tag |= Tag.RED_LIGHT
        if any(user.speed < 0.1 for user in self.ahead) and lead_gap < min(15.0, light_gap):
            tag |= Tag.LEAD
        if any(self.gap_to(arc) < min(25.0, lead_gap) for arc in self.held_by_signs()):
            tag |= Tag.STOP_SIGN
        if self.ego.speed < 0.5 and np.hypot(*plan.speed_waypoints_in_ego[-1]) > 2.5:
            tag |= Tag.START
        if self.route.is_junction[self.route.index_at(self.ego.arc)]:
            tag |= Tag.JUNCTION
        return tag

    def ego_pose(self) -> Pose:
        """The ego's pose in the world; height and slope are the road's."""
        _, _, z, _, pitch = self.route.at(self.ego.arc)
        return Pose(self.ego.x, self.ego.y, float(z), pitch=math.degrees(pitch), yaw=math.degrees(self.ego.yaw))

    def snapshot(self) -> SceneSnapshot:
        """For the renderer."""
        ego = RenderActor("car", self.ego_pose(), MKZ.half_extent, self.paint, seed=look_of(EGO_TYPE))
        blockade = () if self.blockade is None else self.blockade.drawn(self.route)
        actors = (ego, *(user.drawn(self.route) for user in self.ahead), *blockade, *self.bystanders)
        lights = self.stage.street_lights if self.weather.sun_altitude_angle < 0.0 else None
        return SceneSnapshot(actors, self.light_states, self.weather, seconds=self.seconds, street_lights=lights)
