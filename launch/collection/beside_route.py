"""Where things are that are told by their place along a route."""

from __future__ import annotations

import math

from linkvla.agent.navigation.dense_route import DenseRoute
from linkvla.launch.sim.world.pose import Pose


def pose_beside(route: DenseRoute, arc: float, lateral: float, heading: float) -> Pose:
    """The pose in the world at ``arc`` (m along the route), ``lateral`` m to its right, turned by ``heading`` rad."""
    x, y, z, yaw, pitch = route.at(arc)
    return Pose(
        float(x - math.sin(yaw) * lateral), float(y + math.cos(yaw) * lateral), float(z),
        pitch=math.degrees(pitch), yaw=math.degrees(yaw + heading),
    )  # fmt: skip
