"""Draws a plan into the camera picture: the path as a ribbon on the road, the speed waypoints as discs on it."""

from __future__ import annotations

import cv2
import numpy as np

from linkvla.launch.report.view import PinholeCamera

PATH_COLOUR = (64, 220, 120)  # RGB
WAYPOINT_COLOUR = (70, 150, 255)
RIBBON_HALF_WIDTH = 0.35  # m
DISC_RADIUS = 0.22  # m, on the ground
OPACITY = 0.55
SHIFT = 4  # fractional bits of cv2's drawing coordinates: smooth edges instead of jumping ones


def draw_plan(
    image: np.ndarray,
    camera: PinholeCamera,
    path_in_ego: np.ndarray | None,
    speed_waypoints_in_ego: np.ndarray | None,
) -> None:
    """Draw in place. The ground is taken as the plane that the ego stands on.

    Args:
        image: (H, W, 3) uint8 RGB, of the camera's size.
        path_in_ego: (N, 2) metres, or None.
        speed_waypoints_in_ego: (M, 2) metres, or None.
    """
    if path_in_ego is not None and len(path_in_ego) > 1:
        _draw_ribbon(image, camera, np.asarray(path_in_ego, dtype=np.float64))
    if speed_waypoints_in_ego is not None:
        _draw_discs(image, camera, np.asarray(speed_waypoints_in_ego, dtype=np.float64))


def _draw_ribbon(image: np.ndarray, camera: PinholeCamera, path: np.ndarray) -> None:
    path = path[np.isfinite(path).all(axis=1)]
    if len(path) < 2:
        return
    tangent = np.gradient(path, axis=0)
    tangent /= np.maximum(np.linalg.norm(tangent, axis=1, keepdims=True), 1e-6)
    across = np.stack([-tangent[:, 1], tangent[:, 0]], axis=1) * RIBBON_HALF_WIDTH
    left, left_seen = camera.project(_on_ground(path - across))
    right, right_seen = camera.project(_on_ground(path + across))
    seen = left_seen & right_seen
    layer = image.copy()
    for k in range(len(path) - 1):
        if seen[k] and seen[k + 1]:
            quad = np.stack([left[k], left[k + 1], right[k + 1], right[k]])
            fade = 1.0 - 0.45 * k / len(path)
            colour = tuple(int(channel * fade) for channel in PATH_COLOUR)
            cv2.fillConvexPoly(layer, _fixed(quad), colour, cv2.LINE_AA, SHIFT)
    cv2.addWeighted(layer, OPACITY, image, 1.0 - OPACITY, 0.0, dst=image)
    for edge in (left, right):
        cv2.polylines(image, [_fixed(edge[seen])], False, PATH_COLOUR, 1, cv2.LINE_AA, SHIFT)


def _draw_discs(image: np.ndarray, camera: PinholeCamera, waypoints: np.ndarray) -> None:
    waypoints = waypoints[np.isfinite(waypoints).all(axis=1)]
    pixels, seen = camera.project(_on_ground(waypoints))
    # From far to near, so that near discs cover far ones. Discs on the ground look like ellipses.
    for k in np.flatnonzero(seen)[::-1]:
        depth = waypoints[k, 0] - camera.x
        wide = max(camera.focal_length * DISC_RADIUS / depth, 2.0)
        high = max(wide * camera.z / depth, 1.5)
        axes = (round(wide * 2**SHIFT), round(high * 2**SHIFT))
        centre = tuple(int(value) for value in _fixed(pixels[k]))
        cv2.ellipse(image, centre, axes, 0, 0, 360, WAYPOINT_COLOUR, cv2.FILLED, cv2.LINE_AA, SHIFT)
        cv2.ellipse(image, centre, axes, 0, 0, 360, (255, 255, 255), 1, cv2.LINE_AA, SHIFT)


def _on_ground(points: np.ndarray) -> np.ndarray:
    return np.concatenate([points, np.zeros((len(points), 1))], axis=1)


def _fixed(pixels: np.ndarray) -> np.ndarray:
    # Clipped far outside the picture: cv2's fixed-point coordinates overflow silently.
    return np.round(np.clip(pixels, -20_000, 20_000) * 2**SHIFT).astype(np.int32)
