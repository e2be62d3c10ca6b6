"""What the judges see of one tick, and the route as they see it. Plain data: no simulator needed to test a judge.

World frame: CARLA's (x, y, z metres, left-handed). Angles in radians, speeds in m/s, times in seconds.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class LaneFact:
    """The driving lane nearest to the ego."""

    road_id: int
    lane_id: int
    yaw: float  # rad, direction of the lane at the ego
    is_junction: bool


@dataclass(frozen=True)
class CollisionFact:
    """One collision event of the ego."""

    other_id: int
    other_type: str  # CARLA type id, e.g. "vehicle.audi.tt", "walker.pedestrian.0001", "static.building"


@dataclass(frozen=True)
class EgoFacts:
    """Everything that is judged about one tick."""

    time: float  # s since the route started
    tick: int  # ticks since the route started
    location: tuple[float, float, float]  # m, world
    yaw: float  # rad
    speed: float  # m/s, norm of the velocity
    forward_speed: float = 0.0  # m/s along the heading, negative in reverse
    half_length: float = 2.45  # m
    speed_limit: float = 50 / 3.6  # m/s of the road
    lane: LaneFact | None = None
    lane_distance: float = 0.0  # m from the centre of the nearest driving or parking lane
    lane_width: float = 3.5  # m, of that lane
    collisions: tuple[CollisionFact, ...] = ()
    red_lights: frozenset[int] = frozenset()  # ids of the lights near the ego that show red
    tail_lane: tuple[int, int] | None = None  # (road id, lane id) 1 m behind; None: no red light near
    lane_centres_ahead: tuple[tuple[float, float, float], ...] = ()  # m, every 0.5 m; () = no stop sign near
    traffic_speed: float | None = None  # m/s, mean of the background vehicles; None = there are none
    oncoming_lane_allowed: bool = False  # a scenario leaves no other way


@dataclass(frozen=True)
class Infraction:
    """One event that a judge recorded. ``kind`` is the leaderboard's key in a record's ``infractions``."""

    kind: str
    message: str
    percentage: float | None = None  # of events that are weighed by a percentage


class RouteLine:
    """The dense route as a polyline.

    Args:
        points: (N, 3) float, metres, world.
        yaws: (N,) float, radians, direction of travel.
    """

    def __init__(self, points: np.ndarray, yaws: np.ndarray) -> None:
        self.points = np.ascontiguousarray(points, dtype=np.float64)
        self.directions = np.stack([np.cos(yaws), np.sin(yaws)], axis=1)  # (N, 2)
        steps = np.linalg.norm(np.diff(self.points, axis=0), axis=1)
        self.arcs = np.concatenate([[0.0], np.cumsum(steps)])  # (N,) m
        self.length = float(self.arcs[-1])

    def __len__(self) -> int:
        return len(self.points)

    def advance(self, index: int, location: tuple[float, float, float], window: int) -> int:
        """The last of the points ``index .. index + window`` that the location has passed, else ``index``."""
        stop = min(index + window + 1, len(self.points))
        offset_x = location[0] - self.points[index:stop, 0]
        offset_y = location[1] - self.points[index:stop, 1]
        ahead = offset_x * self.directions[index:stop, 0] + offset_y * self.directions[index:stop, 1]
        passed = np.flatnonzero(ahead > 0.0)
        return index + int(passed[-1]) if passed.size else index


def at(location: tuple[float, float, float]) -> str:
    """A place as the leaderboard's messages write it."""
    x, y, z = (round(float(value), 3) for value in location)
    return f"(x={x}, y={y}, z={z})"
