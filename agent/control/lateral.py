"""Steering along a predicted path (SimLingo's controller on a path densified to 10 cm)."""

from __future__ import annotations

import math

import numpy as np
from scipy.interpolate import PchipInterpolator

from linkvla.agent.control.pid import WindowedPID

_PROPORTIONAL, _INTEGRAL, _DERIVATIVE, _WINDOW = 3.1184, 0.6406, 1.3783, 6
_SPACING = 0.1  # m between the points of the densified path
_LOOKAHEAD_SLOPE, _LOOKAHEAD_OFFSET = 0.9755, 1.9153  # points per km/h, points
_NEAREST, _FARTHEST = 24, 105  # points: 2.4 m to 10.5 m
_FULL_ERROR = math.pi / 2  # rad of bearing that count as an error of 1
_MONOTONE = 1e-4  # m added per point, so that coinciding points stay in order


class LateralController:
    """Steers towards a point of the path that lies the further ahead the faster the vehicle drives."""

    def __init__(self) -> None:
        self._pid = WindowedPID(_PROPORTIONAL, _INTEGRAL, _DERIVATIVE, _WINDOW)

    def reset(self) -> None:
        """Forget past errors."""
        self._pid.reset()

    def step(self, path_in_ego: np.ndarray, speed: float) -> float:
        """Steering in [-1, 1], positive to the right, rounded to 3 decimals.

        Args:
            path_in_ego: (n, 2) metres, x forward, y right.
            speed: m/s.
        """
        x, y = aim_point(path_in_ego, speed)
        error = math.atan2(y, x) / _FULL_ERROR
        return round(min(1.0, max(-1.0, self._pid.step(error))), 3)


def aim_point(path_in_ego: np.ndarray, speed: float) -> tuple[float, float]:
    """The point (x, y) in metres, ego frame, that the controller steers to; (1, 0), straight on, for an empty path."""
    path = np.concatenate([np.zeros((1, 2)), np.asarray(path_in_ego, float)])
    steps = np.hypot(*np.diff(path, axis=0).T)
    distance = np.concatenate([[0.0], np.cumsum(steps)]) + _MONOTONE * np.arange(len(path))
    count = len(np.arange(_SPACING, distance[-1], _SPACING))
    if count == 0 or not np.isfinite(distance[-1]):
        return 1.0, 0.0
    wanted = int(np.clip(_LOOKAHEAD_SLOPE * 3.6 * speed + _LOOKAHEAD_OFFSET, _NEAREST, _FARTHEST))
    place = _SPACING * (min(wanted, count - 1) + 1)
    x, y = PchipInterpolator(distance, path)(place)
    return float(x), float(y)
