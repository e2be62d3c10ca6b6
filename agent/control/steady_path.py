"""One path to steer by, out of those of the last plans.

A network plans anew twenty times a second, from one picture each time. Where it is not sure, the likeliest cells of a
point change places, and its path jumps by half a metre and back from tick to tick; a controller that looks three metres
ahead turns that into full lock left and right. Where the road goes does not change in a third of a second. So the last
plans are laid over one another where they lie in the world, and what most of them say is steered by.
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass

import numpy as np

from linkvla.model.interface.types import PATH_POINTS

PLANS = 6
"""Plans that are laid over one another: 0.3 s of them at 20 Hz."""


MOST_PLANS = 40
"""More than that, and the car steers by what it saw two seconds ago."""

_TICK = 0.05  # s


class SteadyPath:
    """Remembers paths where they lie in the world.

    Where that is is reckoned from speed and heading alone: they have hardly any noise, and in a third of a second no
    drift. The filtered position wanders by centimetres, and the steering with it, even while the car stands.

    Args:
        plans: how many, the present one among them, at least 1; with 1 each path stays as it is.
    """

    def __init__(self, plans: int = PLANS) -> None:
        self._past: deque[_Path] = deque(maxlen=plans)
        self._yaw = 0.0

    def reset(self) -> None:
        """Forget the past: there was a tick without a plan."""
        self._past.clear()

    def step(self, path_in_ego: np.ndarray, speed: float, yaw: float) -> np.ndarray:
        """The path of this tick, one tick of 0.05 s after the last: (20, 2) metres, ego frame, a point each metre.

        Each point is the mean of what the plans say, without the quarter of them that says least and the quarter that
        says most, x and y by themselves. Where the older ones end, their last point stands for what they do not say:
        the far end is a little short, two metres at 7 m/s.

        Args:
            path_in_ego: (n, 2) metres, of the present plan.
            speed: m/s.
            yaw: rad, heading in the world.
        """
        turned, self._yaw = yaw - self._yaw, yaw
        moved = [path.seen_after(speed * _TICK, turned) for path in self._past]
        self._past.clear()
        self._past.extend([*moved, _Path(np.asarray(path_in_ego, float))])
        if len(self._past) == 1:
            return path_in_ego
        said = np.sort([path.ahead() for path in self._past], axis=0)
        out = len(said) // 4
        return said[out : len(said) - out].mean(axis=0)


@dataclass(frozen=True)
class _Path:
    """A plan's path, as it is seen now."""

    points: np.ndarray  # (n, 2) metres, ego frame of now
    driven: float = 0.0  # m since it was planned

    def seen_after(self, distance: float, angle: float) -> _Path:
        """After ``distance`` metres straight on and a turn by ``angle`` rad to the right."""
        cosine, sine = math.cos(angle), math.sin(angle)
        turn = np.array([[cosine, -sine], [sine, cosine]])
        return _Path((self.points - (distance, 0.0)) @ turn, self.driven + distance)

    def ahead(self) -> np.ndarray:
        """(20, 2): a point for each metre of what is left of it."""
        arcs = np.concatenate([[0.0], np.cumsum(np.hypot(*np.diff(self.points, axis=0).T))])
        wanted = self.driven + np.arange(PATH_POINTS)
        return np.stack([np.interp(wanted, arcs, along) for along in self.points.T], axis=1)
