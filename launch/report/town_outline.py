"""A town's roads as one drawing for pages: outlines of its lanes, taken from the OpenDRIVE map."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np

_DRAWN = ("Driving", "Bidirectional", "Parking", "Shoulder", "Stop", "Entry", "Exit", "OnRamp", "OffRamp", "Biking")
_LONGEST, _FLATNESS = 60.0, 0.25  # m: of a straight piece, and how far it may be off: finer than a page can show

Box = tuple[float, float, float, float]  # x and y of the lowest, x and y of the highest corner, m, world


@dataclass(frozen=True)
class TownOutline:
    """The lanes of a town, as far as they are near the drives."""

    lanes: tuple[np.ndarray, ...]  # (n, 2) m, world: closed outlines
    box: Box


def town_outline(name: str, directories: Sequence[Path], points: Sequence[tuple[float, float]]) -> TownOutline | None:
    """Read a town.

    Args:
        name: of the town.
        directories: folders with further towns.
        points: m, world: what must be on the drawing; the whole town if there are none.

    Returns:
        None for a town whose file is not at hand or damaged: the drives are then drawn without roads.
    """
    lanes = _lanes(name, tuple(directories))
    if not lanes:
        return None
    box = surroundings(points) if points else _bounds(np.concatenate(lanes), 0.0)
    wide = max(box[2] - box[0], box[3] - box[1])  # a drawing is seldom as wide as its place on the page
    around = (box[0] - wide, box[1] - wide, box[2] + wide, box[3] + wide)
    near = tuple(lane for lane in lanes if _meet(_bounds(lane, 0.0), around))
    return TownOutline(near, box)


@lru_cache(maxsize=32)
def _lanes(name: str, directories: tuple[Path, ...]) -> tuple[np.ndarray, ...]:
    """Outlines of all lanes of a town, (n, 2) m each; kept, because a live page draws its towns again and again."""
    from linkvla.launch.sim.errors import TownError
    from linkvla.launch.sim.render.roads import lane_strips, simplify
    from linkvla.launch.sim.world.town_loader import load_town

    try:
        strips = lane_strips(load_town(name, directories))
    except TownError:
        return ()
    lanes = []
    for strip in strips:
        if strip.kind in _DRAWN:
            keep = simplify(np.hstack([strip.left, strip.right]), _LONGEST, _FLATNESS)
            lanes.append(np.concatenate([strip.left[keep, :2], strip.right[keep, :2][::-1]]))
    return tuple(lanes)


def surroundings(points: Sequence[tuple[float, float]], margin: float = 60.0) -> Box:
    """The box around points, with a margin in metres."""
    return _bounds(np.asarray(points, dtype=float), margin)


def _bounds(points: np.ndarray, margin: float) -> Box:
    (left, top), (right, bottom) = points.min(axis=0) - margin, points.max(axis=0) + margin
    return float(left), float(top), float(right), float(bottom)


def _meet(one: Box, other: Box) -> bool:
    return one[0] <= other[2] and other[0] <= one[2] and one[1] <= other[3] and other[1] <= one[3]
