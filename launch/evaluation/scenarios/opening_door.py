"""A parked car opens a door into the ego's lane, close before it.

Distances and times are those of scenario_runner's ``VehicleOpensDoorTwoWays``.
"""

from __future__ import annotations

from collections.abc import Iterator

import carla

from linkvla.launch.evaluation.facts import EgoFacts
from linkvla.launch.evaluation.scenarios.obstacles import Obstacle
from linkvla.launch.evaluation.scenarios.places import shifted
from linkvla.launch.evaluation.scenarios.scenery import PASSENGER_CAR

_WITH_DOORS = {**PASSENGER_CAR, "has_dynamic_doors": True}
_DROP = 0.3  # m above the road
_REACTION, _NEAREST = 3.0, 10.0  # s and m before the car, at which the door opens


class VehicleOpensDoor(Obstacle):
    """The door stays open. Five seconds later oncoming cars come, and the ego may use their lane."""

    sign = None
    default_distance = 50.0

    def _block(self) -> Iterator[carla.Actor]:
        bay = self.lane_beside(self._first)
        self._car = self._scenery.special_vehicle(_WITH_DOORS, shifted(bay, 0.0, _DROP))
        # At the bay's near edge: from its middle the door would not reach the ego.
        inwards = self.script.side * (bay.lane_width - self._car.bounding_box.extent.y) / 4
        self._car.set_transform(shifted(bay, -inwards, _DROP))
        yield self._car

    def _is_known(self, facts: EgoFacts) -> bool:
        distance = carla.Location(*facts.location).distance(self._place())
        return distance < max(_NEAREST, _REACTION * facts.speed)

    def _come_alive(self) -> None:
        self._car.open_door(carla.VehicleDoor.FL if self.script.side > 0.0 else carla.VehicleDoor.FR)
        self._car.set_light_state(carla.VehicleLightState(carla.VehicleLightState.Interior))
