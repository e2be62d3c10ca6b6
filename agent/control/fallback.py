"""What is done in a tick that brings no plan to drive on.

For half a second the last good plan is followed on, seen from where the car is now. After that the car brakes gently,
still steering along what is left of that plan, and then stands with the brake on until there is a plan again. Without
any plan so far it stands from the start.
"""

from __future__ import annotations

import dataclasses

import numpy as np

from linkvla.agent.control.plan_follower import FULL_BRAKE, Pedals, PlanFollower
from linkvla.agent.localization.state_estimator import EgoState
from linkvla.model.interface.types import Plan

HOLD_TICKS = 10
"""Ticks of 0.05 s that a plan is followed on."""

_GENTLE_BRAKE = 0.4  # about 3 m/s^2 in CARLA's ego, less than what Bench2Drive counts as uncomfortable
_WALKING = 0.5  # m/s; below that the brake is held


class Fallback:
    """Remembers the last good plan where it lies in the world."""

    def __init__(self, follower: PlanFollower) -> None:
        self._follower = follower
        self._plan: Plan | None = None
        self._path_in_world = np.zeros((0, 2))
        self._age = 0
        self._steer = 0.0

    def remember(self, plan: Plan, state: EgoState, pedals: Pedals) -> None:
        """A good plan, made at ``state``, and the pedals that follow it."""
        self._plan, self._age, self._steer = plan, 0, pedals.steer
        self._path_in_world = state.to_world(plan.path_in_ego)

    def step(self, state: EgoState, may_drive: bool = True) -> tuple[Pedals, str]:
        """The pedals of a tick without a plan, and what they do: "held plan" or "safe stop".

        Args:
            state: of this tick.
            may_drive: False brakes at once: nothing is known of what is ahead.
        """
        self._age += 1
        path = self._ahead(state)
        pedals = Pedals(0.0, self._steer, 0.0)
        if path is not None:
            pedals = self._follower.step(dataclasses.replace(self._plan, path_in_ego=path), state.speed)
            self._steer = pedals.steer
            if may_drive and self._age <= HOLD_TICKS:
                return pedals, "held plan"
        if self._plan is None or state.speed < _WALKING:
            return FULL_BRAKE._replace(steer=self._steer), "safe stop"
        return Pedals(0.0, pedals.steer, _GENTLE_BRAKE), "safe stop"

    def _ahead(self, state: EgoState) -> np.ndarray | None:
        """The part (n, 2) of the remembered path that is ahead of the car, ego frame; None where there is none."""
        path = state.to_ego(self._path_in_world)
        ahead = path[np.maximum.accumulate(path[:, 0]) > 0.0] if len(path) else path
        return ahead if len(ahead) else None
