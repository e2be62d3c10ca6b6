"""A route where nobody gives one: along the road, straight on at junctions or as told."""

from __future__ import annotations

import math
from collections.abc import Sequence

import carla
import numpy as np

from linkvla.agent.navigation.dense_route import DenseRoute, slope
from linkvla.agent.navigation.road_graph import junction_commands
from linkvla.model.interface.errors import RouteError

LENGTH = 5000.0
"""Metres, if the road does not end before; in a town that is several times round."""

TURNS = {"left": -1, "straight": 0, "right": 1}

_STEP = 1.0  # m
_LOOK = 5.0  # m between the waypoints by which branches are told apart
_BENDS = math.radians(35.0)  # a branch that turns less goes straight on


def free_route(
    carla_map: carla.Map, start: carla.Transform, length: float = LENGTH, turns: Sequence[str] = ()
) -> DenseRoute:
    """Follow the lane that ``start`` is on; at a junction take the branch that turns least.

    Args:
        carla_map: of the town.
        start: on the lane to follow.
        length: m.
        turns: of ``TURNS``, for one junction after the other that leaves a choice; one that is not to be had is
            replaced by the branch that turns least.

    Raises:
        RouteError: there is no lane, or it ends there.
    """
    waypoint = carla_map.get_waypoint(start.location)
    if waypoint is None:
        raise RouteError(f"no road at ({start.location.x:.1f}, {start.location.y:.1f}); start the ego on a lane")
    waypoints, wanted = [waypoint], list(turns)
    while len(waypoints) * _STEP < length:
        branches = waypoints[-1].next(_STEP)
        if not branches:
            break
        turn = wanted.pop(0) if len(branches) > 1 and wanted else "straight"
        waypoints.append(_choose(branches, turn))
    if len(waypoints) < 2:
        raise RouteError(
            f"the road ends at ({start.location.x:.1f}, {start.location.y:.1f}); start the ego before that"
        )
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


def _choose(branches: Sequence[carla.Waypoint], turn: str) -> carla.Waypoint:
    """The branch that turns as wanted, else the one that turns least."""
    fitting = [branch for branch in branches if _side(_turned(branch)) == TURNS[turn]]
    return min(fitting or branches, key=lambda branch: abs(_turned(branch)))


def _turned(branch: carla.Waypoint) -> float:
    """Radians between the directions of a lane's two ends, positive to the right."""
    ends = [branch, *branch.next_until_lane_end(_LOOK)]
    difference = math.radians(ends[-1].transform.rotation.yaw - branch.transform.rotation.yaw)
    return (difference + math.pi) % (2.0 * math.pi) - math.pi


def _side(turned: float) -> int:
    """-1 left, 0 straight on, 1 right."""
    return 0 if abs(turned) < _BENDS else int(math.copysign(1.0, turned))
