"""Random routes through a town: walks along the lane graph, as dense routes with navigation commands."""

from __future__ import annotations

import random

import carla
import numpy as np

from linkvla.agent.navigation.dense_route import DenseRoute, slope
from linkvla.agent.navigation.road_graph import junction_commands

_STEP = 1.0  # m


def walk(start: carla.Waypoint, metres: float, rng: random.Random, backwards: bool = False) -> list[carla.Waypoint]:
    """Waypoints 1 m apart from ``start`` (included), choosing at random where the lane forks; shorter at a dead end."""
    steps = [start]
    for _ in range(int(metres / _STEP)):
        onward = steps[-1].previous(_STEP) if backwards else steps[-1].next(_STEP)
        if not onward:
            break
        steps.append(onward[0] if len(onward) == 1 else rng.choice(onward))
    return steps[::-1] if backwards else steps


def as_route(waypoints: list[carla.Waypoint]) -> DenseRoute:
    """The dense route along a walk. No speed limit: a camera cannot see one, so the labels must not depend on it."""
    poses = [w.transform for w in waypoints]
    x, y, z, yaw, pitch = np.array(
        [(p.location.x, p.location.y, p.location.z, p.rotation.yaw, p.rotation.pitch) for p in poses]
    ).T
    yaw = np.unwrap(np.radians(yaw))
    inside = np.array([w.is_junction for w in waypoints])
    return DenseRoute(
        x=x, y=y, z=z, yaw_rad=yaw, pitch=slope(pitch),
        command=junction_commands(yaw, inside),
        is_junction=inside,
        lane_width=np.array([w.lane_width for w in waypoints]),
        speed_limit=np.full(len(x), np.nan),
    )  # fmt: skip
