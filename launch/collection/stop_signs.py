"""When a stop sign holds the ego, for a teacher of networks without memory.

Such a network cannot know that it has stopped, so neither may its teacher: standing close to the line, or being about
to cross it, counts as having stopped.
"""

from __future__ import annotations

SHIFT = 1.4
"""Metres before its line that a sign holds the ego, so that the stop comes before the free zone."""

_FREE_ZONE = 1.6  # m before a stop line, in which a car is taken to have stopped already
_CLEARED_WITHIN = 4.0  # m; a car standing this near to the line has made its stop
_STANDING = 0.15  # m/s


def holds(gap: float, speed: float) -> bool:
    """Whether a sign holds an ego at ``speed`` (m/s), whose front bumper is ``gap`` metres before the line."""
    return gap > _FREE_ZONE and not (speed < _STANDING and gap < _CLEARED_WITHIN)
