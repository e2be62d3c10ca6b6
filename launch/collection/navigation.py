"""What the agent's route planner would say at a place along a route, without having driven there.

The closed loop keeps state (points are dropped as the car passes them); a sampled situation has no past, so the
same rules are written here as a function of the arc length.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from linkvla.agent.navigation.commands import spoken_commands
from linkvla.agent.navigation.dense_route import DenseRoute
from linkvla.agent.navigation.road_graph import downsample

_PASSED_WITHIN = 7.5  # m, a sparse point this near counts as passed (SimLingo's planner)
_SPACING = 50.0  # m, Bench2Drive's down-sampling


@dataclass(frozen=True)
class Guidance:
    """The navigation part of an observation."""

    target_points_in_ego: np.ndarray  # (2, 2) metres
    command: int
    next_command: int
    distance_to_command: float  # m


class SparsePlan:
    """The sparse points of a dense route."""

    def __init__(self, route: DenseRoute) -> None:
        indices = np.asarray(downsample(route, _SPACING))
        self._arcs = route.arc[indices]
        self._xy = np.stack([route.x[indices], route.y[indices]], axis=1)
        self._commands = [int(c) for c in route.command[indices]]

    def guidance(self, arc: float, x: float, y: float, yaw: float) -> Guidance:
        """Guidance for an ego at ``arc`` metres along the route; pose (x, y) in metres and yaw in radians, world."""
        last = len(self._arcs) - 1
        k = min(int(np.searchsorted(self._arcs, arc + _PASSED_WITHIN, side="right")), last)
        following = min(k + 1, last)
        command, following_command = spoken_commands(
            self._commands[max(k - 1, 0)], self._commands[k], self._commands[following]
        )
        offset = self._xy[[k, following]] - (x, y)
        cosine, sine = math.cos(yaw), math.sin(yaw)
        forward, right = cosine * offset[:, 0] + sine * offset[:, 1], -sine * offset[:, 0] + cosine * offset[:, 1]
        target = np.stack([forward, right], axis=1)
        return Guidance(target, int(command), int(following_command), float(np.hypot(*target[0])))
