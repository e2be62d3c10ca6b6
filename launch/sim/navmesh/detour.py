"""Writing a navigation mesh in the layout that CARLA's client reads: one Detour tile inside an ``MSET`` container.

Detour's axes are x, height, y in metres: the second of our axes is its third. Everything is little-endian; a polygon
holds at most six vertices, and references are 32 bits wide.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from enum import IntEnum

import numpy as np

from linkvla.launch.sim.navmesh.shapes import signed_area

MOST_VERTICES = 0xFFFE
MOST_POLYGONS = 0x7FFF
MOST_CORNERS = 6

_SET_MAGIC, _SET_VERSION = int.from_bytes(b"MSET", "big"), 1
_TILE_MAGIC, _TILE_VERSION = int.from_bytes(b"DNAV", "big"), 7
_MARGIN = 1.0  # m around the polygons: a point on the tile's upper edge would lie in the next tile
_WALKER = (1.8, 0.3, 0.4)  # m: height, radius and climb of who walks; the reader only hands them on
_POLYGON = np.dtype(
    [
        ("first_link", "<u4"),
        ("corners", "<u2", MOST_CORNERS),
        ("neighbours", "<u2", MOST_CORNERS),  # 1 + index of the polygon across each side, 0 for a border
        ("flags", "<u2"),
        ("count", "u1"),
        ("area_and_kind", "u1"),
    ]
)
_DETAIL = np.dtype([("vertices", "<u4"), ("triangles", "<u4"), ("vertex_count", "u1"), ("triangle_count", "u1"),
                    ("padding", "<u2")])  # fmt: skip
_LINK_BYTES = 12  # filled in by the reader; only room is left for them


class Area(IntEnum):
    """What a polygon is, as CARLA numbers it. Walkers that may not cross roads are kept off ``ROAD`` only."""

    SIDEWALK = 1
    CROSSWALK = 2
    ROAD = 3

    @property
    def flag(self) -> int:
        """The bit by which the client's filters choose polygons."""
        return 1 << self.value


@dataclass(frozen=True)
class Polygon:
    """A convex polygon: indices of its corners in order, either way round, and what it is."""

    corners: tuple[int, ...]
    area: Area


def write_mesh(vertices: np.ndarray, polygons: list[Polygon]) -> bytes:
    """The file's bytes.

    Polygons that share two neighbouring corners are joined along that side.

    Args:
        vertices: (N, 3) float64 metres, world.
        polygons: at least one.

    Raises:
        ValueError: there is nothing to write, or more than one tile can hold.
    """
    if not 0 < len(polygons) <= MOST_POLYGONS or len(vertices) > MOST_VERTICES:
        raise ValueError(
            f"{len(polygons)} polygons with {len(vertices)} vertices: one tile holds 1 to {MOST_POLYGONS} polygons and "
            f"up to {MOST_VERTICES} vertices"
        )
    places = np.asarray(vertices, dtype=np.float64)[:, [0, 2, 1]].astype("<f4")
    low, high = places.min(axis=0) - _MARGIN, places.max(axis=0) + _MARGIN
    tile = _tile(places, _clockwise(vertices, polygons), low, high)
    span = high - low
    params = struct.pack("<5f2i", *low.tolist(), float(span[0]), float(span[2]), 1, len(polygons))
    reference = 1 << max(len(polygons) - 1, 0).bit_length()  # the first use of the only tile
    header = struct.pack("<3i", _SET_MAGIC, _SET_VERSION, 1)
    return header + params + struct.pack("<Ii", reference, len(tile)) + tile


def _clockwise(vertices: np.ndarray, polygons: list[Polygon]) -> list[Polygon]:
    """All polygons the way round that the reader's areas and portals need: from y to x."""
    places = vertices.tolist()
    return [
        polygon
        if signed_area([places[i] for i in polygon.corners]) < 0.0
        else Polygon(polygon.corners[::-1], polygon.area)
        for polygon in polygons
    ]


def _tile(places: np.ndarray, polygons: list[Polygon], low: np.ndarray, high: np.ndarray) -> bytes:
    rows, details = np.zeros(len(polygons), _POLYGON), np.zeros(len(polygons), _DETAIL)
    triangles: list[tuple[int, int, int, int]] = []
    across = _neighbours(polygons)
    sides = 0
    for i, polygon in enumerate(polygons):
        n = len(polygon.corners)
        rows["corners"][i, :n], rows["neighbours"][i, :n] = polygon.corners, across[i]
        rows["flags"][i], rows["count"][i], rows["area_and_kind"][i] = polygon.area.flag, n, polygon.area
        details["triangles"][i], details["triangle_count"][i] = len(triangles), n - 2
        triangles += _fan(n)
        sides += n
    counts = (len(polygons), len(places), sides, len(polygons), 0, len(triangles), 0, 0, len(polygons))
    header = struct.pack("<5iI9i", _TILE_MAGIC, _TILE_VERSION, 0, 0, 0, 0, *counts)
    header += struct.pack("<10f", *_WALKER, *low.tolist(), *high.tolist(), 1.0)
    links = bytes(_LINK_BYTES * sides)
    return b"".join((header, places.tobytes(), rows.tobytes(), links, details.tobytes(), np.uint8(triangles).tobytes()))


def _fan(n: int) -> list[tuple[int, int, int, int]]:
    """Triangles of a polygon with n corners, and two bits per side that say whether the polygon has that side too."""
    return [
        (0, j - 1, j, 0b000100 | (0b000001 if j == 2 else 0) | (0b010000 if j == n - 1 else 0)) for j in range(2, n)
    ]


def _neighbours(polygons: list[Polygon]) -> list[list[int]]:
    """For each side of each polygon: 1 + index of the polygon that shares it, 0 where none does."""
    owners: dict[tuple[int, int], list[tuple[int, int]]] = {}
    for i, polygon in enumerate(polygons):
        for j, corner in enumerate(polygon.corners):
            following = polygon.corners[(j + 1) % len(polygon.corners)]
            owners.setdefault((min(corner, following), max(corner, following)), []).append((i, j))
    across = [[0] * len(polygon.corners) for polygon in polygons]
    for shared in owners.values():
        if len(shared) == 2:
            (a, side_a), (b, side_b) = shared
            across[a][side_a], across[b][side_b] = b + 1, a + 1
    return across
