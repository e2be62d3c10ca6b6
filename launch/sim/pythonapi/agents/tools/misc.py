"""Small helpers on locations, directions and speeds, under the names of CARLA's ``agents.tools.misc``."""

from __future__ import annotations

import math
from collections.abc import Sequence

import carla
import numpy as np

_KMH = 3.6
_TINY = 1e-9


def get_speed(vehicle: carla.Actor) -> float:
    """Speed in km/h, vertical part included."""
    return _KMH * vehicle.get_velocity().length()


def compute_distance(location_1: carla.Location, location_2: carla.Location) -> float:
    """Distance in metres."""
    return location_1.distance(location_2)


def distance_vehicle(waypoint: carla.Waypoint, vehicle_transform: carla.Transform) -> float:
    """Distance in the plane from a waypoint to a vehicle, metres."""
    return waypoint.transform.location.distance_2d(vehicle_transform.location)


def vector(location_1: carla.Location, location_2: carla.Location) -> list[float]:
    """Unit vector [x, y, z] from the first location to the second; zeros where they are the same."""
    way = location_2 - location_1
    length = way.length() or 1.0
    return [way.x / length, way.y / length, way.z / length]


def positive(num: float) -> float:
    """The number, or 0.0 where it is negative."""
    return max(num, 0.0)


def compute_magnitude_angle(
    target_location: carla.Location, current_location: carla.Location, orientation: float
) -> tuple[float, float]:
    """Distance (m, in the plane) to a target and the angle (degrees, 0 to 180) between it and a heading.

    Args:
        target_location, current_location: to and from where.
        orientation: heading, degrees.
    """
    way = np.array([target_location.x - current_location.x, target_location.y - current_location.y])
    heading = math.radians(orientation)
    return float(np.hypot(*way)), _angle(way, np.array([math.cos(heading), math.sin(heading)]))


def is_within_distance(
    target_transform: carla.Transform,
    reference_transform: carla.Transform,
    max_distance: float,
    angle_interval: Sequence[float] | None = None,
) -> bool:
    """Whether a target is near a reference and, if asked, in the right direction from it; all in the plane.

    Args:
        target_transform, reference_transform: whose distance it is.
        max_distance: metres.
        angle_interval: lowest and highest angle in degrees between the reference's forward direction and
            the way to the target, 0 to 180; None for any direction.
    """
    way = np.array(
        [
            target_transform.location.x - reference_transform.location.x,
            target_transform.location.y - reference_transform.location.y,
        ]
    )
    distance = float(np.hypot(*way))
    if distance < _TINY:  # at the same place there is no direction
        return True
    if distance > max_distance:
        return False
    if angle_interval is None:
        return True
    forward = reference_transform.get_forward_vector()
    low, high = angle_interval
    return low <= _angle(way, np.array([forward.x, forward.y])) <= high


def get_trafficlight_trigger_location(traffic_light: carla.TrafficLight) -> carla.Location:
    """Centre of the near edge of a traffic light's trigger volume, world frame.

    The volume lies across the lanes before the stop line; this is its side towards the arriving cars.
    """
    volume = traffic_light.trigger_volume
    edge = carla.Location(volume.location.x, volume.location.y, volume.location.z)
    turn = math.radians(volume.rotation.yaw)
    edge.x += volume.extent.z * math.cos(turn)
    edge.y += volume.extent.z * math.sin(turn)
    return traffic_light.get_transform().transform(edge)


def draw_waypoints(world: carla.World, waypoints: Sequence[carla.Waypoint], z: float = 0.5) -> None:
    """Draw an arrow for a second at each waypoint, ``z`` metres above it."""
    for waypoint in waypoints:
        pose = waypoint.transform
        begin = pose.location + carla.Location(z=z)
        yaw = math.radians(pose.rotation.yaw)
        end = begin + carla.Location(math.cos(yaw), math.sin(yaw))
        world.debug.draw_arrow(begin, end, arrow_size=0.3, life_time=1.0)


def _angle(first: np.ndarray, second: np.ndarray) -> float:
    """Degrees between two plane vectors, 0 to 180; 0 where one of them has no length."""
    lengths = float(np.hypot(*first) * np.hypot(*second))
    if lengths < _TINY:
        return 0.0
    return math.degrees(math.acos(min(1.0, max(-1.0, float(first @ second) / lengths))))
