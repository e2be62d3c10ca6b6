"""Type a sentence while it drives: each line at the terminal is an instruction, an empty one takes the last back.

The thread waits for input with a time-out and reads the bytes itself. A thread that hangs in ``sys.stdin.readline``
could not be stopped, and Python ends with a fatal error when one still holds the lock of ``sys.stdin`` at exit.
"""

from __future__ import annotations

import contextlib
import logging
import os
import select
import sys
import threading
from typing import TextIO

from linkvla.agent.instruction.interface import CONSOLE
from linkvla.agent.instruction.live import LiveInstructions
from linkvla.model.interface.errors import ConfigurationError

_LOOK_EVERY = 0.2  # s
_READ_BYTES = 4096
_LONGEST_LINE = 4096  # bytes without an end of line that are kept

logger = logging.getLogger(__name__)


class Console:
    """Listens to a stream, by default standard input, until its end or ``close``.

    A stream that is closed or no file is no error: then nobody speaks. A terminal is left alone while the program runs
    in the background, where reading would stop it.
    """

    def __init__(self, live: LiveInstructions, stream: TextIO | None = None) -> None:
        self._live = live
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        stream = sys.stdin if stream is None else stream
        with contextlib.suppress(AttributeError, OSError, ValueError):  # no stdin, a closed one, or not a file
            self._descriptor = stream.fileno()
            self._thread = threading.Thread(target=self._listen, name="linkvla-console", daemon=True)
            self._thread.start()

    @property
    def listening(self) -> bool:
        """Whether a line could still come."""
        return self._thread is not None and self._thread.is_alive()

    def close(self) -> None:
        """Stop listening; may be called more than once."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join()

    def _listen(self) -> None:
        rest = b""
        with contextlib.suppress(OSError, ValueError):  # the stream was closed while we waited
            while not self._stop.is_set():
                ready, _, _ = select.select([self._descriptor], [], [], _LOOK_EVERY)
                if not ready:
                    continue
                if not self._in_foreground():
                    self._stop.wait(_LOOK_EVERY)
                    continue
                piece = os.read(self._descriptor, _READ_BYTES)
                if not piece:
                    break
                *lines, rest = (rest + piece).split(b"\n")
                rest = rest[:_LONGEST_LINE]
                for line in lines:
                    self._say(line)
        if rest:
            self._say(rest)

    def _in_foreground(self) -> bool:
        return not os.isatty(self._descriptor) or os.tcgetpgrp(self._descriptor) == os.getpgrp()

    def _say(self, line: bytes) -> None:
        try:
            self._live.say(line.decode("utf-8", errors="replace"), CONSOLE)
        except ConfigurationError as error:
            logger.warning("not understood: %s", error)
