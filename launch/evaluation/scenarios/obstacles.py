"""Scenarios in which something stands in the ego's lane: a parked car, an accident, road works.

Distances and displacements are those of scenario_runner's scenarios of the same names. In the two-way variants cars of
the scenario's own come along the other lane, from when the ego has had time to make up its mind.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator
from typing import ClassVar

import carla

from linkvla.launch.evaluation.facts import EgoFacts, Infraction
from linkvla.launch.evaluation.scenarios.careful_flow import CarefulFlow
from linkvla.launch.evaluation.scenarios.oncoming import oncoming_flow
from linkvla.launch.evaluation.scenarios.places import ON_THE_ROAD, ahead, flat_line, is_before, outermost, shifted
from linkvla.launch.evaluation.scenarios.scene import Scene

_DROP = 1.0  # m above the road, as vehicles are placed
_BEYOND = 50.0  # m past the obstacle, where the scenario ends
_SEEN_FROM = 50.0  # m before the obstacle
_MAKES_UP_ITS_MIND = 5.0  # s
_QUEUE = 40.0  # m before an obstacle in which no background car may come to stand

_Lights = carla.VehicleLightState
POLICE = _Lights.Special1 | _Lights.Special2 | _Lights.Position
HAZARD = _Lights.RightBlinker | _Lights.LeftBlinker | _Lights.Position


class Obstacle(Scene):
    """What all of them share: a blocked stretch of lane, a sign at its beginning, an end beyond it."""

    time_limit = 240.0
    sign: ClassVar[str | None] = "static.prop.warningaccident"
    default_distance: ClassVar[float] = 120.0  # m from the trigger to the obstacle
    default_apart: ClassVar[tuple[float, float]] = (20.0, 100.0)  # m, between oncoming cars

    def set_up(self) -> None:
        """The sign beside the road, then the obstacle."""
        self._ids: list[int] = []
        self._first = self._last = ahead(self.start, self.script.number("distance", self.default_distance))
        if self.sign is not None:
            self._put_sign(self.sign)
        for actor in self._block():
            self._ids.append(actor.id)
        self._end = ahead(self._last, _BEYOND).transform
        self._known_since: float | None = None
        reach = _QUEUE + self._last.transform.location.distance(self._first.transform.location)
        self._kept_free = flat_line(self._last, reach)
        self._apart = self._frequency()
        self._oncoming: CarefulFlow | None = None

    @abstractmethod
    def _block(self) -> Iterator[carla.Actor]:
        """Place what stands in the lane, from ``_first`` on; moves ``_last`` on."""

    def _place(self) -> carla.Location:
        """Of its near end."""
        return self._first.transform.location

    def _is_known(self, facts: EgoFacts) -> bool:
        """Whether the ego is so near that it can be expected to know of it."""
        return carla.Location(*facts.location).distance(self._place()) < _SEEN_FROM

    def _come_alive(self) -> None:
        """Called once, when the ego knows of it."""

    def _is_past(self, place: carla.Location) -> bool:
        """Whether the ego, there, has left it behind."""
        return is_before(place, self._end)

    def _frequency(self) -> tuple[float, float]:
        """Metres between oncoming cars, the least and the greatest; routes give both or one number."""
        if "frequency" in self.script.parameters:
            one = self.script.number("frequency", 0.0)
            return one, one
        return self.script.interval("frequency", self.default_apart)

    @property
    def _two_ways(self) -> bool:
        return self.script.type.endswith("TwoWays")

    @property
    def oncoming_lane_allowed(self) -> bool:
        """In the two-way variants, from when the ego has stood before the obstacle for a while, to the end."""
        return self._two_ways and not self.over and self._mind_made_up

    _mind_made_up = False

    def step(self, facts: EgoFacts, triggered: bool) -> Infraction | None:
        """Background cars know no way round: those that would queue up are taken away, also before the beginning."""
        if not self.over:
            self.keep_free(self._kept_free, facts)
        return super().step(facts, triggered)

    def play(self, facts: EgoFacts, since: float) -> None:
        """Watch where the ego is."""
        place = carla.Location(*facts.location)
        if self._known_since is None and self._is_known(facts):
            self._known_since = facts.time
            self._come_alive()
        self._mind_made_up = self._known_since is not None and facts.time - self._known_since >= _MAKES_UP_ITS_MIND
        if self.oncoming_lane_allowed:
            self._let_them_come(facts.speed_limit)
        self.over = self._is_past(place)

    def clear(self) -> None:
        """The road is free again."""
        if self._oncoming is not None:
            self._oncoming.clear()
        self._scenery.remove(self._ids)

    def _let_them_come(self, speed: float) -> None:
        lane = self._first.get_left_lane()
        if self._oncoming is None and lane is not None and lane.lane_type == carla.LaneType.Driving:
            self._oncoming = oncoming_flow(lane, speed, self._apart, self.drivers, self._scenery)
        if self._oncoming is not None:
            self._oncoming.step()

    def _put_sign(self, model: str) -> None:
        edge, outwards = outermost(self.start, self.script.side, ON_THE_ROAD)
        aside = outwards * 0.8 * edge.lane_width
        self._ids.append(self._scenery.prop(model, shifted(edge, aside, 0.2, 90.0)).id)

    def _aside(self, waypoint: carla.Waypoint, share: float) -> carla.Transform:
        """A vehicle's pose, displaced by a share of half the lane's width."""
        return shifted(waypoint, self.script.side * share * waypoint.lane_width / 2, _DROP)


class ParkedObstacle(Obstacle):
    """A car that was parked in the lane, its hazard lights on."""

    def _block(self) -> Iterator[carla.Actor]:
        yield self._scenery.car(self._aside(self._first, 0.7), HAZARD)


class Accident(Obstacle):
    """A police car and, behind it, two cars that have met."""

    def _block(self) -> Iterator[carla.Actor]:
        yield self._scenery.vehicle("vehicle.dodge.charger_police_2020", self._aside(self._first, 0.6), POLICE)
        for distance in (10.0, 6.0):
            self._last = ahead(self._last, distance)
            yield self._scenery.car(self._aside(self._last, 0.6))


class ConstructionObstacle(Obstacle):
    """A warning board and a rectangle of cones around debris."""

    sign = "static.prop.warningconstruction"
    default_distance = 100.0

    def _block(self) -> Iterator[carla.Actor]:
        wide = 0.85 * self.start.lane_width / 2
        side = self.script.side
        yield self._scenery.prop("static.prop.trafficwarning", shifted(self._first, 0.0, 0.0, 270.0, -5.0))
        yield self._scenery.prop("static.prop.dirtdebris02", shifted(self._first, 0.0, 0.0, 90.0, 2.0))
        rows = [(-side * wide, forward) for forward in (2.0, 4.0, 6.0, 8.0)]
        rows += [(-side * (wide - across), 8.0) for across in (1.0, 2.0, 3.0)]
        for right, forward in rows:
            yield self._scenery.prop("static.prop.constructioncone", shifted(self._first, right, 0.1, 0.0, forward))
        self._last = ahead(self._first, 8.0)
