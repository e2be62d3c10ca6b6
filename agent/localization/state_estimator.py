"""Where the ego is, from noisy fixes, compass and speedometer.

SimLingo's unscented Kalman filter: its state, noise and bicycle model, and Merwe's sigma points (beta 2, kappa 0), anew
for the correction. Their spread alpha is 1e-5 there, which makes no difference but in the digits, of which it costs
ten: here it is wide enough to keep them.

The library that SimLingo uses (filterpy 1.4) corrects with the sigma points from before the process noise was added.
Then a speed that the brake holds at zero has no variance and is not corrected any more: told to brake while it drives,
that filter stays behind by metres. CARLA's car does not move in its first seconds, so it does not show there.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from linkvla.agent.control.plan_follower import Pedals

_TICK = 0.05  # s
_FRONT, _REAR = -0.090769, 1.4178275  # m, bicycle model fitted to the ego
_STEER_GAIN = 0.36848336  # rad of wheel angle per unit of steering
_BRAKING, _THROTTLE = -4.952399, 0.5633837  # m/s^2; the latter per unit of throttle
_ALPHA, _BETA = 0.1, 2.0
_SIZE = 4  # of the state: x, y, yaw, speed
_REACH = _ALPHA * math.sqrt(_SIZE)  # of the sigma points, in standard deviations
_SIDE = 0.5 / _REACH**2  # weight of each sigma point but the middle one
_MIDDLE = 1.0 - 2 * _SIZE * _SIDE + 1.0 - _ALPHA**2 + _BETA  # weight of the middle one in covariances
_INITIAL = np.diag([0.5, 0.5, 1e-6, 1e-6])
_MEASUREMENT = np.diag([0.5, 0.5, 1e-15, 1e-15])
_PROCESS = np.diag([1e-4, 1e-4, 1e-3, 1e-3])


@dataclass(frozen=True)
class EgoState:
    """World frame: metres, radians, m/s."""

    x: float
    y: float
    yaw: float
    speed: float

    def to_ego(self, points_in_world: np.ndarray) -> np.ndarray:
        """(n, 2) metres in the world to (n, 2) metres in the ego frame (x forward, y right)."""
        offset = np.asarray(points_in_world, float) - (self.x, self.y)
        cosine, sine = math.cos(self.yaw), math.sin(self.yaw)
        return offset @ np.array([[cosine, -sine], [sine, cosine]])

    def to_world(self, points_in_ego: np.ndarray) -> np.ndarray:
        """The way back: (n, 2) metres in the ego frame to (n, 2) metres in the world."""
        cosine, sine = math.cos(self.yaw), math.sin(self.yaw)
        return np.asarray(points_in_ego, float) @ np.array([[cosine, sine], [-sine, cosine]]) + (self.x, self.y)


class StateEstimator:
    """Filters positions; heading and speed pass through as measured, as SimLingo uses them."""

    def __init__(self) -> None:
        self._mean: np.ndarray | None = None
        self._covariance = _INITIAL.copy()

    @property
    def position(self) -> np.ndarray | None:
        """(2,) metres; None before the first step."""
        return None if self._mean is None else self._mean[:2].copy()

    def step(self, position: np.ndarray | None, yaw: float, speed: float, previous: Pedals) -> EgoState:
        """Predict one tick with the previous pedals, then correct.

        Args:
            position: (2,) metres, measured; None skips the correction of x and y (the first one must be given).
            yaw: rad, measured.
            speed: m/s, measured.
            previous: what was applied since the last step.
        """
        if self._mean is None:
            self._mean = np.array([*position, yaw, speed], float)
        else:
            self._predict(previous)
            self._correct(position, yaw, speed)
        x, y = self._mean[:2]
        return EgoState(float(x), float(y), yaw, speed)

    def _predict(self, previous: Pedals) -> None:
        spread = _REACH * np.linalg.cholesky(self._covariance).T
        x, y, yaw, speed = np.concatenate([self._mean[None], self._mean + spread, self._mean - spread]).T
        slip = math.atan(_REAR / (_FRONT + _REAR) * math.tan(_STEER_GAIN * previous.steer))
        change = _BRAKING if previous.brake > 0.5 else _THROTTLE * previous.throttle
        points = np.stack(
            [
                x + speed * np.cos(yaw + slip) * _TICK,
                y + speed * np.sin(yaw + slip) * _TICK,
                yaw + speed * math.sin(slip) / _REAR * _TICK,
                np.maximum(0.0, speed + change * _TICK),
            ],
            axis=1,
        )
        # As differences to the middle one, whose large weight would cost digits. Yaw is continuous among them.
        self._mean = points[0] + _SIDE * (points[1:] - points[0]).sum(axis=0)
        offsets = points - self._mean
        weights = np.array([_MIDDLE] + 2 * _SIZE * [_SIDE])
        self._covariance = (offsets.T * weights) @ offsets + _PROCESS

    def _correct(self, position: np.ndarray | None, yaw: float, speed: float) -> None:
        """What is measured is the state itself, or its last two parts, so the sigma points need not be drawn."""
        rows = [2, 3] if position is None else [0, 1, 2, 3]
        measured = np.array([yaw, speed] if position is None else [*position, yaw, speed], float)
        difference = measured - self._mean[rows]
        difference[-2] = (difference[-2] + math.pi) % (2 * math.pi) - math.pi
        expected, noise = self._covariance[rows], _MEASUREMENT[np.ix_(rows, rows)]
        gain = np.linalg.solve(expected[:, rows] + noise, expected).T
        self._mean = self._mean + gain @ difference
        kept = np.eye(_SIZE)
        kept[:, rows] -= gain
        # Joseph's form: a difference of nearly equal variances would not always stay positive.
        self._covariance = kept @ self._covariance @ kept.T + gain @ noise @ gain.T
