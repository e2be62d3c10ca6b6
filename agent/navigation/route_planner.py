"""Target points and commands from the sparse plan (SimLingo's route planner)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from linkvla.agent.navigation.commands import spoken_commands
from linkvla.model.interface.errors import RouteError
from linkvla.model.interface.types import Command

_PASSED_WITHIN = 7.5  # m
_LOOKED_AT = 50.0  # m along the plan


@dataclass(frozen=True)
class Guidance:
    """Where to go next."""

    target_points_in_world: np.ndarray  # (2, 2) metres: next and second-next point of the plan
    command: Command
    next_command: Command
    distance: float  # m, straight, to the first target point


class RoutePlanner:
    """Walks along the sparse plan as the car does."""

    def __init__(self, points_in_world: np.ndarray, commands: Sequence[int]) -> None:
        """Plan points (n, 2) in metres with a command each; raises RouteError for an empty plan."""
        self._points = np.asarray(points_in_world, float).reshape(-1, 2)
        self._commands = [int(command) for command in commands]
        if len(self._points) == 0 or len(self._points) != len(self._commands):
            raise RouteError(
                f"a plan needs a command per point and at least one point, got {len(self._points)} points and "
                f"{len(self._commands)} commands; call set_global_plan before setup"
            )
        self._passed = 0

    def step(self, position_in_world: np.ndarray) -> Guidance:
        """Drop the points that the car at (x, y) in metres has reached, and say what comes next."""
        position = np.asarray(position_in_world, float)[:2]
        self._passed += self._reached(position)
        last = len(self._points) - 1
        target, following = min(self._passed + 1, last), min(self._passed + 2, last)
        command, next_command = spoken_commands(
            self._commands[self._passed], self._commands[target], self._commands[following]
        )
        gap = float(np.linalg.norm(self._points[target] - position))
        return Guidance(self._points[[target, following]], command, next_command, gap)

    def _reached(self, position: np.ndarray) -> int:
        """How many points to drop: up to the farthest of the next 50 m that lies within 7.5 m; two always stay."""
        drop, farthest, driven = 0, -np.inf, 0.0
        ahead = self._points[self._passed :]
        for index in range(1, len(ahead)):
            if driven > _LOOKED_AT:
                break
            driven += float(np.linalg.norm(ahead[index] - ahead[index - 1]))
            gap = float(np.linalg.norm(ahead[index] - position))
            if farthest < gap <= _PASSED_WITHIN:
                drop, farthest = index, gap
        return min(drop, max(len(ahead) - 2, 0))
