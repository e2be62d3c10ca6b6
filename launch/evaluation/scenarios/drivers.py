"""Careful drivers for a scenario's vehicles: they follow the lane and brake for what is in it, and for red lights."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cached_property
from typing import Any

import carla

from linkvla.launch.sim.pythonapi.agents.navigation.basic_agent import BasicAgent, GlobalRoutePlanner, RoadOption
from linkvla.launch.sim.pythonapi.agents.navigation.constant_velocity_agent import ConstantVelocityAgent

Way = Sequence[tuple[carla.Waypoint, RoadOption]]

_STEP = 2.0  # m
_KMH = 3.6


class Driver:
    """Drives one vehicle; ``step`` once a tick."""

    def __init__(self, vehicle: carla.Vehicle, agent: BasicAgent) -> None:
        self.vehicle, self._agent = vehicle, agent

    @property
    def arrived(self) -> bool:
        """Whether it has driven its way."""
        return self._agent.done()

    def step(self) -> None:
        """One tick."""
        self.vehicle.apply_control(self._agent.run_step())

    def dismiss(self) -> None:
        """To be called when the driver is no longer needed; leaves the vehicle to its physics."""
        if isinstance(self._agent, ConstantVelocityAgent):
            self._agent.stop_constant_velocity()
            self._agent.destroy_sensor()

    def change_lane(self, side: str, before: float, during: float, after: float) -> None:
        """Change to the lane on a side, "left" or "right", whatever the markings; then it has driven its way.

        Args:
            side: of its own lane.
            before, during, after: s on its own lane, between the two, and on the other, at the present speed.
        """
        self._agent.lane_change(side, before, after, during)

    def set_speed(self, speed: float) -> None:
        """Drive at ``speed`` (m/s) from now on."""
        self._agent.set_target_speed(_KMH * speed)


class Drivers:
    """Hires drivers in one town.

    Args:
        town: the client's map.
    """

    def __init__(self, town: carla.Map) -> None:
        self._town = town

    @cached_property
    def _planner(self) -> GlobalRoutePlanner:
        return GlobalRoutePlanner(self._town, _STEP)

    def way(self, begin: carla.Location, end: carla.Location) -> Way:
        """The shortest one along lanes; empty where there is none."""
        return self._planner.trace_route(begin, end)

    def plain_way(self, lane: Iterable[carla.Waypoint]) -> Way:
        """One that keeps to these waypoints."""
        return [(waypoint, RoadOption.LANEFOLLOW) for waypoint in lane]

    def along(self, vehicle: carla.Vehicle, speed: float, way: Way, **options: Any) -> Driver:
        """One who drives a way at ``speed`` (m/s).

        Args:
            vehicle: where the way begins.
            speed: m/s.
            way: its waypoints.
            options: of ``BasicAgent``.
        """
        agent = self._agent(vehicle, speed, options)
        agent.set_global_plan(way)
        return Driver(vehicle, agent)

    def ahead(self, vehicle: carla.Vehicle, speed: float, **options: Any) -> Driver:
        """One who follows the lane nearest to the vehicle, wherever it leads."""
        return Driver(vehicle, self._agent(vehicle, speed, options))

    def steady(self, vehicle: carla.Vehicle, speed: float, way: Way = (), **options: Any) -> Driver:
        """As ``along``, or ``ahead`` without a way, but at ``speed`` from the first moment on, whatever the engine can
        do; to be dismissed.
        """
        agent = ConstantVelocityAgent(vehicle, _KMH * speed, options, self._town, self._planner)
        if way:
            agent.set_global_plan(way)
        return Driver(vehicle, agent)

    def _agent(self, vehicle: carla.Vehicle, speed: float, options: dict[str, Any]) -> BasicAgent:
        return BasicAgent(vehicle, _KMH * speed, options, self._town, self._planner)
