"""A route where nobody gives one: along the road, straight on at every junction."""

from __future__ import annotations

import math

import carla
import numpy as np

from linkvla.agent.navigation.dense_route import DenseRoute, slope
from linkvla.agent.navigation.road_graph import junction_commands
from linkvla.model.interface.errors import RouteError

LENGTH = 5000.0
"""Metres, if the road does not end before; in a town that is several times round."""

_STEP = 1.0  # m
_LOOK = 5.0  # m between the waypoints by which branches are told apart


def free_route(carla_map: carla.Map, start: carla.Transform, length: float = LENGTH) -> DenseRoute:
    """Follow the lane that ``start`` is on; at a junction take the branch that turns least.

    Raises:
        RouteError: there is no lane, or it ends within a few metres.
    """
    waypoint = carla_map.get_waypoint(start.location)
    if waypoint is None:
        raise RouteError(f"no road at ({start.location.x:.1f}, {start.location.y:.1f}); start the ego on a lane")
    waypoints = [waypoint]
    while len(waypoints) * _STEP < length:
        branches = waypoints[-1].next(_STEP)
        if not branches:
            break
        waypoints.append(min(branches, key=_turned) if len(branches) > 1 else branches[0])
    places = [one.transform for one in waypoints]
    yaw = np.unwrap(np.radians([place.rotation.yaw for place in places]))
    is_junction = np.array([one.is_junction for one in waypoints])
    return DenseRoute(
        x=np.array([place.location.x for place in places]),
        y=np.array([place.location.y for place in places]),
        z=np.array([place.location.z for place in places]),
        yaw_rad=yaw,
        pitch=slope(np.array([place.rotation.pitch for place in places])),
        command=junction_commands(yaw, is_junction),
        is_junction=is_junction,
        lane_width=np.array([one.lane_width for one in waypoints]),
        speed_limit=np.full(len(waypoints), math.nan),
    )


def _turned(branch: carla.Waypoint) -> float:
    """Radians between the directions of a lane's two ends."""
    ends = [branch, *branch.next_until_lane_end(_LOOK)]
    difference = math.radians(ends[-1].transform.rotation.yaw - branch.transform.rotation.yaw)
    return abs((difference + math.pi) % (2.0 * math.pi) - math.pi)
