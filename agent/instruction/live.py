"""What is said while the car drives. Any thread may speak; the driving thread asks once a tick."""

from __future__ import annotations

import threading
from dataclasses import dataclass

from linkvla.agent.instruction.interface import Instruction, check_duration, clean_text


@dataclass
class _Word:
    text: str
    source: str
    duration: float | None  # s; None: until further notice
    since: float | None = None  # s, once the driving thread has heard it


class LiveInstructions:
    """The last word counts, whoever spoke it; it holds until the next, until it is taken back, or for its duration."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._word: _Word | None = None

    def say(self, text: str, source: str, duration: float | None = None) -> None:
        """Give an instruction; "" takes the last one back.

        Args:
            text: one sentence.
            source: who speaks, see ``interface``.
            duration: seconds of simulated time, from the tick that hears it.

        Raises:
            ConfigurationError: the text is no short plain sentence, or the duration is not above 0.
        """
        text = clean_text(text)
        word = _Word(text, source, None if duration is None else check_duration(duration)) if text else None
        with self._lock:
            self._word = word

    def current(self, time: float) -> Instruction | None:
        """The instruction at a simulated time, s."""
        with self._lock:
            word = self._word
            if word is None:
                return None
            if word.since is None:
                word.since = time
            if word.duration is not None and time - word.since >= word.duration:
                self._word = None
                return None
            return Instruction(word.text, word.source, word.since)
