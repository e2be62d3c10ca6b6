"""One agent class for every evaluator: what differs between them ends here.

CARLA leaderboard and Bench2Drive construct ``cls(host, port, debug)``, hand over the plan, then call ``setup``.
scenario_runner constructs ``cls(config)``, whose base calls ``setup`` itself; the plan, if there is one, comes later
and with a point per metre; speedometer and IMU do not exist there; sensors are registered without their type.
"""

from __future__ import annotations

import inspect
from typing import Any

import carla

from linkvla.agent.autonomous_agent import PLAN_SPACING
from linkvla.agent.compat import privileged_world
from linkvla.agent.navigation.free_route import free_route
from linkvla.agent.navigation.plan_formats import GpsPlan, WorldPlan, thin_plans, to_global_plans
from linkvla.agent.sensors import instruments
from linkvla.model.interface.errors import ConfigurationError

_NOWHERE = ("127.0.0.1", 0, False)  # host, port, debug for a leaderboard base that scenario_runner constructs


class AnyEvaluator:
    """Goes between an agent and its base class: an evaluator's, or our own."""

    under_scenario_runner = False
    _host: tuple[carla.World, carla.Actor] | None = None

    def __init__(self, *arguments: Any) -> None:
        """``(host, port[, debug])``, or for scenario_runner ``(config,)``."""
        self.under_scenario_runner = len(arguments) < 2
        config = arguments[0] if arguments else ""
        # Only scenario_runner's own base knows nothing of ROS; it takes the configuration and calls setup with it.
        sets_up_itself = not hasattr(super(), "get_ros_version")
        if not self.under_scenario_runner:
            super().__init__(*arguments)
        elif sets_up_itself:
            super().__init__(config)
        else:
            super().__init__(*_NOWHERE)
        _register_either_way(self.sensor_interface)
        if self.under_scenario_runner and not sets_up_itself:
            self.setup(config)

    @staticmethod
    def get_ros_version() -> int:
        """-1: not a ROS agent."""
        return -1

    def attach_to(self, world: carla.World, ego: carla.Actor) -> None:
        """For hosts that have no CarlaDataProvider: which vehicle this agent drives."""
        self._host = (world, ego)

    def set_global_plan(self, global_plan_gps: GpsPlan, global_plan_world_coord: WorldPlan) -> None:
        """Take the dense route. The base's spacing is the evaluator's rule; scenario_runner has none, so it is ours."""
        if not self.under_scenario_runner:
            super().set_global_plan(global_plan_gps, global_plan_world_coord)
            return
        plans = thin_plans(global_plan_gps, global_plan_world_coord, PLAN_SPACING)
        self._global_plan, self._global_plan_world_coord = plans

    def plan_own_route(self) -> None:
        """Where nobody gives a plan (scenarios without a route): follow the road straight on from where the ego is."""
        world, ego = self._surroundings()
        town = world.get_map()
        self.set_global_plan(*to_global_plans(free_route(town, ego.get_transform()), town))

    def own_instruments(self) -> dict[str, tuple[int, Any]]:
        """Speed and compass as sensor data, read off the ego where the evaluator has no such sensors."""
        return instruments(self._surroundings()[1]) if self.under_scenario_runner else {}

    def _surroundings(self) -> tuple[carla.World, carla.Actor]:
        found = self._host or privileged_world()
        if found is None:
            raise ConfigurationError(
                "no ego vehicle: scenario_runner knows none whose role name is 'hero'; name it so in the scenario, or "
                "call attach_to(world, ego) before the first step"
            )
        return found


def _register_either_way(interface: Any) -> None:
    """Let sensors be registered with their type (leaderboard) and without (scenario_runner)."""
    register = interface.register_sensor
    takes_type = len(inspect.signature(register).parameters) > 2

    def register_sensor(tag: str, *kind_and_sensor: Any) -> None:
        sensor = kind_and_sensor[-1]
        kind = kind_and_sensor[0] if len(kind_and_sensor) > 1 else ""
        register(tag, *((kind, sensor) if takes_type else (sensor,)))

    interface.register_sensor = register_sensor
