"""Cyclists who come along a road that the ego has to cross, as scenario_runner's scenario of that name."""

from __future__ import annotations

from collections.abc import Sequence

import carla

from linkvla.launch.evaluation.facts import EgoFacts
from linkvla.launch.evaluation.scenarios.junction_scene import JunctionScene
from linkvla.launch.evaluation.scenarios.junctions import STRAIGHT, Crossroads, way_through
from linkvla.launch.evaluation.scenarios.places import behind
from linkvla.launch.evaluation.scenarios.riding import Way
from linkvla.launch.evaluation.scenarios.stubborn_flow import StubbornFlow

_BICYCLE = {"base_type": "bicycle"}
_SPEED, _APART = 10.0, (20.0, 50.0)  # m/s, m
_BEFORE, _BEYOND = 50.0, 40.0  # m, if the route does not say where they come from; where they go
_EDGE = 0.4  # m between a cyclist and the edge of a lane for cars
_ELSEWHERE = 10.0  # m; a cycle lane farther from where they come from is another one
_RED_FIRST = 5.0  # s


class CrossingBicycleFlow(JunctionScene):
    """They come until the ego is through; all lights but the ego's are red, and they do not heed them."""

    time_limit = 240.0

    def _ways(self) -> Sequence[Way]:
        begin = self._begin_of_flow()
        entry = Crossroads(begin).entry
        before = begin.transform.location.distance(entry.transform.location)
        lane = way_through(entry, STRAIGHT, before, _BEYOND)
        cycle_lane = begin.lane_type == carla.LaneType.Biking
        self._way = Way(lane, 0.0 if cycle_lane else begin.lane_width / 2 - _EDGE)
        return (self._way,)

    def _begin_of_flow(self) -> carla.Waypoint:
        """On the cycle lane that the route says; else the outermost lane of the oncoming traffic."""
        if "start_actor_flow" in self.script.places:
            place = carla.Location(*self.script.place("start_actor_flow"))
            cycle_lane = self._town.get_waypoint(place, True, carla.LaneType.Biking)
            near = cycle_lane is not None and cycle_lane.transform.location.distance(place) < _ELSEWHERE
            return cycle_lane if near else self._town.get_waypoint(place)
        entries = self.crossroads.entries_from("opposite")
        return behind(max(entries, key=lambda entry: abs(entry.lane_id)), _BEFORE)

    def _begin(self, facts: EgoFacts) -> None:
        speed = self.script.number("flow_speed", _SPEED)
        apart = self.script.interval("source_dist_interval", _APART)
        self._flow = StubbornFlow(self._way, speed, apart, self._scenery, _BICYCLE)
        self._flow.fill()
        self._own = self.lights.at(self.crossroads.entry)
        self._own_green = False
        if self._own is not None:
            self.lights.show(())

    def _act(self, facts: EgoFacts, since: float) -> None:
        if self._own is not None and not self._own_green and since >= _RED_FIRST:
            self._own_green = True
            self.lights.show({self._own})
        self._flow.step(facts)

    def clear(self) -> None:
        """Nobody comes any more."""
        self._flow.clear()
        super().clear()
