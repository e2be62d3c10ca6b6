"""The navigation mesh of a town: sidewalks cut where crossings begin, the crossings between them, as a file."""

from __future__ import annotations

import logging
from itertools import pairwise

import numpy as np

from linkvla.launch.sim.navmesh.crossings import Crossing, Landing, crossings
from linkvla.launch.sim.navmesh.detour import MOST_POLYGONS, Area, Polygon, write_mesh
from linkvla.launch.sim.navmesh.shapes import convex
from linkvla.launch.sim.navmesh.sidewalks import Band, sidewalk_bands
from linkvla.launch.sim.world.ground import KERB
from linkvla.launch.sim.world.town import Town

logger = logging.getLogger(__name__)

_RAMP = 0.6  # m long, from the sidewalk down to the road
_SAME = 1e-6  # of a piece of sidewalk: cuts this near are one
LAYOUT = 1  # goes up when the mesh of one and the same town changes: clients keep files by name


def navigation_mesh(town: Town) -> bytes:
    """The file for CARLA's client; empty where the town has no sidewalks to walk on, which the log says."""
    bands = sidewalk_bands(town)
    if not bands:
        logger.warning("%s has no sidewalk lanes, or too many: AI walkers have nowhere to walk there", town.name)
        return b""
    vertices, polygons = build(bands, crossings(town, bands))
    if not 0 < len(polygons) <= MOST_POLYGONS:
        logger.warning(
            "%s needs %d polygons for its sidewalks, one file holds 1 to %d: AI walkers have nowhere to walk there",
            town.name, len(polygons), MOST_POLYGONS,
        )  # fmt: skip
        return b""
    return write_mesh(vertices, polygons)


def build(bands: list[Band], ways: list[Crossing]) -> tuple[np.ndarray, list[Polygon]]:
    """Vertices, (N, 3) metres, and the convex polygons over them."""
    mesh = _Mesh()
    landings: dict[int, list[Landing]] = {}  # by band
    for landing in (end for crossing in ways for end in crossing.ends):
        landings.setdefault(landing.band, []).append(landing)
    edges: dict[Landing, tuple[int, int]] = {}
    for index, band in enumerate(bands):
        edges.update(mesh.pave(band, landings.get(index, [])))
    for crossing in ways:
        mesh.bridge(edges[crossing.ends[0]], edges[crossing.ends[1]], crossing.area)
    return np.array(mesh.vertices).reshape(-1, 3), mesh.polygons


class _Mesh:
    """Vertices and polygons as they are found."""

    def __init__(self) -> None:
        self.vertices: list[np.ndarray] = []
        self.polygons: list[Polygon] = []

    def pave(self, band: Band, landings: list[Landing]) -> dict[Landing, tuple[int, int]]:
        """Cover a band with quadrilaterals; the two vertices of each landing."""
        inner = [u for u in range(band.sides.shape[1]) if not any(a.first < u < a.last for a in landings)]
        cuts = sorted({*map(float, inner), *(u for a in landings for u in (a.first, a.last))})
        kept: list[float] = []
        rows: dict[float, tuple[int, int]] = {}
        for u in cuts:
            if kept and u - kept[-1] <= _SAME:
                rows[u] = rows[kept[-1]]
            else:
                rows[u] = self._row(band, u)
                kept.append(u)
        if band.closed:
            rows.update((u, rows[kept[0]]) for u in cuts if u >= kept[-1])
        for start, end in pairwise(kept):
            self._cover((rows[start][0], rows[end][0], rows[end][1], rows[start][1]), Area.SIDEWALK)
        return {a: (rows[a.first][a.side], rows[a.last][a.side]) for a in landings}

    def bridge(self, start: tuple[int, int], end: tuple[int, int], area: Area) -> None:
        """Lay a crossing between two edges: down a ramp, over the road, up a ramp.

        A crossing that would be folded, or too short for its ramps, is left out.
        """
        if not convex([self.vertices[i] for i in (*start, *end)]):
            end = end[::-1]
        if not convex([self.vertices[i] for i in (*start, *end)]):
            return
        near, far = self._lowered(start, end[::-1]), self._lowered(end, start[::-1])
        if near is None or far is None:
            return
        for corners in ((*start, *near[::-1]), (*near, *far), (*far[::-1], *end)):
            self.polygons.append(Polygon(corners, area))

    def _lowered(self, start: tuple[int, int], towards: tuple[int, int]) -> tuple[int, int] | None:
        """New vertices at the foot of a ramp that begins at ``start``; None where the road is too narrow for it."""
        feet = []
        for a, b in zip(start, towards):
            way = self.vertices[b] - self.vertices[a]
            share = _RAMP / max(float(np.linalg.norm(way)), 1e-6)
            if share > 0.4:
                return None
            feet.append(self.vertices[a] + share * way - (0.0, 0.0, KERB))
        self.vertices += feet
        return len(self.vertices) - 2, len(self.vertices) - 1

    def _row(self, band: Band, u: float) -> tuple[int, int]:
        self.vertices += [band.at(0, u), band.at(1, u)]
        return len(self.vertices) - 2, len(self.vertices) - 1

    def _cover(self, corners: tuple[int, int, int, int], area: Area) -> None:
        if convex([self.vertices[i] for i in corners]):
            self.polygons.append(Polygon(corners, area))
