"""Where all that is said to the car comes together.

Precedence: what is said while it drives (console, endpoint, script; of these the last word) goes before the timeline.
While a live instruction is in force the timeline's entries still begin and end, unheard; when it is taken back, or its
duration is over, the timeline's entry of that moment is heard. With neither, navigation alone drives.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from linkvla.agent.instruction.console import Console
from linkvla.agent.instruction.endpoint import Endpoint
from linkvla.agent.instruction.interface import SCRIPT, Instruction, Moment
from linkvla.agent.instruction.live import LiveInstructions
from linkvla.agent.instruction.timeline import Entry, Timeline
from linkvla.agent.instruction.timeline_file import read_timeline

if TYPE_CHECKING:
    from linkvla.agent.recorder import TickRecord


class InstructionDesk:
    """The instructions of one drive.

    Args:
        timeline: entries, see ``timeline_file``.
        console: listen to standard input.
        port: of the endpoint on 127.0.0.1; None for no endpoint.

    Raises:
        ConfigurationError: the port is taken.
    """

    def __init__(self, timeline: Sequence[Entry] = (), *, console: bool = False, port: int | None = None) -> None:
        self._timeline = Timeline(timeline)
        self._live = LiveInstructions()
        self._open = ExitStack()
        self._endpoint: Endpoint | None = None
        if port is not None:
            self._endpoint = Endpoint(self._live, port)
            self._open.callback(self._endpoint.close)
        if console:
            self._open.callback(Console(self._live).close)

    @classmethod
    def opened(cls, timeline: str = "", *, console: bool = False, listen: int = 0) -> InstructionDesk:
        """From an agent's options: a file's name or "", and a port or 0. Raises ConfigurationError for bad ones."""
        entries = read_timeline(Path(timeline)) if timeline else ()
        return cls(entries, console=console, port=listen or None)

    @property
    def address(self) -> str | None:
        """URL of the endpoint."""
        return None if self._endpoint is None else self._endpoint.address

    def current(self, now: Moment) -> Instruction | None:
        """The instruction at this moment; to be asked on every tick."""
        planned = self._timeline.current(now)
        return self._live.current(now.time) or planned

    def say(self, text: str, duration: float | None = None) -> None:
        """Give an instruction from the program, as ``LiveInstructions.say``."""
        self._live.say(text, SCRIPT, duration)

    def publish(self, tick: TickRecord) -> None:
        """Show a tick at the endpoint."""
        if self._endpoint is not None:
            self._endpoint.publish(tick)

    def close(self) -> None:
        """Stop listening; may be called more than once."""
        self._open.close()
