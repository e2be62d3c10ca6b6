"""Shares of successes and how sure they are."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Rate:
    """A share of successes, in percent, with its binomial standard error."""

    successes: int
    count: int

    @property
    def percent(self) -> float:
        """0..100, NaN when nothing was tried."""
        return 100.0 * self.successes / self.count if self.count else math.nan

    @property
    def standard_error(self) -> float:
        """Percentage points."""
        if not self.count:
            return math.nan
        share = self.successes / self.count
        return 100.0 * math.sqrt(share * (1.0 - share) / self.count)

    @classmethod
    def of(cls, outcomes: Sequence[bool]) -> Rate:
        """The rate of some outcomes."""
        return cls(sum(map(bool, outcomes)), len(outcomes))

    def as_dict(self) -> dict[str, float | int | None]:
        """Plain values for JSON."""
        return {
            "percent": self.percent,
            "standard_error": self.standard_error,
            "successes": self.successes,
            "count": self.count,
        }
