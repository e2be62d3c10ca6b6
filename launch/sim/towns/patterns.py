"""Regular street patterns that layouts start from."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Sequence
from itertools import pairwise

from linkvla.launch.sim.towns.layout import Layout, Profile

Cell = tuple[int, int]


def cell_name(cell: Cell) -> str:
    """Name of a grid junction: column letter, row number."""
    return f"{chr(ord('a') + cell[0])}{cell[1]}"


def grid(
    town: Layout,
    xs: Sequence[float],
    ys: Sequence[float],
    profile: Callable[[Cell, Cell], Profile],
    jitter: float = 0.0,
    height: Callable[[float, float], float] = lambda x, y: 0.0,
    radius: float = 24.0,
) -> None:
    """Adds a grid of streets with rounded outer corners (so that nothing ends blindly).

    Args:
        town: the layout to add to; junctions are named by :func:`cell_name`.
        xs, ys: coordinates of the columns and rows, m.
        profile: cross-section of the street between two neighbouring cells.
        jitter: largest displacement of a junction, m.
        height: ground height at a point, m.
        radius: of the outer corners, m.
    """
    chance = random.Random(f"{town.name}-{town.seed}-grid")
    last = (len(xs) - 1, len(ys) - 1)
    corners = {(0, 0), (0, last[1]), (last[0], 0), last}
    places: dict[Cell, tuple[float, float]] = {}
    for i, x in enumerate(xs):
        for j, y in enumerate(ys):
            places[i, j] = (x + chance.uniform(-jitter, jitter), y + chance.uniform(-jitter, jitter))
            if (i, j) not in corners:
                px, py = places[i, j]
                town.node(cell_name((i, j)), px, py, z=round(height(px, py), 2))
    for i in range(len(xs)):
        for j in range(len(ys)):
            for other in ((i + 1, j), (i, j + 1)):
                if other in places and not corners & {(i, j), other}:
                    town.road(cell_name((i, j)), cell_name(other), profile((i, j), other))
    for i, j in sorted(corners):
        across, along = (i + (1 if i == 0 else -1), j), (i, j + (1 if j == 0 else -1))
        street = profile((i, j), along)
        town.road(cell_name(across), cell_name(along), street, places[i, j], radius=radius)


def ring(
    town: Layout,
    names: Sequence[str],
    angles: Sequence[float],
    radius: float,
    profile: Profile,
    centre: tuple[float, float] = (0.0, 0.0),
    control: str = "none",
    z: float = 0.0,
) -> None:
    """Adds a circular road through the junctions ``names`` at ``angles`` (degrees, rising)."""

    def at(angle: float, distance: float) -> tuple[float, float]:
        turn = math.radians(angle)
        return (centre[0] + distance * math.cos(turn), centre[1] + distance * math.sin(turn))

    for name, angle in zip(names, angles):
        town.node(name, *at(angle, radius), control, z=z)
    closed = [*zip(names, angles), (names[0], angles[0] + 360.0)]
    for (first, start), (second, end) in pairwise(closed):
        parts = math.ceil((end - start) / 60.0)
        step = (end - start) / parts
        via = [at(start + step * (k + 0.5), radius / math.cos(math.radians(step / 2))) for k in range(parts)]
        town.road(first, second, profile, *via, radius=radius)
