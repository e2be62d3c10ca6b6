"""Polygons seen from above."""

from __future__ import annotations

from collections.abc import Sequence

_NO_TURN = 1e-3  # m^2: a corner of this little is straight
_SMALLEST = 0.05  # m^2


def convex(corners: Sequence[Sequence[float]]) -> bool:
    """Whether a polygon has area and turns one way only; corners as x, y (and anything more) in metres."""
    n = len(corners)
    edges = [(corners[(i + 1) % n][0] - corners[i][0], corners[(i + 1) % n][1] - corners[i][1]) for i in range(n)]
    turns = [edges[i - 1][0] * edges[i][1] - edges[i - 1][1] * edges[i][0] for i in range(n)]
    one_way = min(turns) > -_NO_TURN or max(turns) < _NO_TURN
    return one_way and abs(signed_area(corners)) > _SMALLEST


def signed_area(corners: Sequence[Sequence[float]]) -> float:
    """Square metres; positive where the corners turn from x to y."""
    following = [*corners[1:], corners[0]]
    return 0.5 * float(sum(a[0] * b[1] - b[0] * a[1] for a, b in zip(corners, following)))
