"""Sidewalks of a town as long bands: the sidewalk lanes of the file, joined end to end.

All lengths are metres, all places CARLA world.
"""

from __future__ import annotations

import math
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from linkvla.launch.sim.navmesh.shapes import convex
from linkvla.launch.sim.world.ground import KERB
from linkvla.launch.sim.world.opendrive import tree
from linkvla.launch.sim.world.superelevation import Superelevation
from linkvla.launch.sim.world.town import Town

STEP = 2.0  # between cross-sections asked of the map
LONGEST_LANES = 200e3  # of all sidewalks together: sampling more would take a minute
FLATNESS = 0.08  # how far a band's edge may cut a bend
LONGEST_PIECE = 40.0
_KEEP_OFF = 0.3  # from a sidewalk's edges, as walkers are that wide; a quarter of the width on narrow ones
_JOIN_NEAR = 4.0  # two loose ends this near each other lead on into each other
_SAME_PLACE = 0.5  # ends this near are one cross-section


@dataclass(frozen=True)
class Band:
    """A walkable band: cross-sections along it, from ``sides[0][i]`` to ``sides[1][i]``."""

    sides: np.ndarray  # (2, n, 3)
    closed: bool = False  # the last cross-section repeats the first

    def at(self, side: int, u: float) -> np.ndarray:
        """(3,) point of a side at ``u``, the number of a cross-section and a fraction of the way to the next."""
        i = min(int(u), self.sides.shape[1] - 2)
        return self.sides[side, i] + (u - i) * (self.sides[side, i + 1] - self.sides[side, i])


def sidewalk_bands(town: Town) -> list[Band]:
    """All sidewalks of a town; empty where the file has none, or more than ``LONGEST_LANES`` of them."""
    root = tree(town.xodr)
    lanes = [lane for road in root.findall("road") for lane in sidewalk_lanes(road)]
    if sum(end - start for _, _, start, end in lanes) > LONGEST_LANES:
        return []
    leaning = Superelevation(town.xodr)
    bands = [band for lane in lanes if (band := _band(town, leaning, *lane)) is not None]
    return [_simplified(band) for band in _chained(bands)]


def sidewalk_lanes(road: ElementTree.Element) -> Iterator[tuple[int, int, float, float]]:
    """(road id, lane id, first and last s in metres) of a road's sidewalk lanes, section by section."""
    sections = road.findall("lanes/laneSection")
    starts = [float(section.get("s", "0")) for section in sections] + [float(road.get("length", "0"))]
    for section, start, end in zip(sections, starts, starts[1:]):
        if end - start < 0.05:
            continue
        for lane in section.iter("lane"):
            if lane.get("type") == "sidewalk" and lane.get("id", "0") != "0":
                yield int(road.get("id", "0")), int(lane.get("id", "0")), start + 1e-3, end - 1e-3


def _band(town: Town, leaning: Superelevation, road_id: int, lane_id: int, start: float, end: float) -> Band | None:
    places, across = [], []
    for s in np.linspace(start, end, max(1, math.ceil((end - start) / STEP)) + 1).tolist():
        waypoint = town.map.get_waypoint_xodr(road_id, lane_id, s)
        if waypoint is None or waypoint.lane_width < 0.2:
            continue
        transform, width = waypoint.transform, waypoint.lane_width
        half = width / 2.0 - min(_KEEP_OFF, width / 4.0)
        yaw = math.radians(transform.rotation.yaw)
        lift, slope = leaning.tilt(waypoint)
        places.append((transform.location.x, transform.location.y, transform.location.z + lift + KERB))
        across.append((-math.sin(yaw) * half, math.cos(yaw) * half, slope * half))
    if len(places) < 2:
        return None
    centre, right = np.array(places), np.array(across)
    return Band(np.stack([centre - right, centre + right]))


