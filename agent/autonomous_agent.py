"""Our own base of driving agents, with the contract of the CARLA leaderboard's ``AutonomousAgent``.

An evaluator makes an agent for each route and calls, in this order: the constructor, ``set_global_plan``, ``setup``,
``sensors``; then the agent itself on every tick; at the end ``destroy``. Sensor data arrive in the meantime, from any
thread, in ``sensor_interface``.
"""

from __future__ import annotations

import threading
from enum import Enum
from typing import Any

import carla

from linkvla.agent.navigation.plan_formats import GpsPlan, WorldPlan, thin_plans
from linkvla.model.interface.errors import ConfigurationError, ServerError

PLAN_SPACING = 50.0
"""Metres between the points of the plan that agents see (Bench2Drive)."""

_TICK = 0.05  # s
_KEPT_FRAMES = 8


class Track(Enum):
    """What an agent may use (the leaderboard's tracks)."""

    SENSORS = "SENSORS"
    MAP = "MAP"
    SENSORS_QUALIFIER = "SENSORS_QUALIFIER"
    MAP_QUALIFIER = "MAP_QUALIFIER"


class SensorInterface:
    """Collects the data of all sensors of an agent, frame by frame. Thread-safe."""

    def __init__(self) -> None:
        self._sensors: dict[str, Any] = {}
        self._frames: dict[int, dict[str, tuple[int, Any]]] = {}
        self._taken = -1
        self._condition = threading.Condition()

    def register_sensor(self, tag: str, sensor_type: str, sensor: Any) -> None:
        """Announce a sensor; raises ConfigurationError for an id used twice."""
        if tag in self._sensors:
            raise ConfigurationError(f"sensor id {tag!r} is used twice; give every sensor in sensors() its own id")
        self._sensors[tag] = (sensor_type, sensor)

    def update_sensor(self, tag: str, data: Any, frame: int) -> None:
        """Deliver what sensor ``tag`` measured in ``frame``; raises ConfigurationError for an unknown sensor."""
        if tag not in self._sensors:
            known = ", ".join(sorted(self._sensors)) or "none"
            raise ConfigurationError(f"data of unknown sensor {tag!r}; registered are: {known}")
        with self._condition:
            if frame <= self._taken:
                return
            self._frames.setdefault(frame, {})[tag] = (frame, data)
            while len(self._frames) > _KEPT_FRAMES:
                del self._frames[min(self._frames)]
            self._condition.notify_all()

    def get_data(self, frame: int | None = None, timeout: float = 60.0) -> dict[str, tuple[int, Any]]:
        """Data of all sensors, {id: (frame, payload)}.

        Args:
            frame: the frame wanted; by default the newest that all sensors have delivered and nobody has taken.
            timeout: seconds to wait.

        Raises:
            ServerError: the data did not arrive in time.
        """
        if not self._sensors:
            return {}
        with self._condition:
            if not self._condition.wait_for(lambda: self._complete(frame) is not None, timeout):
                newest = self._frames.get(frame if frame is not None else max(self._frames, default=-1), {})
                missing = ", ".join(sorted(set(self._sensors) - set(newest)))
                raise ServerError(f"no data of {missing} within {timeout:g} s; check that the simulator still ticks")
            found = self._complete(frame)
            data = self._frames[found]
            self._taken = max(self._taken, found)
            self._frames = {number: held for number, held in self._frames.items() if number > found}
            return data

    def _complete(self, frame: int | None) -> int | None:
        """The frame asked for, if all sensors have delivered it."""
        wanted = sorted(self._frames, reverse=True) if frame is None else [frame]
        return next((one for one in wanted if len(self._frames.get(one, ())) == len(self._sensors)), None)


class AutonomousAgent:
    """Base of all agents; subclasses define ``setup``, ``sensors`` and ``run_step``."""

    def __init__(self, carla_host: str, carla_port: int, debug: bool = False) -> None:
        self.track = Track.SENSORS
        self.sensor_interface = SensorInterface()
        self._global_plan: GpsPlan | None = None
        self._global_plan_world_coord: WorldPlan | None = None
        self._ticks = 0

    @staticmethod
    def get_ros_version() -> int:
        """-1: not a ROS agent."""
        return -1

    def set_global_plan(self, global_plan_gps: GpsPlan, global_plan_world_coord: WorldPlan) -> None:
        """Take the dense route in both formats; keeps the points that the leaderboard's rule keeps at 50 m."""
        plans = thin_plans(global_plan_gps, global_plan_world_coord, PLAN_SPACING)
        self._global_plan, self._global_plan_world_coord = plans

    def setup(self, path_to_conf_file: str) -> None:
        """Read the configuration and load what driving needs; must set ``self.track``."""
        raise NotImplementedError

    def sensors(self) -> list[dict[str, Any]]:
        """Sensor specifications; may be called more than once."""
        return []

    def run_step(self, input_data: dict[str, tuple[int, Any]], timestamp: float) -> carla.VehicleControl:
        """The control for this tick; ``timestamp`` in simulated seconds."""
        raise NotImplementedError

    def destroy(self) -> None:
        """Free what ``setup`` took."""

    def __call__(self, frame: int | None = None, timestamp: float | None = None) -> carla.VehicleControl:
        """One tick on the data of ``frame`` (by default the newest complete one)."""
        data = self.sensor_interface.get_data(frame)
        control = self.run_step(data, self._ticks * _TICK if timestamp is None else timestamp)
        control.manual_gear_shift = False
        self._ticks += 1
        return control
