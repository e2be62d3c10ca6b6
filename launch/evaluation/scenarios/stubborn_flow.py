"""Vehicles that come one after the other along a way and give way to nobody, as scenario_runner's flows."""

from __future__ import annotations

import math
from collections.abc import Mapping

import carla

from linkvla.launch.evaluation.facts import EgoFacts
from linkvla.launch.evaluation.scenarios.riding import Rider, Way
from linkvla.launch.evaluation.scenarios.scenery import PASSENGER_CAR, Scenery

_DROP = 0.2  # m above the road
_IN_THE_WAY = 2.5  # m to the middle of their lane


class StubbornFlow:
    """Comes until ``clear``. Once the ego has touched one of them, they stop for it: a wreck must not be run over.

    Args:
        way: from where they appear to where they vanish.
        speed: m/s.
        apart: m, the least and the greatest distance from one to the next.
        scenery: where they come from, and chance.
        attributes: of the models.
    """

    def __init__(
        self,
        way: Way,
        speed: float,
        apart: tuple[float, float],
        scenery: Scenery,
        attributes: Mapping[str, str | bool] = PASSENGER_CAR,
    ) -> None:
        self._way, self._speed, self._apart = way, speed, apart
        self._scenery, self._attributes = scenery, attributes
        self._riders: list[Rider] = []  # the first in front
        self._heeds_ego = False
        self._gap = self._next_gap()

    def fill(self) -> None:
        """Have them on the way from the beginning, but not inside the junction."""
        last = math.inf
        for index in reversed(range(len(self._way))):
            arc = float(self._way.line.arcs[index])
            if last - arc >= self._gap and not self._way.in_junction[index]:
                self._let_come(index)
                last = arc

    def step(self, facts: EgoFacts) -> None:
        """One tick: drive each on, take away who has arrived, let the next come."""
        ids = {rider.vehicle.id for rider in self._riders}
        self._heeds_ego = self._heeds_ego or any(touch.other_id in ids for touch in facts.collisions)
        ego = self._way.arc_of(facts.location, _IN_THE_WAY) if self._heeds_ego else None
        before = math.inf
        for rider in self._riders:
            in_front = ego is not None and ego > rider.arc
            rider.step(min(before, ego) if in_front else before)
            before = rider.arc
        self._take_away([rider for rider in self._riders if rider.arrived])
        if not self._riders or self._riders[-1].arc > self._gap:
            self._let_come(0)

    def clear(self) -> None:
        """Nobody comes any more."""
        self._take_away(self._riders)

    def _let_come(self, index: int) -> None:
        pose = self._way.poses[index]
        above = carla.Transform(pose.location + carla.Location(z=_DROP), pose.rotation)
        car = self._scenery.moving_car(above, self._attributes)
        if car is not None:  # else somebody is just there
            self._riders.append(Rider(car, self._way, self._speed, index))
            self._gap = self._next_gap()

    def _next_gap(self) -> float:
        return self._scenery.choice.uniform(*self._apart)

    def _take_away(self, riders: list[Rider]) -> None:
        if riders:
            self._riders = [rider for rider in self._riders if rider not in riders]
            self._scenery.remove([rider.vehicle.id for rider in riders])
