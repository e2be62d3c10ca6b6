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
        self._estimator = StateEstimator()
        start = global_plan_world[0][0]
        self._start, self._yaw = np.array(_xy(start)), math.radians(start.rotation.yaw)
        self._ticks = 0

    def step(self, frame: SensorFrame, previous: Pedals) -> EgoState:
        """The state at this tick; ``previous`` is the control that the last tick returned."""
        if frame.compass is not None:
            self._yaw = (frame.compass - math.pi / 2 + math.pi) % (2 * math.pi) - math.pi
        expected = self._estimator.position
        expected = self._start if expected is None else expected
        position = None if frame.fix is None else self._converter.position(frame.fix, expected)
        if position is None and self._estimator.position is None:
            position = self._start
        settled = self._ticks >= _SETTLING
        self._ticks += 1
        return self._estimator.step(position, self._yaw, frame.speed, previous if settled else FULL_BRAKE)


def _xy(transform: Any) -> tuple[float, float]:
    return transform.location.x, transform.location.y
