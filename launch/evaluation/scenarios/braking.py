"""The car in front brakes hard for nothing."""

from __future__ import annotations

from linkvla.launch.evaluation.facts import EgoFacts
from linkvla.launch.evaluation.scenarios.scene import Scene
from linkvla.launch.evaluation.traffic import SLOWER_THAN_LIMIT


class HardBreakRoute(Scene):
    """Background cars before the ego stop for ten seconds (scenario_runner's scenario of that name)."""

    among_traffic = True
    _STANDSTILL = 10.0  # s
    _REACH = 50.0  # m
    _stopped: list[int] | None = None

    def set_up(self) -> None:
        """Nothing: the background traffic plays it."""

    def play(self, facts: EgoFacts, since: float) -> None:
        """Stop those who are in front at the beginning; later, let them go."""
        if self._stopped is None:
            self._stopped = self._traffic.in_front(facts.location, facts.yaw, self._REACH)
            self._traffic.set_pace(self._stopped, 100.0)
        self.over = since >= self._STANDSTILL

    def clear(self) -> None:
        """They go on."""
        self._traffic.set_pace(self._stopped, SLOWER_THAN_LIMIT)
