"""How far along its route the car is, by the sparse plan that agents get."""

from __future__ import annotations

import numpy as np

_LOOKED_AT = 100.0
"""m of the plan ahead of the farthest place so far: a route that crosses itself is not cut short."""


class RouteProgress:
    """Follows the car along the straight pieces between the plan's points, which cut bends: a few % are its error."""

    def __init__(self, points_in_world: np.ndarray) -> None:
        """Plan points (n, 2) in metres, n >= 1."""
        self._points = np.asarray(points_in_world, float).reshape(-1, 2)
        self._steps = np.diff(self._points, axis=0)
        self._lengths = np.hypot(self._steps[:, 0], self._steps[:, 1])
        self._starts = np.concatenate([[0.0], np.cumsum(self._lengths)])
        self._reached = 0.0  # m

    def step(self, x: float, y: float) -> float | None:
        """Percent of the route at (x, y) in metres, world, never less than before; None for a route of no length."""
        total = self._starts[-1]
        if total <= 0.0:
            return None
        window = (self._starts[1:] >= self._reached) & (self._starts[:-1] <= self._reached + _LOOKED_AT)
        window &= self._lengths > 0.0
        pieces = np.flatnonzero(window)
        if len(pieces):
            offsets = np.array([x, y]) - self._points[pieces]
            shares = np.einsum("ij,ij->i", offsets, self._steps[pieces]) / self._lengths[pieces] ** 2
            shares = np.clip(shares, 0.0, 1.0)
            gaps = np.linalg.norm(offsets - shares[:, None] * self._steps[pieces], axis=1)
            best = int(np.argmin(gaps))
            here = self._starts[pieces[best]] + shares[best] * self._lengths[pieces[best]]
            self._reached = max(self._reached, float(here))
        return 100.0 * self._reached / total
