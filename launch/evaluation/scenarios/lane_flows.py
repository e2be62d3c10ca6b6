"""Flows of cars that the ego has to merge into, to leave, or to cross, between two places that the route names.

Distances and speeds are those of scenario_runner's scenarios of the same names. As there, their cars keep their speed
and look at nobody, until the ego has touched one of them.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import ClassVar

import carla

from linkvla.launch.evaluation.facts import EgoFacts
from linkvla.launch.evaluation.scenarios.places import is_before, lanes_beside
from linkvla.launch.evaluation.scenarios.riding import Way
from linkvla.launch.evaluation.scenarios.scene import Scene
from linkvla.launch.evaluation.scenarios.scenery import NoRoomError
from linkvla.launch.evaluation.scenarios.stubborn_flow import StubbornFlow

_SPEED = 10.0  # m/s
_APART = (20.0, 50.0)  # m
_AT_THE_END = 2.0  # m
_PAST_THE_END = 10.0  # m
_LANE = 2.0  # m from the middle of a lane
_TENDED_EVERY = 10  # ticks


class LaneFlow(Scene):
    """Flows from the trigger on, until the ego has done what it has to do."""

    time_limit = 240.0
    filled: ClassVar[bool] = True
    """Whether they are there from the beginning, on their whole ways."""

    def set_up(self) -> None:
        """Find the ways; nothing is placed yet."""
        self._source, self._sink = self._waypoint("start_actor_flow"), self._waypoint("end_actor_flow")
        self._ways = [Way(self._lane(begin, end)) for begin, end in self._pairs()]
        self._speed = self.script.number("flow_speed", _SPEED)
        self._apart = self.script.interval("source_dist_interval", _APART)
        if self._speed <= 0.0:
            raise NoRoomError(f"a flow of {self._speed:g} m/s does not come")
        self._flows: list[StubbornFlow] = []

    def _pairs(self) -> Sequence[tuple[carla.Waypoint, carla.Waypoint]]:
        """Where each flow begins and ends."""
        return [(self._source, self._sink)]

    def play(self, facts: EgoFacts, since: float) -> None:
        """Let them come, and keep background cars off their ways."""
        if facts.tick % _TENDED_EVERY == 0 or not self._flows:
            places = [(x, y) for way in self._ways for x, y, _ in way.line.points.tolist()]
            self._traffic.remove(self._traffic.near(places, _LANE))
        if not self._flows:
            self._flows = [StubbornFlow(way, self._speed, self._apart, self._scenery) for way in self._ways]
            if self.filled:
                for flow in self._flows:
                    flow.fill()
            return  # they appear with the next tick
        for flow in self._flows:
            flow.step(facts)
        self.over = self._is_done(facts)

    @abstractmethod
    def _is_done(self, facts: EgoFacts) -> bool:
        """Whether the ego is through."""

    def clear(self) -> None:
        """Nobody comes any more."""
        for flow in self._flows:
            flow.clear()

    def _waypoint(self, name: str) -> carla.Waypoint:
        return self._town.get_waypoint(carla.Location(*self.script.place(name)))

    def _lane(self, begin: carla.Waypoint, end: carla.Waypoint) -> list[carla.Waypoint]:
        way = [waypoint for waypoint, _ in self.drivers.way(begin.transform.location, end.transform.location)]
        if len(way) < 2:
            raise NoRoomError("its flow has no way from its beginning to its end")
        return way


class MergerIntoSlowTraffic(LaneFlow):
    """Slow cars on the lane that the ego comes to; over when the ego is where they vanish, on whichever lane."""

    def _is_done(self, facts: EgoFacts) -> bool:
        place = carla.Location(*facts.location)
        return any(lane.transform.location.distance(place) < _AT_THE_END for lane in lanes_beside(self._sink))


class EnterActorFlow(MergerIntoSlowTraffic):
    """The same with cars on all lanes of the road."""

    def _pairs(self) -> Sequence[tuple[carla.Waypoint, carla.Waypoint]]:
        return list(zip(lanes_beside(self._source), lanes_beside(self._sink)))


class InterurbanActorFlow(LaneFlow):
    """The ego turns left across an oncoming flow; over when it has left the junction."""

    filled = False
    _been_inside = False

    def _is_done(self, facts: EgoFacts) -> bool:
        inside = facts.lane is not None and facts.lane.is_junction
        self._been_inside = self._been_inside or inside
        return self._been_inside and not inside


class HighwayExit(InterurbanActorFlow):
    """The ego crosses a lane full of cars to leave the motorway."""

    filled = True


class InterurbanAdvancedActorFlow(LaneFlow):
    """The ego turns left across one flow into another, which comes the other way along the same road."""

    filled = False

    def _pairs(self) -> Sequence[tuple[carla.Waypoint, carla.Waypoint]]:
        begin, end = self._sink.get_left_lane(), self._source.get_left_lane()
        if any(lane is None or lane.lane_type != carla.LaneType.Driving for lane in (begin, end)):
            raise NoRoomError("its road has no lane the other way")
        self._end = end.transform
        return [(self._source, self._sink), (begin, end)]

    def _is_done(self, facts: EgoFacts) -> bool:
        place = carla.Location(*facts.location)
        return is_before(place, self._end) and place.distance(self._end.location) < _PAST_THE_END
