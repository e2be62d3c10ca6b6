"""Pixels as CARLA's cameras encode them: from what a drawing knows about every pixel to BGRA bytes (compiled).

All fill the first three channels of ``bgra`` (H, W, 4) uint8, blue, green and red.
"""

from __future__ import annotations

import numba
import numpy as np

from linkvla.launch.sim.render.rasteriser import OPTIONS

FULL_DEPTH_CODE = (1 << 24) - 1
FARTHEST_DEPTH_M = 1000.0  # what a depth camera encodes as white


@numba.njit(**OPTIONS)
def depth_pixels(inverse_depth, bgra):
    """Depth along the viewing axis as R + 256 G + 65536 B, full scale 1000 m; inverse_depth (H, W) 1/m, 0: nothing."""
    rows, columns = inverse_depth.shape
    for r in range(rows):
        for q in range(columns):
            nearest = max(np.float64(inverse_depth[r, q]), 1.0 / FARTHEST_DEPTH_M)
            code = np.uint32(FULL_DEPTH_CODE / FARTHEST_DEPTH_M / nearest + 0.5)
            bgra[r, q, 0], bgra[r, q, 1], bgra[r, q, 2] = code >> 16, (code >> 8) & 255, code & 255


@numba.njit(**OPTIONS)
def label_pixels(triangle, material_of, owner_of, shape_of, labels, bgra):
    """Label in red. triangle (H, W), -1: sky; shape_of (owners,) rows of ``labels`` (shapes, 256)."""
    rows, columns = triangle.shape
    for r in range(rows):
        for q in range(columns):
            k = triangle[r, q]
            label = labels[shape_of[owner_of[k]], material_of[k]] if k >= 0 else labels[0, 0]
            bgra[r, q, 0], bgra[r, q, 1], bgra[r, q, 2] = 0, 0, label


@numba.njit(**OPTIONS)
def instance_pixels(triangle, material_of, owner_of, shape_of, labels, instance_of, bgra):
    """Label in red, the low byte of the owner's number in green, its high byte in blue; otherwise ``label_pixels``."""
    label_pixels(triangle, material_of, owner_of, shape_of, labels, bgra)
    rows, columns = triangle.shape
    for r in range(rows):
        for q in range(columns):
            k = triangle[r, q]
            if k >= 0:
                number = instance_of[owner_of[k]]
                bgra[r, q, 0], bgra[r, q, 1] = (number >> 8) & 255, number & 255


@numba.njit(**OPTIONS)
def normal_pixels(triangle, normal_of, bgra):
    """World normal: x, y, z in red, green and blue, -1 .. 1 as 0 .. 255; the sky has none, which is mid-grey."""
    rows, columns = triangle.shape
    for r in range(rows):
        for q in range(columns):
            k = triangle[r, q]
            for a in range(3):
                part = normal_of[k, a] if k >= 0 else np.float32(0.0)
                bgra[r, q, 2 - a] = np.uint8(part * np.float32(127.5) + np.float32(128.0))
