"""The expert of the closed loop, as a teacher: it does nothing that a network with one picture could not know to do.

It passes obstacles, gives way and waits as the expert of the evaluations does, but at the speed of the one that teaches
drawn situations, without posted limits, which no camera sees, and without remembering where it has stopped.
"""

from __future__ import annotations

import carla
import numpy as np

from linkvla.agent.autonomous_agent import AutonomousAgent
from linkvla.agent.expert.planner import ExpertSettings
from linkvla.agent.expert.signals import RouteSignals, SignStop
from linkvla.agent.expert.watchful import WatchfulDriver
from linkvla.agent.navigation.dense_route import DenseRoute
from linkvla.launch.collection.stop_signs import SHIFT, holds

_LOOKED_AHEAD = 20.0  # m, the length of a plan's path


class _Signals(RouteSignals):
    """Stop signs by the rule of ``stop_signs``."""

    def _held_by(self, sign: SignStop, gap: float, speed: float) -> list[float]:
        return [sign.arc - SHIFT] if holds(gap, speed) else []


class Teacher(WatchfulDriver, AutonomousAgent):
    """On our own base, for our own route runner."""

    expert_settings = ExpertSettings()
    signals = _Signals

    def _limited(self, route: DenseRoute, town: carla.Map) -> DenseRoute:
        return route

    @property
    def aside(self) -> float:
        """Metres that the line to drive leads away from the route, at most, within the length of a path."""
        line = self._planner.route
        first, last = self.route.index_at(self.arc), self.route.index_at(self.arc + _LOOKED_AHEAD)
        dx, dy = line.x - self.route.x, line.y - self.route.y
        return float(np.hypot(dx, dy)[first : last + 1].max())
