"""Turn the sideways jumps of a traced route into lane changes that can be driven. Numpy only."""

from __future__ import annotations

import numpy as np

_LENGTH = 25  # samples (metres) over which a change is spread


def blend_lane_changes(arrays: dict[str, np.ndarray], change: np.ndarray) -> list[tuple[int, int, int]]:
    """Spread each sideways jump over up to 25 m, in place.

    Args:
        arrays: columns of the route, samples one metre apart; ``x``, ``y`` (world, m) and ``yaw`` (rad) are changed.
        change: (n,) int; a lane-change command at the first sample in the new lane, 0 elsewhere.

    Returns:
        (first sample, last sample, command) of each change.
    """
    jumps = np.flatnonzero(change)
    spans = []
    for number, jump in enumerate(jumps):
        # Neither into a junction nor into the next change; where room ahead lacks, start before the jump.
        latest = jumps[number + 1] - 1 if number + 1 < len(jumps) else len(change) - 1
        inside = np.flatnonzero(arrays["is_junction"][jump : latest + 1])
        latest = jump + inside[0] - 1 if len(inside) else latest
        last = int(max(jump, min(jump + _LENGTH, latest)))
        earliest = spans[-1][1] if spans else 0
        before = np.flatnonzero(arrays["is_junction"][earliest:jump])
        earliest = earliest + before[-1] + 1 if len(before) else earliest
        first = int(min(jump - 1, max(earliest, last - _LENGTH)))
        _spread(arrays, first, int(jump), last)
        spans.append((first, last, int(change[jump])))
    return spans


def _spread(arrays: dict[str, np.ndarray], first: int, jump: int, last: int) -> None:
    """Distribute the sideways part of the jump over the samples first..last."""
    x, y, yaw = arrays["x"], arrays["y"], arrays["yaw"]
    side = -np.sin(yaw[jump]) * (x[jump] - x[jump - 1]) + np.cos(yaw[jump]) * (y[jump] - y[jump - 1])
    span = np.arange(first, last + 1)
    share = (span - first) / max(last - first, 1)
    done = share * share * (3.0 - 2.0 * share)  # smoothstep: no kink at either end
    offset = side * (done - (span >= jump))
    x[span] += -np.sin(yaw[span]) * offset
    y[span] += np.cos(yaw[span]) * offset
    yaw[span] += np.arctan(side * 6.0 * share * (1.0 - share) / max(last - first, 1))
