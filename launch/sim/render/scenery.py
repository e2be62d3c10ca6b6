"""What stands beside the roads: ground that follows their height, buildings, trees. Invented ones follow a seed."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise

import cv2
import numpy as np

from linkvla.launch.sim.render.materials import Look, Material
from linkvla.launch.sim.render.mesh import MeshBuilder
from linkvla.launch.sim.render.roads import LaneStrip
from linkvla.launch.sim.render.things import ThingKind, Things
from linkvla.launch.sim.world.town import Building

MARGIN = 140.0  # m of ground beyond the outermost road
MOST_TILES = 40_000
STOREY = 3.2  # m, as in the shader
_FACADES = ((0.62, 0.52, 0.43), (0.55, 0.33, 0.27), (0.68, 0.66, 0.62), (0.50, 0.52, 0.56), (0.72, 0.62, 0.48),
            (0.45, 0.42, 0.40), (0.60, 0.44, 0.34), (0.74, 0.72, 0.66))  # fmt: skip
_ROOF = (0.33, 0.31, 0.30)
_TILES = (0.46, 0.26, 0.20)
_LEAVES = ((0.22, 0.37, 0.13), (0.27, 0.40, 0.16), (0.17, 0.31, 0.14), (0.33, 0.40, 0.15))
_TRUNK = (0.30, 0.22, 0.15)


@dataclass
class Plan:
    """A map of taken ground, 1 m per cell."""

    low: np.ndarray  # (2,) m, world x and y of the first cell's corner
    taken: np.ndarray  # (rows along y, columns along x) uint8

    def claim(self, outline: np.ndarray) -> bool:
        """Take the ground under an outline (N, 2); False and nothing taken where some is taken or off the map."""
        cells = outline - self.low
        first, last = np.floor(cells.min(0)).astype(int), np.ceil(cells.max(0)).astype(int) + 1
        if (first < 0).any() or last[0] >= self.taken.shape[1] or last[1] >= self.taken.shape[0]:
            return False
        part = self.taken[first[1] : last[1], first[0] : last[0]]
        mask = np.zeros_like(part)
        cv2.fillPoly(mask, [np.round(cells - first).astype(np.int32)], 1)
        if (part & mask).any():
            return False
        part |= mask
        return True


def survey(strips: list[LaneStrip]) -> Plan:
    """Take the ground of all lanes, with 2 m to spare."""
    points = np.concatenate([np.concatenate([strip.left, strip.right]) for strip in strips])[:, :2]
    low, high = points.min(0) - MARGIN, points.max(0) + MARGIN
    taken = np.zeros(np.ceil(high - low).astype(int)[::-1] + 1, np.uint8)
    for strip in strips:
        left, right = strip.left[:, :2] - low, strip.right[:, :2] - low
        quads = np.round(np.stack([left[:-1], left[1:], right[1:], right[:-1]], 1)).astype(np.int32)
        for quad in quads:
            cv2.fillPoly(taken, [quad], 1)
    return Plan(low, cv2.dilate(taken, np.ones((5, 5), np.uint8)))


class Ground:
    """Height of the terrain on a grid: just below the lowest road nearby, fading smoothly between roads."""

    def __init__(self, strips: list[LaneStrip], plan: Plan) -> None:
        span = np.array(plan.taken.shape[::-1], float)
        self.cell = max(6.0, math.sqrt(span[0] * span[1] / MOST_TILES))
        self.low = plan.low
        columns, rows = np.ceil(span / self.cell).astype(int) + 1
        points = np.concatenate([np.concatenate([strip.left, strip.centre, strip.right]) for strip in strips])
        lowest = np.full((rows, columns), np.inf)
        at = (points[:, :2] - self.low) / self.cell
        base = np.floor(at).astype(int)
        # A road point bounds all nodes whose tiles it may lie on, with one ring to spare for long quads.
        for di in (0, 1):
            for dj in (0, 1):
                np.minimum.at(lowest, (base[:, 1] + di, base[:, 0] + dj), points[:, 2])
        known = np.isfinite(lowest)
        self.height = self._fill(np.where(known, lowest, 0.0), known) - 0.06

    @staticmethod
    def _fill(height: np.ndarray, known: np.ndarray) -> np.ndarray:
        """Unknown nodes get the mean of known ones, the near ones weighing most (Gaussians of growing width)."""
        total, weight = np.where(known, height, 0.0), known.astype(float)
        out, missing = height.copy(), ~known
        for sigma in (1.0, 2.0, 4.0, 8.0, 16.0, 64.0):
            if not missing.any():
                break
            blurred = cv2.GaussianBlur(total, (0, 0), sigma, borderType=cv2.BORDER_REPLICATE)
            share = cv2.GaussianBlur(weight, (0, 0), sigma, borderType=cv2.BORDER_REPLICATE)
            now = missing & (share > 0.02)
            out[now] = blurred[now] / share[now]
            missing &= ~now
        out[missing] = height[known].mean()
        smooth = cv2.GaussianBlur(out, (0, 0), 1.5, borderType=cv2.BORDER_REPLICATE)
        return np.where(known, out, smooth)

    def at(self, x: float, y: float) -> float:
        """Height in metres at a place (bilinear, clamped to the grid)."""
        u, v = (x - self.low[0]) / self.cell, (y - self.low[1]) / self.cell
        i = int(min(max(v, 0.0), self.height.shape[0] - 2))
        j = int(min(max(u, 0.0), self.height.shape[1] - 2))
        v, u = min(max(v - i, 0.0), 1.0), min(max(u - j, 0.0), 1.0)
        h = self.height
        low, high = h[i, j] + (h[i, j + 1] - h[i, j]) * u, h[i + 1, j] + (h[i + 1, j + 1] - h[i + 1, j]) * u
        return float(low + (high - low) * v)

    def add(self, builder: MeshBuilder, colour) -> None:
        """The terrain; flat stretches in larger tiles."""
        rows, columns = self.height.shape
        x = self.low[0] + np.arange(columns) * self.cell
        y = self.low[1] + np.arange(rows) * self.cell
        nodes = np.dstack([*np.meshgrid(x, y), self.height])
        used = np.zeros((rows - 1, columns - 1), bool)
        block = 4
        for i in range(0, rows - 1, block):
            for j in range(0, columns - 1, block):
                tile = nodes[i : i + block + 1, j : j + block + 1]
                if tile.shape[:2] == (block + 1, block + 1) and np.ptp(tile[..., 2]) < 1e-3:
                    used[i : i + block, j : j + block] = True
                    builder.quads(
                        tile[0, 0], tile[0, -1], tile[-1, -1], tile[-1, 0], Material.GROUND, Look.GRASS, colour
                    )
        i, j = np.nonzero(~used)
        builder.quads(
            nodes[i, j], nodes[i, j + 1], nodes[i + 1, j + 1], nodes[i + 1, j], Material.GROUND, Look.GRASS, colour
        )


def add_building(builder: MeshBuilder, building: Building) -> None:
    """A prism with windows (drawn by the shader) and a flat or, over four corners, a gable roof."""
    ring = np.asarray(building.footprint, np.float64)
    x, y = ring[:, 0], ring[:, 1]
    if np.sum(x * np.roll(y, -1) - np.roll(x, -1) * y) < 0.0:
        ring = ring[::-1]
    after = np.roll(ring, -1, axis=0)
    foot = building.base - 2.0
    # The shader's window rows repeat every STOREY from z = 0; eaves between rows cut no window.
    eaves = max(building.base + 0.9 * STOREY, round((building.base + building.height) / STOREY) * STOREY + 0.1)

    def lift(points: np.ndarray, z: float) -> np.ndarray:
        return np.column_stack([points, np.full(len(points), z)])

    material, colour = Material.BUILDING, building.colour
    builder.quads(
        lift(ring, foot), lift(after, foot), lift(after, eaves), lift(ring, eaves), material, Look.FACADE, colour
    )
    if building.roof == "gable" and len(ring) == 4:
        if np.linalg.norm(ring[1] - ring[0]) < np.linalg.norm(ring[2] - ring[1]):
            ring = np.roll(ring, -1, axis=0)
        rise = min(4.0, 0.35 * float(np.linalg.norm(ring[2] - ring[1])))
        corner = lift(ring, eaves)
        ridge = [0.5 * (corner[1] + corner[2]) + (0, 0, rise), 0.5 * (corner[3] + corner[0]) + (0, 0, rise)]
        builder.quads(corner[0], corner[1], ridge[0], ridge[1], material, Look.PLAIN, _TILES)
        builder.quads(corner[2], corner[3], ridge[1], ridge[0], material, Look.PLAIN, _TILES)
        builder.triangles(
            np.array([[corner[1], corner[2], ridge[0]], [corner[3], corner[0], ridge[1]]]), material, Look.PLAIN, colour
        )
        return
    for triangle in _triangulate(ring):
        builder.triangles(lift(ring[triangle], eaves)[None], material, Look.PLAIN, _ROOF)


def _triangulate(ring: np.ndarray) -> list[list[int]]:
    """Ear clipping of a simple polygon (N, 2) that turns from x to y."""
    left, triangles = list(range(len(ring))), []
    while len(left) > 3:
        for k in range(len(left)):
            a, b, c = left[k - 1], left[k], left[(k + 1) % len(left)]
            if _turn(ring[a], ring[b], ring[c]) <= 0.0:
                continue
            inside = any(
                min(
                    _turn(ring[a], ring[b], ring[p]), _turn(ring[b], ring[c], ring[p]), _turn(ring[c], ring[a], ring[p])
                )
                > 0.0
                for p in left
                if p not in (a, b, c)
            )
            if not inside:
                triangles.append([a, b, c])
                del left[k]
                break
        else:
            break  # a polygon that crosses itself: what is left is drawn as one fan
    return triangles + [[left[0], left[i], left[i + 1]] for i in range(1, len(left) - 1)]


def _turn(a: np.ndarray, b: np.ndarray, c: np.ndarray) -> float:
    return float((b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0]))


def invent_buildings(strips: list[LaneStrip], plan: Plan, ground: Ground, rng: np.random.Generator) -> list[Building]:
    """Rows of houses along the outer lanes; they take their ground in ``plan``."""
    buildings = []
    for strip in strips:
        if strip.in_junction or not strip.is_outermost:
            continue
        for i in range(1, len(strip.centre) - 1, 4):
            x, y, _ = strip.right[i]
            along = strip.centre[i + 1, :2] - strip.centre[i - 1, :2]
            along /= max(float(np.linalg.norm(along)), 1e-6)
            right = np.array([-along[1], along[0]])
            half, deep = rng.uniform(5.0, 10.0), rng.uniform(4.5, 8.0)
            middle = np.array([x, y]) + right * (rng.uniform(4.0, 10.0) + deep)
            height = float(rng.choice([5.5, 6.5, 9.0, 12.0, 15.0, 21.0, 28.0]))
            colour = _FACADES[rng.integers(len(_FACADES))]
            ring = np.array(
                [
                    middle + along * a + right * b
                    for a, b in ((-half, -deep), (half, -deep), (half, deep), (-half, deep))
                ]
            )
            if plan.claim(ring):
                roof = "gable" if height < 8.0 else "flat"
                buildings.append(Building(ring, ground.at(*middle), height, colour, roof))
    return buildings


def add_trees(
    builder: MeshBuilder, things: Things, strips: list[LaneStrip], plan: Plan, ground: Ground, rng: np.random.Generator
) -> None:
    """Trees behind the outer edge of the roads where there is room."""
    for strip in strips:
        if strip.in_junction or not strip.is_outermost:
            continue
        for i in range(1, len(strip.centre) - 1, 3):
            along = strip.centre[i + 1, :2] - strip.centre[i - 1, :2]
            along /= max(float(np.linalg.norm(along)), 1e-6)
            place = (
                strip.right[i, :2]
                + np.array([-along[1], along[0]]) * rng.uniform(3.0, 16.0)
                + along * rng.uniform(-2, 2)
            )
            wanted, size, kind = rng.random() < 0.45, rng.uniform(0.75, 1.35), rng.random()
            ring = place + np.array([[-1.5, -1.5], [1.5, -1.5], [1.5, 1.5], [-1.5, 1.5]])
            if wanted and plan.claim(ring):
                things.begin(builder, ThingKind.PLANT)
                _tree(builder, np.array([*place, ground.at(*place)]), size, kind, rng)


def _tree(builder: MeshBuilder, foot: np.ndarray, size: float, kind: float, rng: np.random.Generator) -> None:
    plant, x, y, z = Material.VEGETATION, foot[0], foot[1], foot[2]
    leaf = np.array(_LEAVES[rng.integers(len(_LEAVES))])
    turn = rng.uniform(0.0, 1.0)
    if kind < 0.15:  # shrub
        builder.upright(
            x, y, z - 0.2, 1.1 * size, 1.0 * size, plant, Look.FOLIAGE, leaf, top_radius=0.7 * size, turn=turn
        )
        return
    builder.upright(x, y, z - 0.3, 0.16 * size, 2.6 * size, plant, Look.PLAIN, _TRUNK, sides=5, caps="none")
    if kind < 0.35:  # conifer
        for low, radius, high in ((1.2, 1.7, 3.6), (2.8, 1.3, 5.2), (4.4, 0.9, 7.0)):
            builder.upright(x, y, z + low * size, radius * size, (high - low) * size, plant, Look.FOLIAGE, leaf * 0.8,
                            top_radius=0.06, turn=turn, caps="both")  # fmt: skip
        return
    rings = ((1.9, 0.7), (2.7, 1.7), (4.0, 1.9), (5.2, 1.3), (5.9, 0.4))
    for (low, r0), (high, r1) in pairwise(rings):
        shade = 0.8 + 0.08 * low
        builder.upright(x, y, z + low * size, r0 * size, (high - low) * size, plant, Look.FOLIAGE, leaf * shade,
                        top_radius=r1 * size, turn=turn, sides=7, caps="both" if low < 2 else "top")  # fmt: skip
