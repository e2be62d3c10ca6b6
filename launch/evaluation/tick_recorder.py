"""The record of a drive whose agent keeps none, from what the route runner sees; the format is the recorder's."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from linkvla.agent.recorder import Recorder, TickRecord

if TYPE_CHECKING:
    from linkvla.launch.evaluation.tick_view import TickView


class TickRecorder:
    """Records ticks of the route runner.

    Args:
        folder: see ``Recorder``.
        agent: who drives.
    """

    def __init__(self, folder: Path, agent: str) -> None:
        self._recorder = Recorder(folder, {"agent": agent, "settings": {}, "camera": None})
        self._agent = agent
        self._first_time: float | None = None

    def add(self, tick: TickView) -> None:
        """Write a tick."""
        if self._first_time is None:
            self._first_time = tick.simulated_seconds
        x, y, _, yaw = tick.ego_pose
        control = tick.control
        record = TickRecord(
            tick=tick.tick - 1,
            time=tick.simulated_seconds - self._first_time,
            pose=(x, y, yaw),
            speed=tick.speed,
            control=(control.throttle, control.steer, control.brake),
            source=self._agent,
            route=tick.route_percent,
            command=tick.command,
            plan=tick.plan,
        )
        self._recorder.record(record)

    def close(self) -> None:
        """End the record."""
        self._recorder.close()
