"""An agent as the leaderboard handles it: construct, plan, setup, sensors, one call per tick, destroy."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator
from typing import Any

import carla

from linkvla.agent.autonomous_agent import AutonomousAgent
from linkvla.agent.environment import save_folder
from linkvla.agent.metric_info import FILE_NAME, MetricInfoFile
from linkvla.agent.navigation.road_graph import to_global_plans
from linkvla.agent.sensor_rig import SensorRig
from linkvla.launch.evaluation import records
from linkvla.launch.evaluation.run_settings import RunSettings
from linkvla.launch.evaluation.sensor_setup import SensorError, check_sensors
from linkvla.launch.evaluation.stage import Stage
from linkvla.model.interface.errors import CheckpointError, ConfigurationError, ServerError

MakeAgent = Callable[[str, int], Any]
"""``make_agent(host, port)`` returns a new AutonomousAgent."""


class RouteFailure(Exception):
    """The route has to stop; ``reason`` is one of the leaderboard's (see ``records``)."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class AgentHost:
    """Owns the agent of one route.

    Args:
        make_agent: constructor of the agent.
        host, port: of the simulator, for the agent's constructor.
        stage: the scene.
        settings: how the route is run.
    """

    def __init__(self, make_agent: MakeAgent, host: str, port: int, stage: Stage, settings: RunSettings) -> None:
        self._make_agent = make_agent
        self._host, self._port = host, port
        self._stage = stage
        self._settings = settings
        self._rig: SensorRig | None = None
        folder = save_folder()
        self._metrics = None if folder is None else MetricInfoFile(folder / FILE_NAME)
        self.agent: Any = None
        self.specs: list[dict] = []

    def prepare(self) -> None:
        """Construct and set up the agent; to be called once.

        Raises:
            RouteFailure: the agent cannot be set up, or asks for sensors that it may not have.
            CheckpointError, ConfigurationError: from the agent's setup; the user has to put this right.
        """
        stage, settings = self._stage, self._settings
        with _blame(records.AGENT_SETUP, for_the_user=(CheckpointError, ConfigurationError)):
            self.agent = self._make_agent(self._host, self._port)
            if hasattr(self.agent, "set_world"):
                self.agent.set_world(stage.world, stage.ego)
            gps_plan, world_plan = to_global_plans(stage.dense, stage.map)
            self.agent.set_global_plan(gps_plan, world_plan)
            self.agent.setup(settings.agent_config)
            self.specs = list(self.agent.sensors())
        try:
            check_sensors(self.specs, settings.track)
        except SensorError as error:
            raise RouteFailure(records.SENSORS_INVALID) from error

    @property
    def rig(self) -> SensorRig:
        """The spawned sensors."""
        if self._rig is None:
            stage = self._stage
            self._rig = SensorRig(stage.world, stage.ego, self.specs, self.agent.sensor_interface)
        return self._rig

    def act(self, timestamp: carla.Timestamp) -> carla.VehicleControl:
        """One decision; all sensor data of the tick must be there.

        Raises:
            RouteFailure: the agent raised, or returned something that is not a control.
        """
        _tell_leaderboard(timestamp)
        with _blame(records.AGENT_CRASHED):
            if isinstance(self.agent, AutonomousAgent):
                control = self.agent(timestamp.frame, timestamp.elapsed_seconds)
            else:
                control = self.agent()
            if not isinstance(control, carla.VehicleControl):
                raise TypeError(f"the agent returned {type(control).__name__}, expected carla.VehicleControl")
        self._measure()
        return control

    def _measure(self) -> None:
        """Note how the ego moves, for Bench2Drive's comfortness, whoever drives. A full disk must not cost the route:
        the scores say which routes have no metrics.
        """
        if self._metrics is not None:
            with contextlib.suppress(OSError):
                self._metrics.add(motion(self._stage.ego))

    def close(self) -> None:
        """Remove the sensors, then destroy the agent; what the agent raises then is of no consequence any more."""
        if self._metrics is not None:
            with contextlib.suppress(OSError):
                self._metrics.write()
        if self._rig is not None:
            self._rig.close()
        if self.agent is not None:
            with contextlib.suppress(Exception):
                self.agent.destroy()
        self._rig = self.agent = None


def motion(ego: carla.Actor) -> dict[str, list[float]]:
    """An entry of ``metric_info.json``, as Bench2Drive's base class measures it: world frame, m/s^2, deg/s, m, deg."""
    transform, acceleration, turning = ego.get_transform(), ego.get_acceleration(), ego.get_angular_velocity()
    place, rotation = transform.location, transform.rotation
    ahead, right = transform.get_forward_vector(), transform.get_right_vector()
    return {
        "acceleration": [acceleration.x, acceleration.y, acceleration.z],
        "angular_velocity": [turning.x, turning.y, turning.z],
        "forward_vector": [ahead.x, ahead.y, ahead.z],
        "right_vector": [right.x, right.y, right.z],
        "location": [place.x, place.y, place.z],
        "rotation": [rotation.roll, rotation.pitch, rotation.yaw],
    }


@contextlib.contextmanager
def _blame(reason: str, for_the_user: tuple[type[Exception], ...] = ()) -> Iterator[None]:
    """Turn what the agent raises into a ``RouteFailure``, save for errors that only the user can put right."""
    try:
        yield
    except for_the_user:
        raise
    except Exception as error:
        silent = isinstance(error, ServerError) or type(error).__name__ == "SensorReceivedNoData"
        # The privileged agent reads the world too; the client's time-outs are the simulator's fault.
        timed_out = isinstance(error, RuntimeError) and "time-out of" in str(error)
        raise RouteFailure(records.SIMULATION_CRASHED if silent or timed_out else reason) from error


def _tell_leaderboard(timestamp: carla.Timestamp) -> None:
    """Agents on the leaderboard's own base class read frame and time from scenario_runner's clock."""
    timer = sys.modules.get("srunner.scenariomanager.timer")
    if timer is not None:
        timer.GameTime.on_carla_tick(timestamp)
