"""What the rules of scoring measure on plans: speeds, slopes, distances. Pure numpy; metres, seconds, ego frame."""

from __future__ import annotations

import numpy as np

from linkvla.model.interface.types import PATH_POINTS, SPEED_WAYPOINT_INTERVAL


def resampled(path: np.ndarray) -> np.ndarray:
    """A path (n, 2) at arc lengths 0, 1, ..., 19 m from the ego, (20, 2); SimLingo compares paths like this.

    The ego's origin is put in front. A path that ends early repeats its last point.
    """
    path = np.concatenate([np.zeros((1, 2)), np.asarray(path, np.float64)])
    arc = np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(path, axis=0), axis=1))])
    metres = np.arange(float(PATH_POINTS))
    return np.stack([np.interp(metres, arc, path[:, 0]), np.interp(metres, arc, path[:, 1])], axis=1)


def average_distance(one: np.ndarray, other: np.ndarray) -> float:
    """Mean distance of points of equal index (n, 2), metres: ADE."""
    return float(np.linalg.norm(np.asarray(one, np.float64) - other, axis=-1).mean())


def end_distance(one: np.ndarray, other: np.ndarray) -> float:
    """Distance of the last points, metres: FDE."""
    return float(np.linalg.norm(np.asarray(one[-1], np.float64) - other[-1]))


def speeds(waypoints: np.ndarray) -> np.ndarray:
    """Speeds between successive speed waypoints (..., n, 2), (..., n - 1), m/s.

    Nine for a plan: the way from the ego to the first waypoint is not among them (linkvla and SimLingo alike).
    """
    steps = np.diff(np.asarray(waypoints, np.float64), axis=-2)
    return np.linalg.norm(steps, axis=-1) / SPEED_WAYPOINT_INTERVAL


def speed_slope(waypoints: np.ndarray) -> float:
    """Slope of the straight line through the speeds of a plan (10, 2), m/s^2."""
    values = speeds(waypoints)
    times = SPEED_WAYPOINT_INTERVAL * (np.arange(len(values)) - (len(values) - 1) / 2)
    return float(times @ values / (times @ times))


def end_speed(waypoints: np.ndarray) -> float:
    """Mean speed over the last half second of a plan (10, 2), m/s."""
    return float(np.linalg.norm(np.asarray(waypoints[-1], np.float64) - waypoints[-3])) / (2 * SPEED_WAYPOINT_INTERVAL)
