"""What goes into a LinkVLA and what comes out. Leaf module: numpy only.

Ego frame: x forward, y RIGHT, z up (CARLA's left-handed frame), metres, radians.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import IntEnum

import numpy as np

from linkvla.model.interface.errors import ObservationError

PATH_POINTS = 20
"""Path points, at arc lengths 0, 1, ..., 19 m from the ego origin (SimLingo; LinkVLA section 3)."""

SPEED_WAYPOINTS = 10
"""Speed waypoints, at t = 0.25, 0.50, ..., 2.50 s (4 Hz)."""

POINTS = PATH_POINTS + SPEED_WAYPOINTS
"""Of a plan, path first."""

SPEED_WAYPOINT_INTERVAL = 0.25  # s


class Command(IntEnum):
    """Navigation command; the values are those of CARLA's ``RoadOption``."""

    LEFT = 1
    RIGHT = 2
    STRAIGHT = 3
    LANE_FOLLOW = 4
    CHANGE_LANE_LEFT = 5
    CHANGE_LANE_RIGHT = 6


@dataclass(frozen=True)
class Observation:
    """One decision's worth of input."""

    image: np.ndarray  # (H, W, 3) uint8 RGB, the whole camera frame
    speed: float  # m/s
    target_points_in_ego: np.ndarray  # (2, 2) float, metres: next and second-next sparse route point
    command: Command = Command.LANE_FOLLOW
    next_command: Command = Command.LANE_FOLLOW
    distance_to_command: float = 0.0  # m, to the first target point
    instruction: str | None = None  # free language, such as "stop now"; None drives by navigation alone
    refuse_unsafe: bool = False  # an instruction that is not safe is refused, in words, and not followed

    def __post_init__(self) -> None:
        image = self.image
        if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8:
            raise ObservationError(
                f"camera frame must be (H, W, 3) uint8 RGB, got {image.shape} {image.dtype}; convert BGRA frames first"
            )
        if np.shape(self.target_points_in_ego) != (2, 2) or not np.all(np.isfinite(self.target_points_in_ego)):
            raise ObservationError(
                f"target points must be two finite (x, y) points in metres, got {self.target_points_in_ego!r}"
            )
        if not np.isfinite(self.speed):
            raise ObservationError(f"speed must be finite, got {self.speed!r}; hold the last good value instead")


@dataclass(frozen=True)
class Plan:
    """What the model wants to do."""

    path_in_ego: np.ndarray  # (20, 2) float64, metres, arc length 0..19 m
    speed_waypoints_in_ego: np.ndarray  # (10, 2) float64, metres, t = 0.25..2.50 s
    language: str = ""
    diagnostics: dict = field(default_factory=dict)  # e.g. endpoint probabilities, timings in ms

    @property
    def final_speed(self) -> float:
        """m/s between the last two speed waypoints."""
        step = self.speed_waypoints_in_ego[-1] - self.speed_waypoints_in_ego[-2]
        return float(np.hypot(*step)) / SPEED_WAYPOINT_INTERVAL
