"""The server's log: one line per event on standard error, with the time of day and the level."""

from __future__ import annotations

import logging
import sys
import time

PACKAGE = "linkvla.launch.sim"
QUIET_S = 10.0  # what repeats itself within this time is counted, not shown
_MOST_KEPT = 256  # different messages that are remembered


class RepeatFilter(logging.Filter):
    """Lets a kind of warning through once in ``QUIET_S`` seconds, and then says how many more there were.

    A traffic script that tries a hundred taken spawn points should cost one line. A kind is a message's template with
    its first argument (the name of an RPC method); information and errors always pass.
    """

    def __init__(self) -> None:
        super().__init__()
        self._seen: dict[tuple[str, str], tuple[float, int]] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Called by logging."""
        if record.levelno != logging.WARNING:
            return True
        first = record.args[0] if isinstance(record.args, tuple) and record.args else ""
        kind, now = (str(record.msg), str(first)), time.monotonic()
        since, hidden = self._seen.get(kind, (-QUIET_S, 0))
        if now - since < QUIET_S:
            self._seen[kind] = since, hidden + 1
            return False
        if hidden:
            record.msg = f"{record.msg} (and {hidden} like it before)"
        if len(self._seen) >= _MOST_KEPT:
            self._seen.clear()
        self._seen[kind] = now, 0
        return True


class _Lines(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        record.levelname = record.levelname.lower()
        return super().format(record)


def open_log(level: str) -> None:
    """Send the server's log to standard error.

    Args:
        level: the least that is shown: debug, info, warning or error.
    """
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_Lines("%(asctime)s %(levelname)-7s %(message)s", "%H:%M:%S"))
    handler.addFilter(RepeatFilter())
    logger = logging.getLogger(PACKAGE)
    logger.handlers = [handler]
    logger.setLevel(level.upper())
    logger.propagate = False
