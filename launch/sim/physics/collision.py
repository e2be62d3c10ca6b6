"""Oriented boxes that touch: separating-axis tests in the plane plus an overlap test of the heights.

A box row is (x, y, yaw, half_x, half_y, z_low, z_high): metres and radians, world frame. A contact row is
(i, j, nx, ny, depth): box i is freed by moving it ``depth`` metres along (nx, ny), which points from j to i.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit

BOX_SIZE = 7
CONTACT_SIZE = 5
MOST_CONTACTS = 512


@njit(cache=True)
def contact(a, b):  # pragma: no cover - compiled
    """Penetration of two boxes: (depth, nx, ny), depth 0 where they are apart."""
    if a[5] > b[6] or b[5] > a[6]:
        return 0.0, 0.0, 0.0
    dx, dy = a[0] - b[0], a[1] - b[1]
    reach = math.hypot(a[3], a[4]) + math.hypot(b[3], b[4])
    if dx * dx + dy * dy > reach * reach:
        return 0.0, 0.0, 0.0
    best, normal_x, normal_y = 1e30, 0.0, 0.0
    for axis in range(4):
        angle = a[2] if axis < 2 else b[2]
        if axis % 2 == 1:
            angle += math.pi / 2.0
        ux, uy = math.cos(angle), math.sin(angle)
        reach_a = a[3] * abs(math.cos(a[2] - angle)) + a[4] * abs(math.sin(a[2] - angle))
        reach_b = b[3] * abs(math.cos(b[2] - angle)) + b[4] * abs(math.sin(b[2] - angle))
        gap = dx * ux + dy * uy
        depth = reach_a + reach_b - abs(gap)
        if depth <= 0.0:
            return 0.0, 0.0, 0.0
        if depth < best:
            best = depth
            sign = 1.0 if gap >= 0.0 else -1.0
            normal_x, normal_y = ux * sign, uy * sign
    return best, normal_x, normal_y


@njit(cache=True, nogil=True)
def _find(moving, standing, free, out):  # pragma: no cover - compiled
    count = 0
    for i in range(free):
        for j in range(i + 1, moving.shape[0] + standing.shape[0]):
            other = moving[j] if j < moving.shape[0] else standing[j - moving.shape[0]]
            depth, nx, ny = contact(moving[i], other)
            if depth > 0.0 and count < out.shape[0]:
                out[count, 0], out[count, 1] = i, j
                out[count, 2], out[count, 3], out[count, 4] = nx, ny, depth
                count += 1
    return count


def contacts(moving: np.ndarray, standing: np.ndarray, free: int | None = None) -> np.ndarray:
    """All touching pairs with at least one free box.

    Args:
        moving: (N, BOX_SIZE) float64.
        standing: (M, BOX_SIZE) float64; their contact index is N + row.
        free: how many of the moving boxes, from the first on, an impact can move; None: all.

    Returns:
        (K, CONTACT_SIZE) float64, K at most MOST_CONTACTS.
    """
    out = np.empty((MOST_CONTACTS, CONTACT_SIZE))
    return out[: _find(moving, standing, len(moving) if free is None else free, out)]


def overlaps(box: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Rows of ``others`` (M, BOX_SIZE) that ``box`` (BOX_SIZE,) touches, as indices."""
    if not len(others):
        return np.empty(0, dtype=np.int64)
    return contacts(box[None], others)[:, 1].astype(np.int64) - 1


def footprint_box(footprint: np.ndarray, base: float, height: float) -> np.ndarray:
    """(BOX_SIZE,) smallest rectangle around a polygon, (N, 2) metres, standing from ``base`` to ``base + height``."""
    best: tuple[float, np.ndarray] | None = None
    for edge in np.roll(footprint, -1, axis=0) - footprint:
        length = float(np.hypot(*edge))
        if length < 1e-6:
            continue
        along = edge / length
        across = np.array([-along[1], along[0]])
        u, v = footprint @ along, footprint @ across
        half_u, half_v = np.ptp(u) / 2.0, np.ptp(v) / 2.0
        centre = along * (u.max() + u.min()) / 2.0 + across * (v.max() + v.min()) / 2.0
        yaw = math.atan2(along[1], along[0])
        row = np.array([*centre, yaw, half_u, half_v, base, base + height])
        if best is None or half_u * half_v < best[0] - 1e-9:
            best = (float(half_u * half_v), row)
    return best[1] if best else np.array([*footprint[0], 0.0, 0.0, 0.0, base, base + height])
