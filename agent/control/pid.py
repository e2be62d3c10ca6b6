"""A PID whose integral is the mean of a sliding window of errors, as SimLingo and its ancestors use it."""

from __future__ import annotations

from collections import deque

from linkvla.model.interface.errors import ConfigurationError


class WindowedPID:
    """output = kp e + ki mean(last n errors) + kd (e - previous e); the window starts filled with zeros."""

    def __init__(self, proportional: float, integral: float, derivative: float, window: int) -> None:
        if window < 2:
            raise ConfigurationError(f"a PID window needs at least 2 samples, got {window}")
        self._gains = proportional, integral, derivative
        self._errors: deque[float] = deque([0.0] * window, maxlen=window)

    def reset(self) -> None:
        """Forget all errors."""
        for _ in range(self._errors.maxlen):
            self._errors.append(0.0)

    def step(self, error: float) -> float:
        """Take the error of this tick and return the output."""
        self._errors.append(float(error))
        proportional, integral, derivative = self._gains
        mean = sum(self._errors) / len(self._errors)
        return proportional * error + integral * mean + derivative * (self._errors[-1] - self._errors[-2])
