"""A route as arrays: one sample per metre along the lane centres, in CARLA's world frame. Numpy only."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace

import numpy as np

from linkvla.model.interface.errors import RouteError


def slope(pitch: float | np.ndarray) -> float | np.ndarray:
    """CARLA's pitch in degrees as radians within -pi..pi.

    A level road comes as 0 and as 360 degrees, and what lies between the two when it is interpolated is a wall.
    """
    return np.radians(pitch) - 2.0 * np.pi * np.round(np.asarray(pitch) / 360.0)


@dataclass(frozen=True)
class DenseRoute:
    """A driveable line with what the road says about each of its points.

    All arrays have shape (n,), n >= 2. The frame is CARLA's world (left-handed, z up), metres and radians.
    """

    x: np.ndarray
    y: np.ndarray
    z: np.ndarray
    yaw_rad: np.ndarray  # heading of the lane, unwrapped: neighbouring values never jump by 2 pi
    pitch: np.ndarray  # rad, positive uphill
    command: np.ndarray  # int, the values of CARLA's RoadOption
    is_junction: np.ndarray  # bool
    lane_width: np.ndarray  # m
    speed_limit: np.ndarray  # m/s, NaN where the map gives none
    arc: np.ndarray = field(init=False)  # m, horizontal distance from the first point

    def __post_init__(self) -> None:
        if len(self.x) < 2:
            raise RouteError(f"a route needs at least two points, got {len(self.x)}; give keypoints further apart")
        steps = np.hypot(np.diff(self.x), np.diff(self.y))
        object.__setattr__(self, "arc", np.concatenate([[0.0], np.cumsum(steps)]))

    def __len__(self) -> int:
        return len(self.x)

    @property
    def length(self) -> float:
        """Horizontal length in metres."""
        return float(self.arc[-1])

    def at(self, arc: float | np.ndarray) -> np.ndarray:
        """Pose at a distance along the route, (..., 5): x, y, z (m), yaw, pitch (rad); clamped to the ends."""
        columns = (self.x, self.y, self.z, self.yaw_rad, self.pitch)
        return np.stack([np.interp(arc, self.arc, column) for column in columns], axis=-1)

    def lateral(self, arc: float, x: float, y: float) -> float:
        """Metres that a place in the world (m) is to the right of the route at a distance along it (m)."""
        here_x, here_y, _, yaw, _ = self.at(arc)
        return float(math.cos(yaw) * (y - here_y) - math.sin(yaw) * (x - here_x))

    def index_at(self, arc: float) -> int:
        """Index of the sample nearest to a distance along the route."""
        index = int(np.searchsorted(self.arc, arc))
        if index >= len(self.arc):
            return len(self.arc) - 1
        if index > 0 and arc - self.arc[index - 1] < self.arc[index] - arc:
            index -= 1
        return index

    def beside(self, offset: np.ndarray) -> DenseRoute:
        """The line that runs ``offset`` (n,) metres to the right of this one.

        A distance along it is given as that of the neighbouring point here, so that one number names both places.
        """
        apart = self.arc + 1e-6 * np.arange(len(self))  # two points may lie in one place
        moved = replace(
            self,
            x=self.x - np.sin(self.yaw_rad) * offset,
            y=self.y + np.cos(self.yaw_rad) * offset,
            yaw_rad=self.yaw_rad + np.arctan(np.gradient(offset, apart)),
        )
        object.__setattr__(moved, "arc", self.arc)
        return moved

    def slice(self, start: int, stop: int) -> DenseRoute:
        """The samples ``start <= index < stop`` as a route of their own (arc starts at 0 again)."""
        names = ("x", "y", "z", "yaw_rad", "pitch", "command", "is_junction", "lane_width", "speed_limit")
        return DenseRoute(*(getattr(self, name)[start:stop] for name in names))
