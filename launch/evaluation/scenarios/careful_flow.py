"""Cars of a scenario's own that come one after the other along a way and brake for what stands in it."""

from __future__ import annotations

from typing import Any

import carla

from linkvla.launch.evaluation.scenarios.drivers import Driver, Drivers, Way
from linkvla.launch.evaluation.scenarios.scenery import Scenery

_ARRIVED = 2.0  # m
_DROP = 0.2  # m above the road


class CarefulFlow:
    """Cars from the beginning of a way to its end, until ``clear``.

    Args:
        way: what they drive along.
        speed: m/s.
        apart: m, the least and the greatest distance from one to the next.
        drivers: of the town.
        scenery: where cars come from, and chance.
        options: further ones of ``BasicAgent``.
    """

    def __init__(
        self, way: Way, speed: float, apart: tuple[float, float], drivers: Drivers, scenery: Scenery, **options: Any
    ) -> None:
        self._way, self._speed, self._apart = way, speed, apart
        self._source, self._sink = way[0][0].transform, way[-1][0].transform
        self._drivers, self._scenery, self._options = drivers, scenery, options
        self._gap = scenery.choice.uniform(*apart)
        self._cars: list[Driver] = []

    def step(self) -> None:
        """One tick: drive each on, take away who has arrived, let the next come."""
        arrived = []
        for driver in self._cars:
            place = driver.vehicle.get_location()
            if driver.arrived or place.distance(self._sink.location) < _ARRIVED:
                arrived.append(driver.vehicle.id)
            else:
                driver.step()
        if arrived:
            self._take_away(arrived)
        newest = self._cars[-1].vehicle.get_location() if self._cars else None
        if newest is None or newest.distance(self._source.location) > self._gap:
            self._let_come()

    def clear(self) -> None:
        """The way is free again."""
        self._take_away([driver.vehicle.id for driver in self._cars])

    def _let_come(self) -> None:
        pose = carla.Transform(self._source.location + carla.Location(z=_DROP), self._source.rotation)
        car = self._scenery.moving_car(pose)
        if car is None:
            return  # somebody is just there
        self._cars.append(self._drivers.along(car, self._speed, self._way, **self._options))
        self._gap = self._scenery.choice.uniform(*self._apart)

    def _take_away(self, ids: list[int]) -> None:
        self._cars = [driver for driver in self._cars if driver.vehicle.id not in ids]
        self._scenery.remove(ids)
