"""Paint on the road: lane lines 15 mm above the asphalt, crosswalks and stop lines 20 mm above."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from linkvla.launch.sim.render.materials import Look, Material
from linkvla.launch.sim.render.mesh import MeshBuilder
from linkvla.launch.sim.render.roads import LaneStrip, simplify
from linkvla.launch.sim.world.town import StopLine, Town

LINE_LIFT, PAINT_LIFT = 0.015, 0.020  # m
LINE_HALF = 0.075  # m, half width of a lane line
DASH, GAP = 3.0, 3.5  # m
STOP_HALF = 0.20  # m, half thickness of a stop line
_UNPAINTED = ("NONE", "Other", "Grass", "Curb", "BottsDots")
WHITE, YELLOW = (0.88, 0.88, 0.86), (0.86, 0.68, 0.14)


def add_lane_lines(builder: MeshBuilder, strips: list[LaneStrip]) -> None:
    """Each boundary once: a lane paints its outer side, and its inner side where no lane of its direction lies."""
    for strip in strips:
        if not strip.marks:
            continue
        across = strip.right - strip.left
        across = across / np.maximum(np.linalg.norm(across, axis=1, keepdims=True), 1e-6)
        for edge, column in ((strip.right, 2), (strip.left, 0)):
            if column == 0 and strip.inner_is_lane:
                continue
            for first, last in _runs([mark[column : column + 2] for mark in strip.marks]):
                kind, colour = strip.marks[first][column : column + 2]
                if kind not in _UNPAINTED:
                    span = slice(first, last + 1)
                    _line(builder, edge[span], across[span], kind, YELLOW if colour == "Yellow" else WHITE)


def _runs(marks: list) -> list[tuple[int, int]]:
    """First and last cross-section of each stretch with one kind of marking; stretches share their ends."""
    runs, start = [], 0
    for i in range(1, len(marks)):
        if i == len(marks) - 1 or marks[i] != marks[start]:
            runs.append((start, i))
            start = i
    return runs


def _line(builder: MeshBuilder, edge: np.ndarray, across: np.ndarray, kind: str, colour) -> None:
    if len(edge) < 2:
        return
    double = kind in ("SolidSolid", "SolidBroken", "BrokenSolid", "BrokenBroken")
    halves = (kind[: len("Solid")] == "Solid", kind.endswith("Solid")) if double else (kind != "Broken",)
    for offset, solid in zip((-0.13, 0.13) if double else (0.0,), halves):
        points = edge + across * offset + (0.0, 0.0, LINE_LIFT)
        pieces = [(points, across)] if solid else _dashes(points, across)
        for piece, side in pieces:
            keep = simplify(piece)
            low, high = piece[keep] - side[keep] * LINE_HALF, piece[keep] + side[keep] * LINE_HALF
            builder.quads(low[:-1], low[1:], high[1:], high[:-1], Material.LANE_LINE, Look.PLAIN, colour)


def _dashes(points: np.ndarray, across: np.ndarray) -> list[tuple[np.ndarray, np.ndarray]]:
    length = np.r_[0.0, np.cumsum(np.linalg.norm(np.diff(points, axis=0), axis=1))]
    at, start = [], 0.5 * GAP
    while start < length[-1]:
        at += [start, min(start + 0.5 * DASH, length[-1]), min(start + DASH, length[-1])]
        start += DASH + GAP
    if not at:
        return []
    piece, side = (
        np.column_stack([np.interp(at, length, values[:, k]) for k in range(3)]) for values in (points, across)
    )
    return list(zip(piece.reshape(-1, 3, 3), side.reshape(-1, 3, 3)))


def add_crosswalk(builder: MeshBuilder, outline: np.ndarray, height: Callable[[float, float, float], float]) -> None:
    """Stripes half a metre wide across an outline (4, 3); ``height(x, y, z_hint)`` is the road's height in metres."""
    corner = np.array(outline, np.float64)
    if np.linalg.norm(corner[1] - corner[0]) < np.linalg.norm(corner[2] - corner[1]):
        corner = np.roll(corner, -1, axis=0)
    count = max(1, round(float(np.linalg.norm(corner[1] - corner[0]))))
    near, far = corner[1] - corner[0], corner[2] - corner[3]
    for i in range(count):
        low, high = (i + 0.25) / count, (i + 0.75) / count
        stripe = np.array(
            [corner[0] + near * low, corner[0] + near * high, corner[3] + far * high, corner[3] + far * low]
        )
        for point in stripe:
            point[2] = height(point[0], point[1], point[2]) + PAINT_LIFT
        _upward(builder, stripe, Material.CROSSWALK)


def add_stop_lines(builder: MeshBuilder, town: Town) -> None:
    """A bar per lane that has to stop; shark's teeth where it only has to yield."""
    painted: set[tuple[int, int, int, int]] = set()
    sites = [(site.stop_lines, False) for site in town.traffic_lights]
    sites += [(site.stop_lines, site.kind == "yield") for site in town.stop_signs]
    for lines, give_way in sites:
        for line in lines:
            key = (line.road_id, line.lane_id, round(line.x), round(line.y))
            if key not in painted:
                painted.add(key)
                _stop_bar(builder, line, give_way)


def _stop_bar(builder: MeshBuilder, line: StopLine, give_way: bool) -> None:
    yaw = math.radians(line.yaw)
    forward, right = np.array([math.cos(yaw), math.sin(yaw), 0.0]), np.array([-math.sin(yaw), math.cos(yaw), 0.0])
    centre, half = np.array([line.x, line.y, line.z + PAINT_LIFT]), 0.5 * line.width - 0.12
    if not give_way:
        ring = [(-STOP_HALF, -half), (STOP_HALF, -half), (STOP_HALF, half), (-STOP_HALF, half)]
        _upward(builder, np.array([centre + forward * a + right * b for a, b in ring]), Material.STOP_LINE)
        return
    teeth = max(2, round(2.0 * half / 0.8))
    for edge in np.linspace(-half, half, teeth, endpoint=False):
        middle = edge + half / teeth
        ring = [(0.35, edge + 0.08), (0.35, edge + 2.0 * half / teeth - 0.08), (-0.35, middle)]
        _upward(builder, np.array([centre + forward * a + right * b for a, b in ring]), Material.STOP_LINE)


def _upward(builder: MeshBuilder, ring: np.ndarray, material: Material) -> None:
    (ax, ay, _), (bx, by, _) = ring[1] - ring[0], ring[2] - ring[0]
    turn = ax * by - ay * bx
    builder.polygon(ring if turn > 0.0 else ring[::-1], material, Look.PLAIN, WHITE)
