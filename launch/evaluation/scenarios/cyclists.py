"""Two cyclists ride ahead, at the right of the ego's lane, and are too slow to stay behind.

Distances and speeds are those of scenario_runner's ``HazardAtSideLane`` and its two-way variant.
"""

from __future__ import annotations

from collections.abc import Iterator

import carla

from linkvla.launch.evaluation.facts import EgoFacts
from linkvla.launch.evaluation.scenarios.drivers import Driver
from linkvla.launch.evaluation.scenarios.obstacles import Obstacle
from linkvla.launch.evaluation.scenarios.places import ahead, is_before

_BICYCLES = ("vehicle.bh.crossbike", "vehicle.diamondback.century", "vehicle.gazelle.omafiets")
_BETWEEN = 9.0  # m from the first to the second
_ASIDE = 0.55  # of half the lane's width
_KMH = 3.6
_OVERTAKEN = 50.0  # m that the ego drives on


class HazardAtSideLane(Obstacle):
    """They set off when the scenario begins, ride for a while, and stop there."""

    sign = None
    default_distance = 100.0
    default_apart = (100.0, 100.0)

    def _block(self) -> Iterator[carla.Actor]:
        reach = self.script.number("bicycle_drive_distance", 50.0)
        self._riders: list[tuple[carla.Vehicle, carla.Location]] = []
        for place in (self._first, ahead(self._first, _BETWEEN)):
            model = self._scenery.choice.choice(_BICYCLES)
            bicycle = self._scenery.vehicle(model, self._aside(place, _ASIDE))
            self._last = ahead(place, reach)
            self._riders.append((bicycle, self._last.transform.location))
            yield bicycle
        self._riding: list[Driver] = []
        self._passed_at: carla.Location | None = None

    def _place(self) -> carla.Location:
        return self._riders[0][0].get_location()

    def _is_past(self, place: carla.Location) -> bool:
        if self._passed_at is None and is_before(place, self._riders[-1][0].get_transform()):
            self._passed_at = place
        return self._passed_at is not None and place.distance(self._passed_at) > _OVERTAKEN

    def play(self, facts: EgoFacts, since: float) -> None:
        """Ride."""
        if not self._riding:
            self._riding = [self._mounted(bicycle, target) for bicycle, target in self._riders]
        for rider in self._riding:
            if rider.arrived:
                rider.vehicle.apply_control(carla.VehicleControl(hand_brake=True))
            else:
                rider.step()
        super().play(facts, since)

    def _mounted(self, bicycle: carla.Vehicle, target: carla.Location) -> Driver:
        speed = self.script.number("bicycle_speed", 10.0) / _KMH
        way = self.drivers.way(bicycle.get_location(), target)
        return self.drivers.along(bicycle, speed, way, offset=_ASIDE * self.start.lane_width / 2)
