"""Debug lines over a finished picture, hidden where the scene is nearer."""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np

from linkvla.launch.sim.render.camera import FAR, Drawing
from linkvla.launch.sim.render.rasteriser import NEAR

_WIDEST_PX = 255  # what cv2 can draw
_SLACK = 0.02  # share of the distance by which a line may lie behind a surface and still be seen


@dataclass(frozen=True)
class DebugLines:
    """Segments in the world; one of no length is a point."""

    ends: np.ndarray  # (N, 2, 3) float32 m
    thickness: np.ndarray  # (N,) float32 m
    colour: np.ndarray  # (N, 3) uint8 RGB


def draw_lines(drawing: Drawing, rgb: np.ndarray, lines: DebugLines) -> None:
    """Draw lines into ``rgb`` (H, W, 3) uint8, the picture that was made from ``drawing``."""
    pose_in_world = drawing.pose_in_world
    rotation = pose_in_world.rotation_matrix()
    ends = (lines.ends.astype(np.float64) - pose_in_world.location()) @ rotation
    for (start, end), thickness, colour in zip(ends, lines.thickness.tolist(), lines.colour.tolist()):
        clipped = _before_the_lens(start, end)
        if clipped is not None:
            _draw(drawing, rgb, *clipped, thickness, colour)


def _before_the_lens(start: np.ndarray, end: np.ndarray) -> tuple[np.ndarray, np.ndarray] | None:
    """The part of a segment between the near plane and the horizon of the picture, camera frame."""
    low, high = 0.0, 1.0
    change = float(end[0] - start[0])
    for limit, sign in ((2.0 * NEAR, 1.0), (FAR, -1.0)):
        first, last = sign * (float(start[0]) - limit), sign * (float(end[0]) - limit)
        if first < 0.0 and last < 0.0:
            return None
        if first < 0.0:
            low = max(low, (limit - float(start[0])) / change)
        elif last < 0.0:
            high = min(high, (limit - float(start[0])) / change)
    return (start + low * (end - start), start + high * (end - start)) if low <= high else None


def _draw(
    drawing: Drawing, rgb: np.ndarray, start: np.ndarray, end: np.ndarray, thickness: float, colour: list
) -> None:
    camera = drawing.camera
    rows, columns = rgb.shape[:2]
    focal = camera.focal_length
    pixels = [
        (camera.width / 2.0 + focal * p[1] / p[0], camera.height / 2.0 - focal * p[2] / p[0]) for p in (start, end)
    ]
    length = math.dist(*pixels)
    count = int(min(max(length, 1.0), 4.0 * (rows + columns))) + 1
    share = np.linspace(0.0, 1.0, count)
    inverse = (1.0 - share) / start[0] + share / end[0]  # linear over the picture, as the rasteriser's
    u = pixels[0][0] + share * (pixels[1][0] - pixels[0][0])
    v = pixels[0][1] + share * (pixels[1][1] - pixels[0][1])
    inside = (u >= 0.0) & (u < columns) & (v >= 0.0) & (v < rows)
    column, row = np.where(inside, u, 0.0).astype(np.int64), np.where(inside, v, 0.0).astype(np.int64)
    seen = inside & (inverse * (1.0 + _SLACK) >= drawing.inverse_depth[row, column])
    for first, last in _runs(seen):
        depth = 2.0 / (inverse[first] + inverse[last])
        width = int(min(max(round(focal * thickness / depth), 1), _WIDEST_PX))
        cv2.line(rgb, (int(column[first]), int(row[first])), (int(column[last]), int(row[last])), colour, width)


def _runs(seen: np.ndarray) -> list[tuple[int, int]]:
    """First and last index of every run of True."""
    edges = np.diff(np.concatenate([[0], seen.astype(np.int8), [0]]))
    return list(zip(np.nonzero(edges == 1)[0].tolist(), (np.nonzero(edges == -1)[0] - 1).tolist()))
