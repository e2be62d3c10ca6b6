"""From sensor frames to the ego's state."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from linkvla.agent.control.plan_follower import FULL_BRAKE, Pedals
from linkvla.agent.localization.geodesy import GeoReference
from linkvla.agent.localization.gnss import FixConverter
from linkvla.agent.localization.state_estimator import EgoState, StateEstimator
from linkvla.agent.sensors import SensorFrame
from linkvla.model.interface.errors import RouteError

_SETTLING = 40  # ticks in which the filter is told "full brake", as SimLingo does
_PAIRS = 12  # plan points from which the geographic reference is solved


class Localizer:
    """Knows where the route starts, and keeps track from there."""

    def __init__(self, global_plan: Sequence, global_plan_world: Sequence) -> None:
        """Take the plan in the leaderboard's two formats; raises RouteError where they are absent or contradict."""
        if not global_plan or not global_plan_world:
            raise RouteError("the agent has no plan; call set_global_plan before setup")
        chosen = np.unique(np.linspace(0, len(global_plan) - 1, _PAIRS).astype(int))
        geographic = [(global_plan[index][0]["lat"], global_plan[index][0]["lon"]) for index in chosen]
        world = [_xy(global_plan_world[index][0]) for index in chosen]
        self.reference = GeoReference.from_pairs(geographic, world)
        self._converter = FixConverter(self.reference)
        self._estimator, self._reckoning = StateEstimator(), StateEstimator()
        self._driven = 0.0  # m, while it is reckoned
        start = global_plan_world[0][0]
        self._start, self._yaw = np.array(_xy(start)), math.radians(start.rotation.yaw)
        self._ticks = 0

    def step(self, frame: SensorFrame, previous: Pedals) -> EgoState:
        """The state at this tick; ``previous`` is the control that the last tick returned."""
        if frame.compass is not None:
            self._yaw = (frame.compass - math.pi / 2 + math.pi) % (2 * math.pi) - math.pi
        pedals = previous if self._ticks >= _SETTLING else FULL_BRAKE
        self._ticks += 1
        if self._converter.mirrored is None:
            self._reckon(frame.speed, pedals)
        position = None
        if frame.fix is not None:
            position = self._converter.position(frame.fix, self._reckoning.position, self._driven)
        elif self._estimator.position is None:
            position = self._start
        return self._estimator.step(position, self._yaw, frame.speed, pedals)

    def _reckon(self, speed: float, pedals: Pedals) -> None:
        """Where the car is by compass and speedometer alone: what tells the one reading of a fix from the other."""
        before = self._reckoning.position
        self._reckoning.step(self._start if before is None else None, self._yaw, speed, pedals)
        if before is not None:
            self._driven += float(np.linalg.norm(self._reckoning.position - before))


def _xy(transform: Any) -> tuple[float, float]:
    return transform.location.x, transform.location.y
