"""Recommended spawn points. ``carla.Map`` has none offline (a server sends them): they are laid along the lanes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from linkvla.launch.sim.world.lanes import is_driving
from linkvla.launch.sim.world.pose import Pose

if TYPE_CHECKING:
    import carla

SPACING = 14.0  # m between points of one lane
FROM_END = 8.0  # m kept free at both ends of a lane, so that no car starts in a junction's mouth
HEIGHT = 0.5  # m above the road, as CARLA's towns have it


def spawn_points(town_map: carla.Map) -> tuple[Pose, ...]:
    """Poses on driving lanes outside junctions, facing along the lane, in a fixed order."""
    points: list[Pose] = []
    lanes: dict[tuple[int, int, int], list[carla.Waypoint]] = {}
    for waypoint in town_map.generate_waypoints(2.0):
        if is_driving(waypoint) and not waypoint.is_junction:
            lanes.setdefault((waypoint.road_id, waypoint.section_id, waypoint.lane_id), []).append(waypoint)
    for key in sorted(lanes):
        lane = sorted(lanes[key], key=lambda waypoint: waypoint.s)
        low, high = lane[0].s + FROM_END, lane[-1].s - FROM_END
        following = low
        for waypoint in lane:
            if waypoint.lane_width < 2.5 or waypoint.s > high:
                continue
            if waypoint.s >= following:
                location, rotation = waypoint.transform.location, waypoint.transform.rotation
                pitch, yaw = ((angle + 180.0) % 360.0 - 180.0 for angle in (rotation.pitch, rotation.yaw))
                points.append(Pose(location.x, location.y, location.z + HEIGHT, pitch, yaw, 0.0))
                following = waypoint.s + SPACING
    return tuple(points)