def _chained(bands: list[Band]) -> list[Band]:
    """Bands joined wherever two ends meet; every end is joined once, to the nearest."""
    ends = np.array([band.sides[:, i].mean(axis=0) for band in bands for i in (0, -1)]).reshape(-1, 3)
    partner: dict[int, int] = {}
    for a, b in _near_pairs(ends):
        if a not in partner and b not in partner:
            partner[a], partner[b] = b, a
    used: set[int] = set()
    # Chains are walked from their loose ends; what is left over afterwards are rings.
    order = [*(end for end in range(len(ends)) if end not in partner), *range(len(ends))]
    return [_walk(bands, partner, end, used) for end in order if end // 2 not in used]


def _near_pairs(ends: np.ndarray) -> list[tuple[int, int]]:
    """Pairs of ends of different bands within ``_JOIN_NEAR``, nearest first; ends are sorted along x to find them."""
    order = np.argsort(ends[:, 0], kind="stable")
    pairs = []
    for rank, a in enumerate(order.tolist()):
        for b in order[rank + 1 :].tolist():
            if ends[b, 0] - ends[a, 0] > _JOIN_NEAR:
                break
            distance = float(np.linalg.norm(ends[a] - ends[b]))
            if distance <= _JOIN_NEAR and a // 2 != b // 2:
                pairs.append((distance, min(a, b), max(a, b)))
    return [(a, b) for _, a, b in sorted(pairs)]


def _walk(bands: list[Band], partner: dict[int, int], start: int, used: set[int]) -> Band:
    """The chain that begins at an end (2 * band, + 1 for the band's last cross-section)."""
    pieces: list[np.ndarray] = []
    end: int | None = start
    while end is not None and end // 2 not in used:
        used.add(end // 2)
        sides = bands[end // 2].sides
        if end % 2:  # walked the other way, what was left is right
            sides = sides[::-1, ::-1]
        if pieces:
            last = pieces[-1][:, -1]
            straight = np.linalg.norm(last - sides[:, 0], axis=1).sum()
            if np.linalg.norm(last - sides[::-1, 0], axis=1).sum() < straight:
                sides = sides[::-1]
            if np.linalg.norm((last - sides[:, 0]).mean(axis=0)) < _SAME_PLACE:
                sides = sides[:, 1:]
        pieces.append(sides)
        end = partner.get(end ^ 1)
    whole = np.concatenate(pieces, axis=1)
    closed = end == start
    if closed:
        if np.linalg.norm((whole[:, 0] - whole[:, -1]).mean(axis=0)) < _SAME_PLACE:
            whole = whole[:, :-1]
        whole = np.concatenate([whole, whole[:, :1]], axis=1)
    return Band(whole, closed)


def _simplified(band: Band) -> Band:
    """Fewer cross-sections: no edge off by more than ``FLATNESS``, no piece folded.

    A ring begins and ends in the middle of its longest piece, where no crossing is likely.
    """
    sides = band.sides
    keep, start, last = [0], 0, sides.shape[1] - 1
    while start < last:
        end = start + 1
        while end < last and (not _convex(sides, start, end) or _straight(sides, start, end + 1)):
            end += 1
        keep.append(end)
        start = end
    sides = sides[:, keep]
    if band.closed:
        k = int(np.argmax(np.linalg.norm(np.diff(sides[0], axis=0), axis=1)))
        middle = (sides[:, k : k + 1] + sides[:, k + 1 : k + 2]) / 2.0
        sides = np.concatenate([middle, sides[:, k + 1 :], sides[:, 1 : k + 1], middle], axis=1)
    return Band(sides, band.closed)


def _straight(sides: np.ndarray, start: int, end: int) -> bool:
    if np.linalg.norm(sides[:, end] - sides[:, start], axis=1).max() > LONGEST_PIECE:
        return False
    share = ((np.arange(start + 1, end) - start) / (end - start))[None, :, None]
    chord = sides[:, None, start] + share * (sides[:, None, end] - sides[:, None, start])
    return bool(np.abs(sides[:, start + 1 : end] - chord).max() <= FLATNESS)


def _convex(sides: np.ndarray, start: int, end: int) -> bool:
    return convex([sides[0, start].tolist(), sides[0, end].tolist(), sides[1, end].tolist(), sides[1, start].tolist()])
