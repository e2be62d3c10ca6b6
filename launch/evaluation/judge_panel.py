"""All judges of one route together: fed once a tick, asked for the verdict at the end."""

from __future__ import annotations

from collections.abc import Sequence

from linkvla.launch.evaluation import records
from linkvla.launch.evaluation.facts import EgoFacts, Infraction, RouteLine
from linkvla.launch.evaluation.judges_route import (
    BlockedJudge,
    DeviationJudge,
    MinimumSpeedJudge,
    OutsideRouteLanesJudge,
    RouteCompletionJudge,
    TimeoutJudge,
)
from linkvla.launch.evaluation.judges_traffic import CollisionJudge, LightRule, RedLightJudge, StopRule, StopSignJudge


class JudgePanel:
    """The criteria of a Bench2Drive route.

    Args:
        route: the dense route.
        lights: the town's traffic lights.
        signs: the town's stop signs.
        blocked_seconds: standing time after which the route fails.
        max_ticks: ticks after which the route fails; None for no cap.
    """

    def __init__(
        self,
        route: RouteLine,
        lights: Sequence[LightRule] = (),
        signs: Sequence[StopRule] = (),
        *,
        blocked_seconds: float = 60.0,
        max_ticks: int | None = 4000,
    ) -> None:
        self._completion = RouteCompletionJudge(route)
        self._outside = OutsideRouteLanesJudge(route)
        self._deviation = DeviationJudge(route)
        self._blocked = BlockedJudge(blocked_seconds)
        self._timeout = TimeoutJudge(route, max_ticks)
        self._speed = MinimumSpeedJudge(route)
        self._collision = CollisionJudge()
        self._red_light = RedLightJudge(lights)
        self._stop_sign = StopSignJudge(signs)
        self._of_scenarios: list[Infraction] = []
        self._judges = (
            self._completion,
            self._outside,
            self._deviation,
            self._blocked,
            self._timeout,
            self._speed,
            self._collision,
            self._red_light,
            self._stop_sign,
        )

    @property
    def percent(self) -> float:
        """Route completion, 0..100."""
        return self._completion.percent

    @property
    def done(self) -> bool:
        """Whether the target was reached."""
        return self._completion.done

    @property
    def failure(self) -> str:
        """Why the route has to stop, in the leaderboard's words; "" while it may go on."""
        if self._deviation.event is not None:
            return records.AGENT_DEVIATED
        if self._blocked.event is not None:
            return records.AGENT_BLOCKED
        if self._timeout.event is not None:
            return records.AGENT_TIMED_OUT
        return records.OUT_OF_TICKS if self._timeout.out_of_ticks else ""

    def step(self, facts: EgoFacts) -> bool:
        """Judge one tick; returns whether the route goes on."""
        for judge in self._judges:
            judge.step(facts)
        return not self.done and not self.failure

    def add(self, events: Sequence[Infraction]) -> None:
        """Take in what the route's scenarios have to report."""
        self._of_scenarios.extend(events)

    def finish(self) -> None:
        """Close what is still open. Call once, after the last tick."""
        self._speed.finish()

    def events(self) -> list[Infraction]:
        """Everything recorded so far."""
        endings = (self._deviation.event, self._blocked.event, self._timeout.event)
        return [
            *self._collision.infractions(),
            *self._red_light.infractions(),
            *self._stop_sign.infractions(),
            *self._outside.infractions(),
            *self._speed.infractions(),
            *self._of_scenarios,
            *(event for event in endings if event is not None),
        ]
