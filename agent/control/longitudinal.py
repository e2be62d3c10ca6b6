"""Throttle and brake from predicted speed waypoints (SimLingo's controller)."""

from __future__ import annotations

import math

import numpy as np

from linkvla.agent.control.pid import WindowedPID

_PROPORTIONAL, _INTEGRAL, _DERIVATIVE, _WINDOW = 1.75, 1.0, 2.0, 20
_STANDING = 0.4  # m/s; a slower wish means to stand
_TOO_FAST = 1.1  # brake when the speed exceeds the wish by this factor
_LARGEST_ERROR = 1.0  # m/s
_FULL_THROTTLE = 1.0


def desired_speed(speed_waypoints_in_ego: np.ndarray) -> float:
    """Mean speed in m/s between t = 0.25 and 0.75 s of waypoints (10, 2) in metres."""
    first, third = np.asarray(speed_waypoints_in_ego, float)[[0, 2]]
    return 2.0 * math.hypot(*(third - first))


class LongitudinalController:
    """Follows the desired speed with throttle, and brakes fully when it is clearly exceeded."""

    def __init__(self) -> None:
        self._pid = WindowedPID(_PROPORTIONAL, _INTEGRAL, _DERIVATIVE, _WINDOW)

    def reset(self) -> None:
        """Forget past errors."""
        self._pid.reset()

    def step(self, speed_waypoints_in_ego: np.ndarray, speed: float) -> tuple[float, float]:
        """(throttle, brake), each in [0, 1]; the brake is 0 or 1.

        Args:
            speed_waypoints_in_ego: (10, 2) metres, t = 0.25..2.50 s.
            speed: m/s.
        """
        desired = desired_speed(speed_waypoints_in_ego)
        wish = self._pid.step(min(max(desired - speed, 0.0), _LARGEST_ERROR))
        if desired < _STANDING or speed / desired > _TOO_FAST:
            return 0.0, 1.0
        return min(max(wish, 0.0), _FULL_THROTTLE), 0.0
