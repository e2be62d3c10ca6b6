"""Scenarios in which the ego has to let a flow of cars pass at a junction before it turns across or into it.

Distances, speeds and times are those of scenario_runner's and Bench2Drive's scenarios of the same names.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import carla

from linkvla.launch.evaluation.facts import EgoFacts
from linkvla.launch.evaluation.scenarios.junction_scene import JunctionScene
from linkvla.launch.evaluation.scenarios.junctions import RIGHT, STRAIGHT, how_far_off, way_through
from linkvla.launch.evaluation.scenarios.riding import Way
from linkvla.launch.evaluation.scenarios.scenery import NoRoomError
from linkvla.launch.evaluation.scenarios.stubborn_flow import StubbornFlow

_APART = (25.0, 50.0)  # m
_SPEED = 20.0  # m/s
_RED_FIRST = 5.0  # s that the ego's light is red, for the flow to come


class CrossingFlow(JunctionScene):
    """A flow from one side, until the ego is through. The lights, if any, are green for it and the ego only."""

    time_limit = 240.0
    beyond = 10.0
    side: ClassVar[str] = "opposite"
    turn: ClassVar[float] = STRAIGHT
    seconds: ClassVar[tuple[float, float]] = (4.0, 2.5)  # of driving before and behind the junction
    filled: ClassVar[bool] = False

    def set_up(self) -> None:
        """Also which lights are the ego's and the flow's."""
        super().set_up()
        self._own, self._theirs = self.lights.at(self.crossroads.entry), self.lights.at(self._source)
        if self._signalised and self._own is None:
            raise NoRoomError("its junction has no lights")

    def _ways(self) -> Sequence[Way]:
        self._speed = self.script.number("flow_speed", _SPEED)
        if self._speed <= 0.0:
            raise NoRoomError(f"a flow of {self._speed:g} m/s does not come")
        entries = self.crossroads.entries_from(self.side)
        least = min(how_far_off(entry, self.turn) for entry in entries)
        self._source = self._chosen([one for one in entries if how_far_off(one, self.turn) < least + 10.0])
        before, behind = (self._speed * seconds for seconds in self.seconds)
        self._way = Way(way_through(self._source, self.turn, before, behind))
        return (self._way,)

    def _chosen(self, entries: Sequence[carla.Waypoint]) -> carla.Waypoint:
        return self._scenery.choice.choice(entries)

    @property
    def others_wait(self) -> bool:
        """Only where no lights hold them."""
        return not self._signalised

    @property
    def _signalised(self) -> bool:
        return self.script.type.startswith("Signalized")

    def _begin(self, facts: EgoFacts) -> None:
        apart = self.script.interval("source_dist_interval", _APART)
        self._flow = StubbornFlow(self._way, self._speed, apart, self._scenery)
        if self.filled:
            self._flow.fill()
        self._own_green = False
        if self._signalised:
            self.lights.show({self._theirs} - {self._own})

    def _act(self, facts: EgoFacts, since: float) -> None:
        if self._signalised and not self._own_green and since >= _RED_FIRST:
            self._own_green = True
            self.lights.show({self._theirs, self._own})
        self._flow.step(facts)

    def clear(self) -> None:
        """Nobody comes any more."""
        self._flow.clear()
        super().clear()


class JunctionLeftTurn(CrossingFlow):
    """The ego turns left across an oncoming flow."""


class JunctionLeftTurnEnterFlow(CrossingFlow):
    """The ego turns left into the road that an oncoming flow turns right into."""

    turn = RIGHT


class JunctionRightTurn(CrossingFlow):
    """The ego turns right into a flow from the left, which is there from the beginning."""

    side = "left"
    seconds = (5.0, 3.0)
    filled = True

    def _chosen(self, entries: Sequence[carla.Waypoint]) -> carla.Waypoint:
        """The lane nearest to the ego's way: the rightmost."""
        return max(entries, key=lambda entry: abs(entry.lane_id))
