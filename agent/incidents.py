"""What goes wrong while driving, counted, and said in the log once per kind."""

from __future__ import annotations

import logging
from collections import Counter

LOG = logging.getLogger("linkvla.agent")


class Incidents:
    """Of one route. The first of each kind is logged at once, the numbers at the end."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()

    def note(self, kind: str, detail: str, error: BaseException | None = None) -> None:
        """Count one; ``error`` puts its traceback into the log."""
        self.counts[kind] += 1
        if self.counts[kind] == 1:
            LOG.warning("%s: %s (further ones are only counted)", kind, detail, exc_info=error)

    def summarise(self) -> None:
        """Log the numbers, where there are any."""
        if self.counts:
            LOG.warning("this route had %s", ", ".join(f"{kind}: {n}" for kind, n in sorted(self.counts.items())))
