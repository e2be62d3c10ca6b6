"""Who sits beside the car: tells it what to do, and writes down what it did."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from linkvla.agent.environment import save_folder
from linkvla.agent.instruction.desk import InstructionDesk
from linkvla.agent.instruction.interface import Instruction, Moment
from linkvla.agent.localization.state_estimator import EgoState
from linkvla.agent.navigation.route_planner import Guidance
from linkvla.agent.recorder import Recorder, TickRecord
from linkvla.agent.settings import AgentSettings
from linkvla.model.interface.errors import ConfigurationError
from linkvla.model.interface.types import Plan

if TYPE_CHECKING:
    import carla


class Passenger:
    """The instructions and the record of one drive, from an agent's options.

    Args:
        settings: of the agent.
        camera: the rig of the checkpoint, with ``as_dict``.

    Raises:
        ConfigurationError: a timeline that cannot be read, a folder that cannot be written to or that nobody has named,
            a port that is taken.
    """

    def __init__(self, settings: AgentSettings, camera: Any) -> None:
        self._recorder: Recorder | None = None
        self._ticks = 0
        self._first_time: float | None = None
        self._now: Moment | None = None
        self._heard: Instruction | None = None
        self._said_under: str | None = None  # the instruction that was in force then
        self.said = ""  # what the network said last, while it was told the same
        self.desk = InstructionDesk.opened(settings.instructions, console=settings.console, listen=settings.listen)
        try:
            if settings.record:
                header = {"agent": settings.checkpoint, "settings": asdict(settings), "camera": camera.as_dict()}
                self._recorder = Recorder(_folder(settings.record), header, settings.record_pictures)
        except BaseException:
            self.desk.close()
            raise

    def instruct(self, timestamp: float, state: EgoState, route: float | None) -> Instruction | None:
        """What the car is told on this tick.

        Args:
            timestamp: simulated seconds.
            state: where it is.
            route: % of its route; None where there is none.
        """
        if self._first_time is None:
            self._first_time = timestamp
        time = timestamp - self._first_time
        driven = 0.0
        if self._now is not None:
            driven = self._now.driven + state.speed * (time - self._now.time)
        self._now = Moment(time, driven, state.x, state.y, route)
        self._heard = self.desk.current(self._now)
        return self._heard

    def note(
        self,
        state: EgoState,
        guidance: Guidance,
        plan: Plan | None,
        image: np.ndarray | None,
        control: carla.VehicleControl,
        source: str,
        timing: Mapping[str, float],
    ) -> None:
        """Write down this tick, after ``instruct``: what was planned and done, and what it took in milliseconds."""
        tick = TickRecord(
            tick=self._ticks,
            time=self._now.time,
            pose=(state.x, state.y, state.yaw),
            speed=state.speed,
            control=(control.throttle, control.steer, control.brake),
            source=source,
            driven=self._now.driven,
            route=self._now.route,
            command=guidance.command,
            next_command=guidance.next_command,
            distance=guidance.distance,
            targets=state.to_ego(guidance.target_points_in_world),
            instruction=None if self._heard is None else self._heard.text,
            instruction_from=None if self._heard is None else self._heard.source,
            plan=plan,
            milliseconds={name.removesuffix("_ms"): spent for name, spent in timing.items()},
            image=image,
        )
        self._ticks += 1
        if plan is not None and plan.language:
            self.said, self._said_under = plan.language, tick.instruction
        elif tick.instruction != self._said_under:
            self.said = ""
        self.desk.publish(tick)
        if self._recorder is not None:
            self._recorder.record(tick)

    def close(self) -> None:
        """Stop listening, and end the record."""
        self.desk.close()
        if self._recorder is not None:
            self._recorder.close()


def _folder(record: str) -> Path:
    """Where the record goes."""
    if record != "auto":
        return Path(record)
    folder = save_folder()
    if folder is None:
        raise ConfigurationError("record=auto records into the folder that SAVE_PATH names; set it, or name a folder")
    return folder
