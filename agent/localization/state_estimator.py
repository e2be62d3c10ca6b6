"""Where the ego is, from noisy fixes, compass and speedometer.

An extended Kalman filter with the state, the noise and the bicycle model of SimLingo's unscented one. That one spreads
its sigma points by a factor of 1e-5, so it linearises at the mean just as this one does.
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
        x, y, yaw, speed = self._mean
        slip = math.atan(_REAR / (_FRONT + _REAR) * math.tan(_STEER_GAIN * previous.steer))
        heading, turning = yaw + slip, math.sin(slip) / _REAR
        change = _BRAKING if previous.brake > 0.5 else _THROTTLE * previous.throttle
        self._mean = np.array(
            [
                x + speed * math.cos(heading) * _TICK,
                y + speed * math.sin(heading) * _TICK,
                yaw + speed * turning * _TICK,
                max(0.0, speed + change * _TICK),
            ]
        )
        jacobian = np.eye(4)
        jacobian[0, 2:] = -speed * math.sin(heading) * _TICK, math.cos(heading) * _TICK
        jacobian[1, 2:] = speed * math.cos(heading) * _TICK, math.sin(heading) * _TICK
        jacobian[2, 3] = turning * _TICK
        self._covariance = jacobian @ self._covariance @ jacobian.T + _PROCESS

    def _correct(self, position: np.ndarray | None, yaw: float, speed: float) -> None:
        rows = [2, 3] if position is None else [0, 1, 2, 3]
        measured = np.array([yaw, speed] if position is None else [*position, yaw, speed], float)
        difference = measured - self._mean[rows]
        angle = rows.index(2)
        difference[angle] = (difference[angle] + math.pi) % (2 * math.pi) - math.pi
        observed = np.eye(4)[rows]
        innovation = observed @ self._covariance @ observed.T + _MEASUREMENT[np.ix_(rows, rows)]
        gain = np.linalg.solve(innovation, observed @ self._covariance).T
        self._mean = self._mean + gain @ difference
        self._covariance = (np.eye(4) - gain @ observed) @ self._covariance
        self._covariance = 0.5 * (self._covariance + self._covariance.T)
