"""Scenarios in which a vehicle with blue lights crosses the ego's junction without giving way.

Distances, speeds and times are those of scenario_runner's scenarios of the same names.
"""

from __future__ import annotations

from collections.abc import Sequence

import carla
import numpy as np

from linkvla.launch.evaluation.facts import EgoFacts
from linkvla.launch.evaluation.scenarios.junction_scene import JunctionScene
from linkvla.launch.evaluation.scenarios.junctions import STRAIGHT, next_junction, way_through
from linkvla.launch.evaluation.scenarios.riding import Rider, Way
from linkvla.launch.evaluation.scenarios.scenery import NoRoomError

_EMERGENCY = {"special_type": "emergency"}
_SPEED = 60 / 3.6  # m/s
_BEFORE, _BEHIND = 30.0, 10.0  # m from the junction, where it waits and where it vanishes
_REACTION = 2.2  # s before the ego would be where they meet
_NEAREST = 12.0  # m to there, at which it sets off at the latest
_TOUCHES = 2.5  # m from its way, where it heeds an ego that it has touched
_DROP = 0.2  # m above the road

_BLUE = carla.VehicleLightState(carla.VehicleLightState.Special1 | carla.VehicleLightState.Special2)


class OppositeVehicleTakingPriority(JunctionScene):
    """It comes from ``direction``, straight on."""

    def _ways(self) -> Sequence[Way]:
        entry = self.crossroads.entries_from(self.script.word("direction", "right"))[0]
        self._way = Way(way_through(entry, STRAIGHT, _BEFORE, _BEHIND))
        self._meeting = self._where_they_meet()
        self._vehicle: carla.Vehicle | None = None
        self._rider: Rider | None = None
        self._touched = self._gone = False
        return (self._way,)

    def _where_they_meet(self) -> np.ndarray:
        """(3,) m: of the ego's route from the trigger through its next junction, the place nearest to its way."""
        stretch, _ = next_junction(self.line, self._town, self.start)
        route = self.line.points[stretch]
        distances = np.linalg.norm(route[:, None, :2] - self._way.line.points[None, :, :2], axis=2)
        return route[int(np.argmin(distances.min(axis=1)))]

    def _begin(self, facts: EgoFacts) -> None:
        self._appear()

    def _appear(self) -> None:
        pose = self._way.poses[0]
        above = carla.Transform(pose.location + carla.Location(z=_DROP), pose.rotation)
        self._vehicle = self._scenery.moving_car(above, _EMERGENCY)
        if self._vehicle is not None:
            self._vehicle.set_light_state(_BLUE)
            self._vehicle.apply_control(carla.VehicleControl(hand_brake=True))

    def _act(self, facts: EgoFacts, since: float) -> None:
        if self._gone:
            return
        if self._vehicle is None:
            self._appear()
        elif self._rider is None:
            distance = float(np.linalg.norm(np.array(facts.location) - self._meeting))
            if distance < max(_NEAREST, _REACTION * facts.speed):
                self._rider = Rider(self._vehicle, self._way, _SPEED)
                self._set_off = facts.time
        else:
            self._ride(facts)

    def _ride(self, facts: EgoFacts) -> None:
        self._touched = self._touched or any(touch.other_id == self._vehicle.id for touch in facts.collisions)
        ego = self._way.arc_of(facts.location, _TOUCHES) if self._touched else None
        self._rider.step(np.inf if ego is None else ego)
        if self._rider.arrived or facts.time - self._set_off > self._way.line.length / _SPEED + 1.0:
            self._leave()

    def _leave(self) -> None:
        if self._vehicle is not None and not self._gone:
            self._scenery.remove([self._vehicle.id])
        self._gone = True

    def clear(self) -> None:
        """It is gone."""
        self._leave()
        super().clear()


class OppositeVehicleRunningRedLight(OppositeVehicleTakingPriority):
    """The same against a red light: the ego's is green, all others red."""

    others_wait = False

    def set_up(self) -> None:
        """Raises NoRoomError also where there are no lights."""
        super().set_up()
        self._own = self.lights.at(self.crossroads.entry)
        if self._own is None:
            raise NoRoomError("its junction has no lights")

    def _begin(self, facts: EgoFacts) -> None:
        super()._begin(facts)
        self.lights.show({self._own})
