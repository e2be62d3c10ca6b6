"""Lanes that run into the route: merging flows, exits of junctions, and the lane that a lane change leads to."""

from __future__ import annotations

import math
from dataclasses import dataclass

import carla
import numpy as np
from scipy.spatial import cKDTree

from linkvla.agent.navigation.dense_route import DenseRoute

_STEP = 2.0  # m between samples
_REACH = 90.0  # m that a tributary is followed back
_MOST = 12  # branches followed back from one place
_APART = 2.1  # m between centre lines: from here on two vehicles can drive abreast
_LEVEL = 4.0  # m of height


@dataclass(frozen=True)
class Tributary:
    """A lane that runs into the route. Arrays (n,), from where it joins backwards; world frame, metres and radians."""

    merge_arc: float  # m along the route, where vehicles on both no longer fit beside each other
    distance: np.ndarray  # m left to that place
    x: np.ndarray
    y: np.ndarray
    z: np.ndarray
    yaw: np.ndarray
    merge_yaw: float  # rad, of the route at the merge


def find_tributaries(carla_map: carla.Map, route: DenseRoute) -> list[Tributary]:
    """All lanes that run into the route, found by following its lanes back from where it enters each of them."""
    tree = cKDTree(np.stack([route.x, route.y], axis=1))
    found: list[Tributary] = []
    before, entered = None, 0.0
    for index in np.flatnonzero(~route.is_junction):
        place = carla.Location(float(route.x[index]), float(route.y[index]), float(route.z[index]))
        waypoint = carla_map.get_waypoint(place)
        if waypoint is None or waypoint.is_junction:
            continue
        key = waypoint.road_id, waypoint.section_id, waypoint.lane_id
        if before is not None and key != before:
            branches = (_tributary(branch, tree, route) for branch in _branches_back(waypoint))
            # Those that join earlier were found where the lanes between were entered.
            found += [one for one in branches if one is not None and one.merge_arc >= entered]
        if key != before:
            before, entered = key, float(route.arc[index]) - _STEP
    return found


def _branches_back(end: carla.Waypoint) -> list[list[carla.Waypoint]]:
    """Lanes that lead to a waypoint, each from there backwards."""
    done, growing = [], [[end]]
    while growing:
        branch = growing.pop()
        if len(branch) * _STEP > _REACH:
            done.append(branch)
            continue
        behind = [one for one in branch[-1].previous(_STEP) if one.lane_type == carla.LaneType.Driving]
        if not behind:
            done.append(branch)
        growing += [[*branch, one] for one in behind[: max(1, _MOST - len(done) - len(growing))]]
    return done


def _tributary(branch: list[carla.Waypoint], tree: cKDTree, route: DenseRoute) -> Tributary | None:
    """The part of a branch that lies beside the route; None where it never leaves it."""
    poses = [waypoint.transform for waypoint in branch]
    places = np.array([(pose.location.x, pose.location.y, pose.location.z) for pose in poses])
    apart, nearest = tree.query(places[:, :2])
    beside = (apart > _APART) | (np.abs(route.z[nearest] - places[:, 2]) > _LEVEL)
    if not beside.any():
        return None
    first = int(np.argmax(beside))
    away = slice(first, None)
    steps = np.hypot(*np.diff(places[away, :2], axis=0).T)
    return Tributary(
        merge_arc=float(route.arc[nearest[max(first - 1, 0)]]),
        distance=np.concatenate([[0.0], np.cumsum(steps)]),
        x=places[away, 0],
        y=places[away, 1],
        z=places[away, 2],
        yaw=np.array([math.radians(pose.rotation.yaw) for pose in poses[away]]),
        merge_yaw=float(route.yaw_rad[nearest[max(first - 1, 0)]]),
    )
