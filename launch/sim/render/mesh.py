"""Triangle meshes: coloured, flat-shaded, one-sided. A triangle (a, b, c) faces along (b - a) x (c - a)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from linkvla.launch.sim.render.materials import Look, Material

Colour = Sequence[float]


@dataclass(frozen=True)
class Mesh:
    """Triangle soup."""

    corners: np.ndarray  # (N, 3 corners, 3) float32 m
    normal: np.ndarray  # (N, 3) float32, unit length
    colour: np.ndarray  # (N, 3) float32 RGB 0..1
    material: np.ndarray  # (N,) uint8 Material
    look: np.ndarray  # (N,) uint8 Look
    paint: np.ndarray  # (N,) uint8: 0 own colour, 1 the actor's colour, 2 the actor's second colour
    thing: np.ndarray  # (N,) int32: which object of the town it belongs to, 0: none of its own

    def __len__(self) -> int:
        return len(self.material)

    def take(self, index: np.ndarray) -> Mesh:
        """The triangles at ``index``, in that order."""
        return Mesh(*(np.ascontiguousarray(getattr(self, name)[index]) for name in self.__dataclass_fields__))


class MeshBuilder:
    """Collects triangles in chunks; all coordinates in metres."""

    def __init__(self) -> None:
        self._chunks: list[tuple[np.ndarray, np.ndarray, int, int, int, int]] = []
        self.thing = 0  # given to what is added from now on; see ``Mesh.thing``

    def triangles(self, corners: np.ndarray, material: Material, look: Look, colour: Colour, paint: int = 0) -> None:
        """Add triangles, corners (N, 3, 3); ``colour`` is one RGB triple or (N, 3)."""
        corners = np.asarray(corners, np.float64).reshape(-1, 3, 3)
        if len(corners):
            colours = np.empty((len(corners), 3))  # filled: for few rows np.broadcast_to takes five times as long
            colours[:] = colour
            self._chunks.append((corners, colours, int(material), int(look), paint, self.thing))

    def quads(self, a, b, c, d, material: Material, look: Look, colour: Colour, paint: int = 0) -> None:
        """Add quads with corners a, b, c, d in turn, each (3,) or (N, 3); ``colour`` one triple or (N, 3)."""
        first = np.asarray(a, np.float64)
        corners = np.empty((len(first) if first.ndim == 2 else 1, 2, 3, 3))
        corners[:, 0, 0] = corners[:, 1, 0] = first
        corners[:, 0, 1] = b
        corners[:, 0, 2] = corners[:, 1, 1] = c
        corners[:, 1, 2] = d
        colour = np.asarray(colour, np.float64)
        colours = colour if colour.ndim == 1 else np.repeat(colour, 2, axis=0)
        self.triangles(corners.reshape(-1, 3, 3), material, look, colours, paint)

    def polygon(self, points: np.ndarray, material: Material, look: Look, colour: Colour, paint: int = 0) -> None:
        """Add a convex polygon (N, 3) as a fan; it faces the side from which the points turn as x towards y."""
        points = np.asarray(points, np.float64)
        fan = [np.stack([points[0], points[i], points[i + 1]]) for i in range(1, len(points) - 1)]
        self.triangles(np.array(fan), material, look, colour, paint)

    def solid(
        self, bottom: np.ndarray, top: np.ndarray, material: Material, look: Look, colour: Colour, paint: int = 0,
        *, caps: str = "both",
    ) -> None:  # fmt: skip
        """Add a convex solid between two rings of N points (N, 3); ``caps`` is "both", "top" or "none"."""
        bottom, top = np.asarray(bottom, np.float64), np.asarray(top, np.float64)
        centre = np.concatenate([bottom, top]).mean(0)
        count = len(bottom)
        side = np.empty((2 * count, 3, 3))
        side[:count, 0] = side[count:, 0] = bottom
        side[: count - 1, 1], side[count - 1, 1] = bottom[1:], bottom[0]
        side[: count - 1, 2], side[count - 1, 2] = top[1:], top[0]
        side[count:, 1], side[count:, 2] = side[:count, 2], top
        self.triangles(_facing_away(side, centre), material, look, colour, paint)
        cap = _fan(len(top))
        if caps != "none":
            self.triangles(_facing_away(top[cap], centre), material, look, colour, paint)
        if caps == "both":
            self.triangles(_facing_away(bottom[cap], centre), material, look, colour, paint)

    def box(
        self, low: Sequence[float], high: Sequence[float], material: Material, look: Look, colour: Colour,
        paint: int = 0, **options,
    ) -> None:  # fmt: skip
        """Add an axis-aligned box; ``options`` go to ``solid``."""
        ring = np.array([[low[0], low[1]], [high[0], low[1]], [high[0], high[1]], [low[0], high[1]]])
        self.solid(_at(ring, low[2]), _at(ring, high[2]), material, look, colour, paint, **options)

    def upright(
        self, x: float, y: float, z: float, radius: float, height: float, material: Material, look: Look,
        colour: Colour, *, sides: int = 6, top_radius: float | None = None, turn: float = 0.0, caps: str = "top",
    ) -> None:  # fmt: skip
        """Add an upright prism or frustum standing at (x, y, z); ``turn`` in radians."""
        ring = circle(sides, turn)
        foot = _at(ring * radius + (x, y), z)
        head = _at(ring * (radius if top_radius is None else top_radius) + (x, y), z + height)
        self.solid(foot, head, material, look, colour, caps=caps)

    def beam(self, start, end, half_width: float, material: Material, look: Look, colour: Colour) -> None:
        """Add a square bar from ``start`` to ``end`` (3,)."""
        start, end = np.asarray(start, np.float64), np.asarray(end, np.float64)
        along = end - start
        length = float(np.linalg.norm(along))
        if length < 1e-6:
            return
        helper = np.array([0.0, 0.0, 1.0]) if abs(along[2]) < 0.9 * length else np.array([1.0, 0.0, 0.0])
        side = np.cross(helper, along)
        side *= half_width / np.linalg.norm(side)
        up = np.cross(along / length, side)
        ring = np.array([side + up, up - side, -side - up, side - up])
        self.solid(start + ring, end + ring, material, look, colour)

    def build(self) -> Mesh:
        """All triangles so far; those without area are dropped."""
        if not self._chunks:
            return Mesh(
                np.zeros((0, 3, 3), np.float32), np.zeros((0, 3), np.float32), np.zeros((0, 3), np.float32),
                np.zeros(0, np.uint8), np.zeros(0, np.uint8), np.zeros(0, np.uint8), np.zeros(0, np.int32),
            )  # fmt: skip
        corners = np.concatenate([chunk[0] for chunk in self._chunks])
        colour = np.concatenate([chunk[1] for chunk in self._chunks])
        count = [len(chunk[0]) for chunk in self._chunks]
        codes = [np.repeat(np.array([chunk[k] for chunk in self._chunks], np.uint8), count) for k in (2, 3, 4)]
        codes.append(np.repeat(np.array([chunk[5] for chunk in self._chunks], np.int32), count))
        normal = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
        area = np.linalg.norm(normal, axis=1)
        keep = area > 1e-8
        normal = normal[keep] / area[keep, None]
        return Mesh(
            np.ascontiguousarray(corners[keep], np.float32), normal.astype(np.float32),
            np.ascontiguousarray(colour[keep], np.float32), *(code[keep] for code in codes),
        )  # fmt: skip


def circle(sides: int, turn: float = 0.0) -> np.ndarray:
    """Regular polygon on the unit circle, (sides, 2)."""
    angle = turn + np.arange(sides) * (2.0 * math.pi / sides)
    return np.stack([np.cos(angle), np.sin(angle)], 1)


def _at(ring: np.ndarray, z: float) -> np.ndarray:
    return np.column_stack([ring, np.full(len(ring), float(z))])


@lru_cache(maxsize=32)
def _fan(points: int) -> np.ndarray:
    """(points - 2, 3) rows of the triangles of a convex polygon."""
    return np.array([[0, i, i + 1] for i in range(1, points - 1)])


def _facing_away(triangles: np.ndarray, centre: np.ndarray) -> np.ndarray:
    (ax, ay, az), (bx, by, bz) = (triangles[:, 1] - triangles[:, 0]).T, (triangles[:, 2] - triangles[:, 0]).T
    normal = np.column_stack([ay * bz - az * by, az * bx - ax * bz, ax * by - ay * bx])
    inward = np.einsum("ij,ij->i", normal, triangles.mean(1) - centre) < 0.0
    out = triangles.copy()
    out[inward] = out[inward][:, ::-1]
    return out
