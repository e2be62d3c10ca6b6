"""Plans with sideways jumps, as the leaderboard's tracer makes them to change lanes, as lines to drive. Numpy only."""

from __future__ import annotations

import numpy as np

_PER_METRE_SIDEWAYS = 7.0  # m along the road for each metre sideways
_SHORTEST, _LONGEST = 15.0, 60.0  # m along the road for one change
_ONE_CHANGE = 12  # points; jumps nearer together are driven as one
_STEP = 1.0  # m


def change_spans(jumps: np.ndarray, points: np.ndarray, is_junction: np.ndarray) -> list[tuple[int, int]]:
    """Stretches (first point, last point) over which the jumps of a plan are spread.

    A stretch begins and ends on the plan. It goes forward from its jump as far as it needs, but not into a junction nor
    into the next jump; what lacks there it takes before the jump.

    Args:
        jumps: numbers of the points that are left sideways, ascending.
        points: (n, 2) m.
        is_junction: (n,) bool.
    """
    groups = np.split(jumps, np.flatnonzero(np.diff(jumps) > _ONE_CHANGE) + 1)
    spans: list[tuple[int, int]] = []
    for number, group in enumerate(groups):
        leave, arrive = int(group[0]), int(group[-1]) + 1
        sideways = float(np.hypot(*(points[arrive] - points[leave])))
        wanted = round(min(_LONGEST, max(_SHORTEST, _PER_METRE_SIDEWAYS * sideways)) / _STEP)
        latest = int(groups[number + 1][0]) if number + 1 < len(groups) else len(points) - 1
        ahead = np.flatnonzero(is_junction[arrive : latest + 1])
        latest = arrive + int(ahead[0]) if len(ahead) else latest
        last = max(arrive, min(arrive + wanted, latest))
        earliest = spans[-1][1] if spans else 0
        spans.append((min(leave, max(earliest, leave - (wanted - (last - arrive)))), last))
    return spans


def spread(points: np.ndarray, yaw: np.ndarray, spans: list[tuple[int, int]]) -> tuple[np.ndarray, np.ndarray]:
    """The plan with each stretch replaced by a cubic that leaves and joins it in its own direction.

    Args:
        points: (n, 3) m.
        yaw: (n,) rad, direction of the road at each point.
        spans: from ``change_spans``.

    Returns:
        (m, 3) points about a metre apart, and (m,) the number of the plan's point that each stands for.
    """
    pieces, sources, done = [], [], 0
    for first, last in spans:
        pieces.append(points[done : first + 1])
        sources.append(np.arange(done, first + 1))
        chord = float(np.hypot(*(points[last, :2] - points[first, :2])))
        share = np.linspace(0.0, 1.0, max(2, round(chord / _STEP)) + 1)[1:-1, None]
        pieces.append(cubic(points[first], points[last], chord, yaw[[first, last]], share))
        sources.append(np.rint(first + share[:, 0] * (last - first)).astype(int))
        done = last
    pieces.append(points[done:])
    sources.append(np.arange(done, len(points)))
    return np.concatenate(pieces), np.concatenate(sources)


def cubic(start: np.ndarray, end: np.ndarray, length: float, headings: np.ndarray, share: np.ndarray) -> np.ndarray:
    """Places on the cubic that leaves ``start`` and joins ``end`` in given directions.

    Args:
        start, end: (d,) m, d = 2 or 3; the directions are level.
        length: m, of the tangents; the distance between the two is a good one.
        headings: (2,) rad, at start and end.
        share: (k, 1) 0..1, where between the two.

    Returns:
        (k, d) m.
    """
    depart, arrive = (length * np.array([np.cos(heading), np.sin(heading), 0.0])[: len(start)] for heading in headings)
    return (
        (2 * share**3 - 3 * share**2 + 1) * start
        + (share**3 - 2 * share**2 + share) * depart
        + (3 * share**2 - 2 * share**3) * end
        + (share**3 - share**2) * arrive
    )
