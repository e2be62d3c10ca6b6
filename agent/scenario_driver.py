"""Drives one actor of a scenario that somebody else runs: with sensors, a route and an agent of its own.

Written for controllers of scenario_runner, which are asked for one control per tick and told nothing but waypoints. It
needs the CARLA client only, so that any loop may use it::

    driver = ScenarioDriver(car, ScenarioOptions(agent="expert"))
    while True:
        world.tick()
        car.apply_control(driver.step())
"""

from __future__ import annotations

import logging
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

import carla
import numpy as np

from linkvla.agent.autonomous_agent import AutonomousAgent, SensorInterface
from linkvla.agent.control.plan_follower import FULL_BRAKE
from linkvla.agent.driving_agent import LinkVLAAgent, vehicle_control
from linkvla.agent.expert.watchful import WatchfulDriver
from linkvla.agent.navigation.dense_route import DenseRoute
from linkvla.agent.navigation.free_route import TURNS, free_route
from linkvla.agent.navigation.plan_formats import to_global_plans
from linkvla.agent.navigation.road_graph import trace_route
from linkvla.agent.policy_shelf import borrow_policy, give_back_policy
from linkvla.agent.sensor_rig import SensorRig
from linkvla.agent.sensors import sensor_specs
from linkvla.agent.settings import AgentSettings
from linkvla.model.interface.errors import ConfigurationError, RouteError, ServerError

AGENTS = ("linkvla", "expert")

_BEYOND = 150.0  # m of lane after the last waypoint, so that the car does not brake for the end of its plan
_REACHED = 3.0  # m before the last waypoint that count as there
_SPACING = 8  # m between waypoints that are kept
_LOOKED_AT = 60  # samples of the route ahead in which the car is looked for
_SENSOR_TIMEOUT = 20.0  # s
_SETTLING = 4  # ticks after the start in which the car stands: scenarios give their waypoints on the first ones

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class ScenarioOptions:
    """Who drives, and where to where nobody gives waypoints.

    Raises:
        ConfigurationError: an unknown agent or turn.
    """

    agent: str = "linkvla"  # one of AGENTS
    config: str = ""  # the agent's configuration, see ``AgentSettings.parse``
    turns: str = ""  # "left,straight": at the next junctions; straight on after that

    def __post_init__(self) -> None:
        if self.agent not in AGENTS:
            raise ConfigurationError(f"agent must be one of {', '.join(AGENTS)}, got {self.agent!r}")
        for turn in self.turn_list:
            if turn not in TURNS:
                raise ConfigurationError(f"turns are {', '.join(TURNS)}, divided by commas, got {turn!r}")

    @property
    def turn_list(self) -> list[str]:
        """One turn per junction."""
        return [turn.strip() for turn in self.turns.split(",") if turn.strip()]

    @classmethod
    def parse(cls, properties: Mapping[str, str]) -> ScenarioOptions:
        """From the properties of a controller; raises ConfigurationError for one that is unknown."""
        known = [field.name for field in fields(cls)]
        for name in properties:
            if name not in known:
                raise ConfigurationError(f"unknown property {name!r} of the controller; it has {', '.join(known)}")
        return cls(**properties)


class _Expert(WatchfulDriver, AutonomousAgent):
    """The expert on our own base."""


