"""Scenarios in which something waits for the ego where its route leaves a junction.

Distances, speeds and times are those of scenario_runner's scenarios of the same names.
"""

from __future__ import annotations

import carla
import numpy as np

from linkvla.launch.evaluation.facts import EgoFacts
from linkvla.launch.evaluation.scenarios.crossings import Crossing
from linkvla.launch.evaluation.scenarios.junction_scene import JunctionScene
from linkvla.launch.evaluation.scenarios.junctions import next_junction
from linkvla.launch.evaluation.scenarios.places import shifted, sidewalk
from linkvla.launch.evaluation.scenarios.scene import Scene
from linkvla.launch.evaluation.scenarios.scenery import NoRoomError

_STANDS = 1.2  # m from the ground to the middle of a pedestrian
_DROP = 0.2  # m above the road
_BESIDE = 1.5  # m from the middle of the outermost lane, where there is no sidewalk


class BlockedIntersection(JunctionScene):
    """A car stands there; ten seconds after the ego has come near it is gone."""

    time_limit = 240.0
    _BEYOND = 5.0  # m from the junction
    _NEAR = 13.0  # m
    _WAITS = 10.0  # s

    def set_up(self) -> None:
        """Where it will stand; it appears at the trigger."""
        super().set_up()
        _, exit_lane = next_junction(self.line, self._town, self.start)
        self._place = (exit_lane.next(self._BEYOND) or [exit_lane])[0].transform
        self._place.location.z += _DROP
        self._car: carla.Vehicle | None = None
        self._near_since: float | None = None

    def _begin(self, facts: EgoFacts) -> None:
        place = self._place.location
        self._traffic.remove(self._traffic.near([(place.x, place.y)], self._NEAR))
        self._act(facts, 0.0)

    def _act(self, facts: EgoFacts, since: float) -> None:
        if self._car is None:
            self._car = self._scenery.moving_car(self._place)
            if self._car is None:
                return  # somebody is just there
            self._car.apply_control(carla.VehicleControl(hand_brake=True))
            self._car.set_light_state(carla.VehicleLightState(carla.VehicleLightState.Brake))
        if self._near_since is None and self._place.location.distance(carla.Location(*facts.location)) < self._NEAR:
            self._near_since = facts.time

    def _done(self, facts: EgoFacts) -> bool:
        return self._near_since is not None and facts.time - self._near_since >= self._WAITS

    def clear(self) -> None:
        """The road is free again."""
        if self._car is not None:
            self._scenery.remove([self._car.id])
        super().clear()


class VehicleTurningRoute(Scene):
    """A cyclist crosses there, from the right."""

    _BEYOND = 11.0  # m from the junction
    _ATTEMPTS, _FURTHER = 6, 0.4  # m
    _SPEED = 1.8  # m/s
    _REACTION, _NEAREST = 1.8, 6.0  # s and m before the place of meeting, at which the cyclist sets off

    def set_up(self) -> None:
        """The cyclist waits beside the road."""
        _, lane = next_junction(self.line, self._town, self.start)
        for attempt in range(self._ATTEMPTS):
            meeting = (lane.next(self._BEYOND + attempt * self._FURTHER) or [lane])[0]
            edge, side = sidewalk(meeting, 1.0)
            aside = 0.0 if edge.lane_type == carla.LaneType.Sidewalk else side * _BESIDE
            try:
                pose = shifted(edge, aside, _DROP, -90.0 * side)
                self._cyclist = self._scenery.vehicle("vehicle.diamondback.century", pose)
                break
            except NoRoomError:
                if attempt == self._ATTEMPTS - 1:
                    raise
        self._meeting = meeting.transform.location
        self._rides = 2.0 * pose.location.distance(self._meeting) / self._SPEED
        self._set_off: float | None = None

    def play(self, facts: EgoFacts, since: float) -> None:
        """Set off when the ego is near; gone on the other side."""
        if self._set_off is None:
            distance = carla.Location(*facts.location).distance(self._meeting)
            if distance < max(self._NEAREST, self._REACTION * facts.speed):
                self._set_off = facts.time
                self._cyclist.apply_control(carla.VehicleControl())
                self._cyclist.enable_constant_velocity(carla.Vector3D(x=self._SPEED))
            return
        self.over = facts.time - self._set_off >= self._rides

    def clear(self) -> None:
        """Gone."""
        self._scenery.remove([self._cyclist.id])


class VehicleTurningRoutePedestrian(Crossing):
    """Somebody walks across there, from the side that the ego turns away from."""

    reaction = 2.2
    _BEYOND = 0.5  # m from the junction
    _SPEED = 1.8  # m/s

    def _people(self) -> None:
        _, exit_lane = next_junction(self.line, self._town, self.start)
        lane = (exit_lane.next(self._BEYOND) or [exit_lane])[0]
        self._meeting = lane.transform.location
        right, left = sidewalk(lane, 1.0), sidewalk(lane, -1.0)
        turned = exit_lane.transform.rotation.yaw - self.start.transform.rotation.yaw
        edge, side = left if np.sin(np.radians(turned)) > 0.0 else right
        aside = 0.0 if edge.lane_type == carla.LaneType.Sidewalk else side * _BESIDE
        across = right[0].transform.location.distance(left[0].transform.location)
        self._add(shifted(edge, aside, _STANDS, -90.0 * side), self._SPEED, across)
