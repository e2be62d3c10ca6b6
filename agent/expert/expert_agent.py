"""The privileged expert in the CARLA loop: reads the world, plans with ``ExpertPlanner``, drives as LinkVLA does."""

from __future__ import annotations

import math
from enum import Enum
from typing import Any

import carla
import numpy as np

from linkvla.agent.autonomous_agent import AutonomousAgent, Track
from linkvla.agent.compat import privileged_world
from linkvla.agent.control.plan_follower import Pedals, PlanFollower
from linkvla.agent.driving_agent import vehicle_control
from linkvla.agent.expert.departing import Departure
from linkvla.agent.expert.planner import EGO_HALF_LENGTH, ExpertPlanner, ExpertSettings, Leader
from linkvla.agent.expert.road_users import AHEAD, RoadUsers, Traffic
from linkvla.agent.expert.signals import RouteSignals
from linkvla.agent.expert.surroundings import place_others
from linkvla.agent.navigation.dense_route import DenseRoute
from linkvla.agent.navigation.plan_route import route_from_plan
from linkvla.model.interface.errors import ConfigurationError, ServerError
from linkvla.model.interface.types import Command, Plan

_HARDLY_MOVING = 0.1  # m/s
_COMMAND_AHEAD = 30.0  # m, a turn this near is named


class ExpertDriver:
    """What the expert adds to an ``AutonomousAgent`` base, ours or an evaluator's.

    For observers and recorders: ``last_plan``, ``last_command``, ``control_source``, and what decided about the plan:
    ``arc`` (m along ``route``), ``pose`` (x, y in m, yaw in rad, world), ``speed`` (m/s), ``leaders`` and
    ``stop_arcs``.
    """

    tracks: type[Enum] = Track
    expert_settings = ExpertSettings()
    signals: type[RouteSignals] = RouteSignals
    sight = AHEAD
    """Metres of route ahead that are searched for others."""
    _world: carla.World | None = None
    _ego: carla.Actor | None = None
    _dense_plan: Any = None

    def set_world(self, world: carla.World, ego: carla.Actor) -> None:
        """Hand over the world and the vehicle to drive; outside the leaderboard's evaluator, before the first step."""
        self._world, self._ego = world, ego

    def set_global_plan(self, global_plan_gps: list, global_plan_world_coord: list) -> None:
        """Keep the dense plan as well: the expert drives along it."""
        self._dense_plan = global_plan_world_coord
        super().set_global_plan(global_plan_gps, global_plan_world_coord)

    def setup(self, path_to_conf_file: str) -> None:
        """Nothing to load; the configuration is not used."""
        self.track = self.tracks.SENSORS
        self._follower = PlanFollower()
        self._departure = Departure()
        self.route: DenseRoute | None = None
        self.arc = self.speed = 0.0
        self.pose = (0.0, 0.0, 0.0)
        self.leaders: list[Leader] = []
        self.stop_arcs: list[float] = []
        self.last_plan: Plan | None = None
        self.last_observation = None
        self.last_command: Command | None = None
        self.control_source = "expert"

    def sensors(self) -> list[dict[str, Any]]:
        """None: the expert reads the world."""
        return []

    def run_step(self, input_data: dict[str, tuple[int, Any]], timestamp: float) -> carla.VehicleControl:
        """The control for this tick.

        Raises:
            ConfigurationError: the agent was given no world.
            ServerError: the ego vehicle is gone.
        """
        if self.route is None:
            self._prepare()
        snapshot = self._world.get_snapshot()
        state = snapshot.find(self._ego.id)
        if state is None:
            raise ServerError("the ego vehicle is no longer in the world; check that nothing else destroys actors")
        pose, velocity = state.get_transform(), state.get_velocity()
        place, yaw = pose.location, math.radians(pose.rotation.yaw)
        self.pose = place.x, place.y, yaw
        self.speed = speed = max(0.0, velocity.x * math.cos(yaw) + velocity.y * math.sin(yaw))
        self.arc = self._planner.project(place.x, place.y, self.arc)
        self.last_plan = self._decide(snapshot, self.pose, speed)
        self.last_command = self._command()
        pedals = self._follower.step(self.last_plan, speed)
        if pedals.throttle == 0.0 and speed < _HARDLY_MOVING:
            pedals = Pedals(0.0, pedals.steer, 1.0)
        return vehicle_control(pedals)

    def destroy(self) -> None:
        """Let go of the world."""
        self._world = self._ego = self._users = self._signals = None

    def _prepare(self) -> None:
        """Everything static about the route, once the world is known."""
        if self._world is None:
            found = privileged_world()
            if found is None:
                raise ConfigurationError("the expert needs the world; call set_world(world, ego) before the first step")
            self._world, self._ego = found
        self.route = self._lay_out()
        self._planner = ExpertPlanner(self.route, self.expert_settings)
        self._signals = self.signals(self._world, self.route)
        self._users = RoadUsers(self._world, self._ego.id, self.route, self.sight)
        place = self._ego.get_transform().location
        self.arc = self._planner.project(place.x, place.y, 0.0)

    def _lay_out(self) -> DenseRoute:
        """The route that the plan describes."""
        return route_from_plan(self._world.get_map(), self._dense_plan)

    def _decide(self, snapshot: carla.WorldSnapshot, pose: tuple[float, float, float], speed: float) -> Plan:
        """Plan for who is in the way; where someone will come in the way, plan again for them too."""
        self.stop_arcs = self._signals.stop_arcs(self.arc, speed)
        traffic = self._look(snapshot, speed)
        self.leaders = traffic.leaders()
        if not self._departure.is_over(self.route, pose, self.arc, speed):
            others = place_others(self.route, self.arc, traffic, self._users.actors)
            if self._departure.waits(self.arc, speed, others):
                self.stop_arcs.append(self.arc + EGO_HALF_LENGTH)
        plan = self._planner.plan(self.arc, pose, speed, self.leaders, self.stop_arcs)
        steps = np.diff(plan.speed_waypoints_in_ego, axis=0, prepend=np.zeros((1, 2)))
        coming = self._foresee(traffic, speed, self.arc + np.cumsum(np.hypot(*steps.T)))
        if not coming:
            return plan
        self.leaders += coming
        return self._planner.plan(self.arc, pose, speed, self.leaders, self.stop_arcs)

    def _look(self, snapshot: carla.WorldSnapshot, speed: float) -> Traffic:
        """Road users along the line to drive."""
        return self._users.look(snapshot, self.arc)

    def _foresee(self, traffic: Traffic, speed: float, ego_arcs: np.ndarray) -> list[Leader]:
        """Who will come in the way of the ego at ``speed`` (m/s), with its places of the next 2.5 s (m)."""
        return traffic.crossing(ego_arcs)

    def _command(self) -> Command:
        """The next command other than to follow the lane, or that."""
        first = self.route.index_at(self.arc)
        ahead = self.route.command[first : self.route.index_at(self.arc + _COMMAND_AHEAD) + 1]
        special = ahead[ahead != int(Command.LANE_FOLLOW)]
        return Command(int(special[0])) if len(special) else Command.LANE_FOLLOW


class ExpertAgent(ExpertDriver, AutonomousAgent):
    """The expert on our own base, for our own route runner."""
