"""What a picture of the drive shows: plain data, handed from the driving loop to the drawing thread."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class PinholeCamera:
    """A camera fixed to the ego, looking straight ahead. Metres in the ego frame (x forward, y right, z up)."""

    x: float
    y: float
    z: float
    width: int  # px
    height: int  # px
    fov: float  # degrees, horizontal

    @property
    def focal_length(self) -> float:
        """Pixels."""
        return self.width / (2.0 * np.tan(np.radians(self.fov) / 2.0))

    def project(self, points_in_ego: np.ndarray, near: float = 0.5) -> tuple[np.ndarray, np.ndarray]:
        """Pixels (N, 2) of ego points (N, 3), and (N,) bool: lies at least ``near`` metres before the camera."""
        ahead = points_in_ego[:, 0] - self.x
        visible = ahead > near
        depth = np.where(visible, ahead, 1.0)
        u = self.width / 2.0 + self.focal_length * (points_in_ego[:, 1] - self.y) / depth
        v = self.height / 2.0 - self.focal_length * (points_in_ego[:, 2] - self.z) / depth
        return np.stack([u, v], axis=1), visible


@dataclass(frozen=True)
class OtherActor:
    """Footprint of another road user. World frame, metres, radians."""

    x: float
    y: float
    yaw: float
    half_length: float
    half_width: float
    walker: bool = False


@dataclass(frozen=True)
class DriveView:
    """One instant of a drive."""

    simulated_seconds: float
    route_percent: float | None  # 0..100; None where the route is not known
    speed: float  # m/s
    real_time_ratio: float  # simulated over wall seconds
    command: str  # for people, e.g. "turn left"
    throttle: float  # 0..1
    steer: float  # -1 (left) .. 1 (right)
    brake: float  # 0..1
    ego_in_world: tuple[float, float, float]  # x, y in metres, yaw in radians
    ego_half_extent: tuple[float, float] = (2.45, 1.06)  # m: half length, half width
    image: np.ndarray | None = None  # (H, W, 3) uint8 RGB
    path_in_ego: np.ndarray | None = None  # (N, 2) metres
    speed_waypoints_in_ego: np.ndarray | None = None  # (M, 2) metres
    others: Sequence[OtherActor] = ()
    lights: Sequence[tuple[float, float, str]] = ()  # stop points: x, y in metres, world; "red", "yellow", "green"
    instruction: str = ""  # what the car is told in words
    said: str = ""  # what it says
    light: str | None = None  # "red", "yellow", "green": the light that the ego stands before or drives up to