class ScenarioDriver:
    """An agent at the wheel of ``actor``, from now until ``close``.

    Until ``follow`` gives it waypoints it follows the lane. After the last waypoint it goes on along the lane: when to
    stop is the scenario's business.

    Raises:
        ConfigurationError, CheckpointError: options or weights that cannot be used.
        RouteError: the actor is not on a driving lane.
    """

    def __init__(self, actor: carla.Vehicle, options: ScenarioOptions | None = None) -> None:
        self.options = options or ScenarioOptions()
        self.reached = False
        """Whether the last waypoint has been reached."""
        self._actor, self._world = actor, actor.get_world()
        self._map = self._world.get_map()
        self._agent: Any = None
        self._goal = math.inf  # m along the route
        self._waypoints: list[carla.Transform] | None = None
        self._first_second: float | None = None
        self._interface = SensorInterface()
        self._lane = free_route(self._map, actor.get_transform(), turns=self.options.turn_list)
        self._rig: SensorRig | None = None
        try:
            self._rig = SensorRig(self._world, actor, self._sensors(), self._interface)
        except BaseException:
            self.close()
            raise
        self._born = self._world.get_snapshot().frame

    def follow(self, waypoints: Sequence[carla.Transform]) -> None:
        """Drive through these places, in this order, from the next step on."""
        self._waypoints = list(waypoints)
        self.reached = False

    def step(self) -> carla.VehicleControl:
        """The control for the present tick, once all sensors have delivered it; to be called once per tick.

        Raises:
            SensorSilence: a sensor has not delivered within 20 s.
            ServerError: the actor is gone.
        """
        snapshot = self._world.get_snapshot()
        if snapshot.frame <= self._born + _SETTLING:
            return vehicle_control(FULL_BRAKE)
        state = snapshot.find(self._actor.id)
        if state is None:
            raise ServerError("the car to drive is no longer in the world; check that nothing else destroys actors")
        pose, velocity = state.get_transform(), state.get_velocity()
        yaw = math.radians(pose.rotation.yaw)
        self._rig.publish(snapshot.frame, velocity.x * math.cos(yaw) + velocity.y * math.sin(yaw))
        self._rig.wait(snapshot.frame, _SENSOR_TIMEOUT)
        self._look_at_route(pose)
        now = snapshot.timestamp.elapsed_seconds
        self._first_second = now if self._first_second is None else self._first_second
        return self._agent(timestamp=now - self._first_second)

    def close(self) -> None:
        """Remove the sensors and let the agent go. May be called more than once."""
        if self._rig is not None:
            self._rig.close()
        if self._agent is not None:
            self._agent.destroy()
        give_back_policy(self)
        self._rig = self._agent = None

    def _look_at_route(self, pose: carla.Transform) -> None:
        """Where the car is on its route; a new route where waypoints have come."""
        if self._waypoints is not None:
            self._take_waypoints(pose)
        if self._agent is None:
            self._plan(self._lane)
        self._advance(pose)
        if self._route.arc[self._index] >= self._goal - _REACHED:
            self.reached = True

    def _take_waypoints(self, pose: carla.Transform) -> None:
        waypoints, self._waypoints = self._waypoints, None
        points = _ahead_of(pose, waypoints)
        if not points:
            self.reached = True
            return
        way = [_place(pose), *points]
        try:
            self._plan(trace_route(self._map, [*way, *self._beyond(*way[-2:])]))
            self._goal = trace_route(self._map, way).length
        except RouteError as error:
            logger.warning("linkvla: the waypoints cannot be driven (%s); following the lane instead", error)

    def _beyond(self, before: Sequence[float], last: Sequence[float]) -> list[tuple[float, float, float]]:
        """Points along the lane that the last waypoint is on; none where it ends."""
        heading = math.degrees(math.atan2(last[1] - before[1], last[0] - before[0]))
        try:
            on = free_route(self._map, carla.Transform(carla.Location(*last), carla.Rotation(yaw=heading)), _BEYOND)
        except RouteError:
            return []
        return list(zip(on.x[_SPACING::_SPACING], on.y[_SPACING::_SPACING], on.z[_SPACING::_SPACING]))

    def _plan(self, route: DenseRoute) -> None:
        """Give the wheel to a new agent with this route: agents take a plan before they start, and then never again.

        What the agent records and is told begins anew with it.
        """
        if self._agent is not None:
            self._agent.destroy()  # first: it may have a record, a port or the console, which the next one wants
        self._agent = self._new_agent()
        self._agent.sensor_interface = self._interface
        self._agent.set_global_plan(*to_global_plans(route, self._map))
        self._agent.setup(self.options.config)
        self._route, self._index, self._goal = route, 0, math.inf

    def _sensors(self) -> list[dict[str, Any]]:
        """What the agent will ask for. Its policy comes to its device here, not in the middle of a tick, and stays."""
        if self.options.agent == "expert":
            return []
        return sensor_specs(borrow_policy(AgentSettings.parse(self.options.config), self).camera)

    def _new_agent(self) -> Any:
        if self.options.agent == "linkvla":
            return LinkVLAAgent("", 0)
        expert = _Expert("", 0)
        expert.set_world(self._world, self._actor)
        return expert

    def _advance(self, pose: carla.Transform) -> None:
        window = slice(self._index, self._index + _LOOKED_AT)
        gaps = np.hypot(self._route.x[window] - pose.location.x, self._route.y[window] - pose.location.y)
        self._index += int(np.argmin(gaps))


def _place(pose: carla.Transform) -> tuple[float, float, float]:
    return pose.location.x, pose.location.y, pose.location.z


def _ahead_of(pose: carla.Transform, waypoints: Sequence[carla.Transform]) -> list[tuple[float, float, float]]:
    """The waypoints that the car has not passed yet, a few metres apart; the last one stays."""
    places = [_place(waypoint) for waypoint in waypoints]
    here = np.array(_place(pose))
    if not places:
        return []
    nearest = int(np.argmin([np.hypot(*(np.array(place) - here)[:2]) for place in places]))
    forward = pose.get_forward_vector()
    kept: list[tuple[float, float, float]] = []
    last = here
    for number, place in enumerate(places[nearest:]):
        gap = np.array(place) - last
        passed = number == 0 and gap[0] * forward.x + gap[1] * forward.y < 2.0
        if not passed and (np.hypot(gap[0], gap[1]) >= _SPACING or place == places[-1]):
            kept.append(place)
            last = np.array(place)
    return kept
