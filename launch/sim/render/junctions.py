"""Fills the gaps that connecting roads leave in a junction: between turning lanes, and between asphalt and sidewalk."""

from __future__ import annotations

import math

import cv2
import numpy as np

from linkvla.launch.sim.render.materials import Look, Material
from linkvla.launch.sim.render.mesh import Colour, MeshBuilder
from linkvla.launch.sim.render.roads import LaneStrip

CELL = 0.5  # m
CLOSING = 9.0  # m, gaps up to this width between paved parts are filled
LARGEST_ISLAND = 80.0  # m^2, larger enclosed gaps stay green
DROP = 0.03  # m below the road, so that it never covers the road itself


def add_junction_fill(builder: MeshBuilder, strips: list[LaneStrip], asphalt: Colour) -> None:
    """Pave the gaps of all junctions."""
    inside = [strip for strip in strips if strip.in_junction]
    if not inside:
        return
    points = np.concatenate([strip.centre for strip in inside])
    low = points[:, :2].min(0) - 2.0 * CLOSING
    shape = np.ceil((points[:, :2].max(0) + 2.0 * CLOSING - low) / CELL).astype(int)[::-1]
    road, walk, junction = (np.zeros(shape, np.uint8) for _ in range(3))
    for strip in strips:
        _paint(walk if strip.kind == "Sidewalk" else road, strip, low)
        if strip.in_junction and strip.kind != "Sidewalk":
            _paint(junction, strip, low)
    gap = _gaps(road, walk, junction)
    # One quad for each run of cells in a row.
    padded = np.pad(gap.astype(np.int8), ((0, 0), (1, 1)))
    row, start = np.nonzero(np.diff(padded, axis=1) == 1)
    _, end = np.nonzero(np.diff(padded, axis=1) == -1)
    after = row + 1
    places = ((row, start), (row, end), (after, end), (after, start))
    wanted = [(np.minimum(i, shape[0] - 1), np.minimum(j, shape[1] - 1)) for i, j in places]
    height = _heights(inside, low, shape, wanted)
    corner = []
    for (i, j), cells in zip(places, wanted):
        z = height[cells]
        # Rows overlap a little: edges that only touch leave cracks where their ends differ.
        side = -0.15 if i is row else 0.15
        corner.append(np.column_stack([low[0] + j * CELL, low[1] + (i + side) * CELL, z - DROP]))
    builder.quads(*corner, Material.ROAD, Look.ASPHALT, asphalt)


def _paint(mask: np.ndarray, strip: LaneStrip, low: np.ndarray) -> None:
    left, right = (strip.left[:, :2] - low) / CELL, (strip.right[:, :2] - low) / CELL
    quads = np.round(np.stack([left[:-1], left[1:], right[1:], right[:-1]], 1)).astype(np.int32)
    for quad in quads:
        cv2.fillConvexPoly(mask, quad, 1)


def _gaps(road: np.ndarray, walk: np.ndarray, junction: np.ndarray) -> np.ndarray:
    """Boolean mask of the cells to pave: the gaps, and what lies between and under them."""
    paved = road | walk
    reach = int(CLOSING / CELL) | 1
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (reach, reach))
    near = cv2.dilate(junction, disc)
    closed = cv2.morphologyEx(paved, cv2.MORPH_CLOSE, disc)
    # Of what closing adds, only what borders a junction's asphalt: not the inner corners behind sidewalks.
    count, labels, stats, _ = cv2.connectedComponentsWithStats(
        ((closed > 0) & (paved == 0)).astype(np.uint8), connectivity=4
    )
    touching = np.unique(labels[cv2.dilate(junction, np.ones((3, 3), np.uint8)) > 0])
    keep = np.zeros(count, bool)
    keep[touching] = True
    keep[0] = False
    out = keep[labels] & (near > 0)
    count, labels, stats, _ = cv2.connectedComponentsWithStats((paved == 0).astype(np.uint8), connectivity=4)
    island = stats[:, cv2.CC_STAT_AREA] * CELL**2 < LARGEST_ISLAND
    island[0] = False
    touching = np.zeros(count, bool)
    touching[np.unique(labels[cv2.dilate(junction, np.ones((3, 3), np.uint8)) > 0])] = True
    out = (out | (island & touching)[labels]).astype(np.uint8)
    # The whole junction gets an underlay, so that slivers between lanes are closed too; it stays inside the outer edge.
    solid = cv2.erode(out | paved, np.ones((3, 3), np.uint8))
    return (solid > 0) & (cv2.dilate(junction | out, np.ones((5, 5), np.uint8)) > 0)


def _heights(
    strips: list[LaneStrip], low: np.ndarray, shape: np.ndarray, wanted: list[tuple[np.ndarray, np.ndarray]]
) -> np.ndarray:
    """Road height, (rows, columns) float64 m, at the wanted cells (rows, columns); 0 elsewhere and far from all roads.

    Means of the lane points, near ones weighing most. A wide mean costs seconds in a large town: it is taken only
    around the cells that the narrower one does not reach.
    """
    total, weight = np.zeros(shape), np.zeros(shape)
    for strip in strips:
        points = np.concatenate([strip.left, strip.centre, strip.right])
        cell = np.clip(((points[:, :2] - low) / CELL).astype(int), 0, np.array(shape)[::-1] - 1)
        np.add.at(total, (cell[:, 1], cell[:, 0]), points[:, 2])
        np.add.at(weight, (cell[:, 1], cell[:, 0]), 1.0)
    out, missing = np.zeros(shape), np.zeros(shape, bool)
    for cells in wanted:
        missing[cells] = True
    for sigma in (3.0, 6.0, 12.0):  # cells
        rows, columns = np.nonzero(missing)
        if not len(rows):
            break
        reach = math.ceil(4.0 * sigma) + 1  # a Gaussian of cv2 ends before that
        part = tuple(slice(max(at.min() - reach, 0), at.max() + reach + 1) for at in (rows, columns))
        blurred, share = (cv2.GaussianBlur(image[part], (0, 0), sigma) for image in (total, weight))
        known = missing[part] & (share > 1e-4)
        out[part][known] = blurred[known] / share[known]
        missing[part] &= ~known
    return out
