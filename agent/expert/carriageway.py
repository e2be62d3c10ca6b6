"""The lanes beside the route's own, from the map."""

from __future__ import annotations

import math
from typing import NamedTuple

import carla
import numpy as np

from linkvla.agent.navigation.dense_route import DenseRoute


class Lane(NamedTuple):
    """A driving lane beside the route. Metres to the right of the route."""

    middle: float
    width: float
    same_way: bool


class Cut(NamedTuple):
    """The road across at one place of the route."""

    own_width: float  # m
    left: Lane | None
    right: Lane | None


def cut_at(carla_map: carla.Map, route: DenseRoute, arc: float) -> Cut | None:
    """The road across at ``arc`` (m along the route); None where the map has no driving lane there."""
    x, y, z, yaw, _ = route.at(arc)
    waypoint = carla_map.get_waypoint(carla.Location(float(x), float(y), float(z)))
    if waypoint is None:
        return None
    left, right = waypoint.get_left_lane(), waypoint.get_right_lane()
    if math.cos(math.radians(waypoint.transform.rotation.yaw) - yaw) < 0.0:
        left, right = right, left  # the route itself runs against this lane
    return Cut(waypoint.lane_width, _lane(left, x, y, yaw), _lane(right, x, y, yaw))


def _lane(waypoint: carla.Waypoint | None, x: float, y: float, yaw: float) -> Lane | None:
    if waypoint is None or not waypoint.lane_type & carla.LaneType.Driving:
        return None
    place = waypoint.transform.location
    middle = float(np.cos(yaw) * (place.y - y) - np.sin(yaw) * (place.x - x))
    heading = math.radians(waypoint.transform.rotation.yaw)
    return Lane(middle, waypoint.lane_width, math.cos(heading - yaw) > 0.0)
