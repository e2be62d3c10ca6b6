"""Walks over ``carla.Map`` lanes that several loaders need. All poses are CARLA world, degrees."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from linkvla.launch.sim.world.town import StopLine

if TYPE_CHECKING:
    import carla

STEP = 0.5  # m between looks along a lane


def is_driving(waypoint: carla.Waypoint | None) -> bool:
    """Whether cars may drive on this waypoint's lane."""
    return waypoint is not None and str(waypoint.lane_type) == "Driving"


def direction(waypoint: carla.Waypoint) -> np.ndarray:
    """(2,) float64 unit vector of travel in the world's x, y."""
    yaw = math.radians(waypoint.transform.rotation.yaw)
    return np.array([math.cos(yaw), math.sin(yaw)])


def point(waypoint: carla.Waypoint) -> np.ndarray:
    """(3,) float64 lane centre in the world, metres."""
    location = waypoint.transform.location
    return np.array([location.x, location.y, location.z])


def angle_between(yaw_a: float, yaw_b: float) -> float:
    """Absolute difference of two angles in degrees, 0..180."""
    return abs((yaw_a - yaw_b + 180.0) % 360.0 - 180.0)


def before_junction(waypoint: carla.Waypoint, limit: float = 80.0) -> list[carla.Waypoint]:
    """The last lane points before the junction that ``waypoint`` lies in (itself when it lies in none)."""
    if not waypoint.is_junction:
        return [waypoint]
    found: list[carla.Waypoint] = []
    frontier, walked = [waypoint], 0.0
    while frontier and walked < limit:
        walked += STEP
        following = []
        for current in frontier:
            for previous in current.previous(STEP):
                (following if previous.is_junction else found).append(previous)
        frontier = following[:8]
    unique = {(item.road_id, item.lane_id): item for item in found if is_driving(item)}
    return list(unique.values())


def lane_end(waypoint: carla.Waypoint, limit: float = 400.0) -> carla.Waypoint:
    """The last point before the next junction, following the lane; the lane's last point where the road ends."""
    current, walked = waypoint, 0.0
    while walked < limit:
        ahead = [item for item in current.next(STEP) if is_driving(item)]
        if not ahead or ahead[0].is_junction:
            return current
        current, walked = ahead[0], walked + STEP
    return current


def right_edge_offset(waypoint: carla.Waypoint) -> float:
    """Distance in metres from this lane's centre to the right edge of the carriageway (sidewalks not counted)."""
    offset, current = waypoint.lane_width / 2.0, waypoint
    for _ in range(8):
        following = current.get_right_lane()
        if following is None or following.lane_id * waypoint.lane_id <= 0:
            break
        if str(following.lane_type) not in ("Driving", "Shoulder", "Parking", "Stop", "Biking"):
            break
        offset, current = offset + following.lane_width, following
    return offset


def stop_line(waypoint: carla.Waypoint) -> StopLine:
    """The stop line at a lane point."""
    location, yaw = waypoint.transform.location, waypoint.transform.rotation.yaw
    return StopLine(
        x=location.x,
        y=location.y,
        z=location.z,
        yaw=(yaw + 180.0) % 360.0 - 180.0,
        width=waypoint.lane_width,
        road_id=waypoint.road_id,
        lane_id=waypoint.lane_id,
    )


def straight_exit(waypoint: carla.Waypoint, limit: float = 60.0) -> carla.Waypoint | None:
    """First lane point beyond the junction ahead on the straightest path; None where every path turns."""
    yaw = waypoint.transform.rotation.yaw
    best, best_turn = None, 30.0
    frontier, walked, inside = [waypoint], 0.0, False
    while frontier and walked < limit:
        walked += 1.0
        following = []
        for current in frontier:
            for ahead in current.next(1.0):
                if ahead.is_junction:
                    following.append(ahead)
                    inside = True
                elif not inside:
                    following.append(ahead)
                elif is_driving(ahead):
                    turn = angle_between(ahead.transform.rotation.yaw, yaw)
                    if turn < best_turn:
                        best, best_turn = ahead, turn
        frontier = following[:12]
    return best
