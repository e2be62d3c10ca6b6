"""Where walkers may leave one sidewalk for another: the file's crosswalks, and places to cross without one.

A crossing is a quadrilateral between two sidewalks: each of its ends is a piece of a band's side. All lengths are
metres, all places CARLA world.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from linkvla.launch.sim.navmesh.detour import Area
from linkvla.launch.sim.navmesh.sidewalks import Band, sidewalk_lanes
from linkvla.launch.sim.world.opendrive import tree
from linkvla.launch.sim.world.town import Town

_REACH = 5.0  # from the end of a crosswalk to the sidewalk that it leads to
_STOREY = 2.5  # of height: more is another road
_NARROWEST = 1.0
_ROAD_EVERY, _ROAD_WIDE = 30.0, 4.0  # places to cross a road without a crosswalk
_WIDEST_ROAD = 30.0


@dataclass(frozen=True)
class Landing:
    """One end of a crossing: the piece ``first`` < ``last`` of a band's side, in numbers of cross-sections."""

    band: int
    side: int
    first: float
    last: float


@dataclass(frozen=True)
class Crossing:
    """A way from one landing to the other."""

    ends: tuple[Landing, Landing]
    area: Area


def crossings(town: Town, bands: list[Band]) -> list[Crossing]:
    """All crossings between the sidewalks of a town; no two share a piece of sidewalk, and painted ones come first."""
    sides = _Sides(bands)
    wanted = [(*_ends(outline), Area.CROSSWALK) for outline in town.crosswalks]
    wanted += [(left, right, Area.ROAD) for left, right in _across_roads(town)]
    found: list[Crossing] = []
    taken: dict[int, list[Landing]] = {}  # by band
    for start, end, area in wanted:
        a, b = sides.land(start, end.mean(axis=0)), sides.land(end, start.mean(axis=0))
        if a is None or b is None or _clash(a, b):
            continue
        if not any(_clash(other, new) for new in (a, b) for other in taken.get(new.band, ())):
            found.append(Crossing((a, b), area))
            for new in (a, b):
                taken.setdefault(new.band, []).append(new)
    return found


def _across_roads(town: Town) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Pairs of facing kerbs, each (2, 3), where a road outside junctions has sidewalks on both sides."""
    for road in tree(town.xodr).findall("road"):
        sections: dict[tuple[float, float], list[int]] = {}  # sidewalk lanes by first and last s in metres
        if road.get("junction", "-1") == "-1":
            for _, lane, first, last in sidewalk_lanes(road):
                sections.setdefault((first, last), []).append(lane)
        for (first, last), lanes in sections.items():
            left, right = [lane for lane in lanes if lane > 0], [lane for lane in lanes if lane < 0]
            if not left or not right:
                continue
            count = int((last - first) / _ROAD_EVERY + 0.5)
            for s in (first + (last - first) * (np.arange(count) + 0.5) / max(count, 1)).tolist():
                pair = [_kerb(town, int(road.get("id", "0")), lane, s) for lane in (min(left), max(right))]
                if pair[0] is None or pair[1] is None:
                    continue
                if np.linalg.norm(pair[0] - pair[1], axis=1).max() < _WIDEST_ROAD:
                    yield pair[0], pair[1]


def _kerb(town: Town, road_id: int, lane_id: int, s: float) -> np.ndarray | None:
    """(2, 3) piece of the edge towards the road of a sidewalk lane; that is the left one, either way the lane runs."""
    corners = []
    for place in (s - _ROAD_WIDE / 2.0, s + _ROAD_WIDE / 2.0):
        waypoint = town.map.get_waypoint_xodr(road_id, lane_id, place)
        if waypoint is None:
            return None
        location, half = waypoint.transform.location, waypoint.lane_width / 2.0
        yaw = math.radians(waypoint.transform.rotation.yaw)
        corners.append((location.x + math.sin(yaw) * half, location.y - math.cos(yaw) * half, location.z))
    return np.array(corners)


def _ends(outline: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The two short sides of an outline, each (2, 3)."""
    length = np.linalg.norm(np.roll(outline, -1, axis=0) - outline, axis=1)
    first = 0 if length[0] + length[2] < length[1] + length[3] else 1
    return outline[[first, first + 1]], outline[[first + 2, (first + 3) % 4]]


def _clash(a: Landing, b: Landing) -> bool:
    """Whether the two would cut one piece of sidewalk: also from opposite sides, as it is cut straight across."""
    return a.band == b.band and a.first < b.last and b.first < a.last


class _Sides:
    """The sides of all bands as one table of straight edges, for finding the nearest."""

    def __init__(self, bands: list[Band]) -> None:
        self._bands = bands
        sides = [(index, side, band.sides[side]) for index, band in enumerate(bands) for side in (0, 1)]
        self._starts = np.concatenate([line[:-1] for _, _, line in sides])
        self._ways = np.concatenate([np.diff(line[:, :2], axis=0) for _, _, line in sides])
        self._owner = np.array([(index, side) for index, side, line in sides for _ in range(len(line) - 1)])

    def land(self, end: np.ndarray, goal: np.ndarray) -> Landing | None:
        """Where one end (2, 3) of a crossing towards ``goal`` (3,) meets a sidewalk; None where none is in reach.

        Outlines may reach under a sidewalk or end before it, so what counts is the side that faces the goal.
        """
        distance, _ = self._measure(end.mean(axis=0), slice(None))
        nearest = int(np.argmin(distance))
        if distance[nearest] > _REACH:
            return None
        band = int(self._owner[nearest, 0])
        lines = [np.flatnonzero((self._owner == (band, side)).all(axis=1)) for side in (0, 1)]
        edges = [slice(line[0], line[-1] + 1) for line in lines]
        side = int(np.argmin([self._measure(goal, part)[0].min() for part in edges]))
        places = []
        for corner in end:
            distance, along = self._measure(corner, edges[side])
            places.append(float((np.arange(len(along)) + along)[np.argmin(distance)]))
        first, last = min(places), max(places)
        wide = np.linalg.norm(self._bands[band].at(side, first) - self._bands[band].at(side, last))
        return Landing(band, side, first, last) if wide >= _NARROWEST else None

    def _measure(self, point: np.ndarray, edges: slice) -> tuple[np.ndarray, np.ndarray]:
        """Distances in the plane to edges (infinite on other storeys), and which fractions of them are nearest."""
        starts, ways = self._starts[edges], self._ways[edges]
        offset = (point - starts)[:, :2]
        along = np.clip((ways * offset).sum(axis=1) / np.maximum((ways**2).sum(axis=1), 1e-9), 0.0, 1.0)
        distance = np.linalg.norm(offset - ways * along[:, None], axis=1)
        return np.where(np.abs(starts[:, 2] - point[2]) < _STOREY, distance, np.inf), along
