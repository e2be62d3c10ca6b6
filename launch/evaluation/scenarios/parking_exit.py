"""The ego begins in a parking bay, between two parked cars, and has to pull out.

Distances are those of scenario_runner's scenario of that name. It is the first of its route, with the trigger at the
route's first point.
"""

from __future__ import annotations

import carla

from linkvla.launch.evaluation.facts import EgoFacts
from linkvla.launch.evaluation.scenarios.drivers import Driver
from linkvla.launch.evaluation.scenarios.places import shifted
from linkvla.launch.evaluation.scenarios.scene import Scene
from linkvla.launch.evaluation.scenarios.scenery import NoRoomError

_BEFORE, _BEHIND = 20.0, 10.0  # m from the ego to the parked cars
_ON_ITS_WAY = 15.0  # m that the ego drives beyond the car before it
_PASSER_BY = 50.0  # m that the car beside it drives
_UP = 0.05  # m above the ground
_NEAR_START = 2.0  # m


class ParkingExit(Scene):
    """While the ego waits a car drives by."""

    time_limit = 240.0

    def set_up(self) -> None:
        """Move the ego into the bay, and park others."""
        lane = self.start
        bay = self.lane_beside(lane)
        if carla.Location(*self.line.points[0]).distance(lane.transform.location) > _NEAR_START:
            raise NoRoomError("its trigger is not where the route begins")
        self._before = self.script.number("front_vehicle_distance", _BEFORE)
        ahead = bay.next(self._before)
        behind = bay.previous(self.script.number("behind_vehicle_distance", _BEHIND))
        if not ahead or not behind:
            raise NoRoomError("the bay is too short")
        self._ids = [self._park(place) for place in (ahead[0], behind[0])]
        ego = self._scenery.ego()
        ego.set_transform(self._at_the_kerb(bay, ego))
        self._passer_by = self._scenery.moving_car(shifted(lane, 0.0, _UP))
        self._driver: Driver | None = None
        self._origin = bay.transform.location

    def play(self, facts: EgoFacts, since: float) -> None:
        """Drive by; watch how far the ego gets."""
        place = carla.Location(*facts.location)
        if self._passer_by is not None:
            self._drive_by(facts.speed_limit)
        self.over = place.distance(self._origin) > self._before + _ON_ITS_WAY

    def _drive_by(self, speed: float) -> None:
        if self._driver is None:
            self._driver = self.drivers.ahead(self._passer_by, speed)
        self._driver.step()
        if self._passer_by.get_location().distance(self._origin) > _PASSER_BY:
            self._scenery.remove([self._passer_by.id])
            self._passer_by = None

    def clear(self) -> None:
        """The bays are free again."""
        if self._passer_by is not None:
            self._ids.append(self._passer_by.id)
        self._scenery.remove(self._ids)

    def _park(self, bay: carla.Waypoint) -> int:
        car = self._scenery.car(shifted(bay, 0.0, _UP))
        car.set_transform(self._at_the_kerb(bay, car))
        return car.id

    def _at_the_kerb(self, bay: carla.Waypoint, car: carla.Vehicle) -> carla.Transform:
        outwards = self.script.side * (bay.lane_width - car.bounding_box.extent.y) / 4
        return shifted(bay, outwards, _UP)
