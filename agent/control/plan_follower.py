"""From a plan to throttle, steering and brake."""

from __future__ import annotations

from typing import NamedTuple

from linkvla.agent.control.lateral import LateralController
from linkvla.agent.control.longitudinal import LongitudinalController
from linkvla.model.interface.types import Plan


class Pedals(NamedTuple):
    """Plain floats: throttle [0, 1], steer [-1, 1] (positive right), brake [0, 1]."""

    throttle: float
    steer: float
    brake: float


FULL_BRAKE = Pedals(0.0, 0.0, 1.0)


class PlanFollower:
    """One step per 20 Hz tick."""

    def __init__(self) -> None:
        self._lateral = LateralController()
        self._longitudinal = LongitudinalController()

    def reset(self) -> None:
        """Forget past errors; call at the start of a route."""
        self._lateral.reset()
        self._longitudinal.reset()

    def step(self, plan: Plan, speed: float) -> Pedals:
        """Controls that follow ``plan`` at ``speed`` (m/s)."""
        throttle, brake = self._longitudinal.step(plan.speed_waypoints_in_ego, speed)
        return Pedals(throttle, self._lateral.step(plan.path_in_ego, speed), brake)
