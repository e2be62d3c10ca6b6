"""Scenarios in which people walk across the road before the ego.

Distances, speeds and times are those of scenario_runner's scenarios of the same names. As there, they are not to be
seen before the trigger: who drives towards them has no longer to find them out.
"""

from __future__ import annotations

import math
from abc import abstractmethod

import carla

from linkvla.launch.evaluation.facts import EgoFacts
from linkvla.launch.evaluation.scenarios.places import ahead, shifted, sidewalk
from linkvla.launch.evaluation.scenarios.scene import Scene
from linkvla.launch.evaluation.scenarios.wings import Wings

_STANDS = 1.2  # m from the ground to the middle of a pedestrian


class Crossing(Scene):
    """Someone waits beside the road until the ego is near, crosses it, and is gone."""

    reaction = 2.1  # s before the ego would arrive, at which they set off
    nearest = 6.0  # m to the place of meeting, at which they set off at the latest

    def set_up(self) -> None:
        """Place everybody."""
        self._setting_off: float | None = None
        self._walkers: list[tuple[carla.Walker, carla.Vector3D, float, float]] = []
        self._wings = Wings()
        self._other_ids: list[int] = []
        self._people()

    @abstractmethod
    def _people(self) -> None:
        """Place them, and say where they would meet the ego."""

    def _add(self, pose: carla.Transform, speed: float, distance: float) -> None:
        walker = self._scenery.walker(pose)
        self._wings.take(walker, pose)
        self._walkers.append((walker, pose.get_forward_vector(), speed, distance / speed))

    def play(self, facts: EgoFacts, since: float) -> None:
        """Appear, set off when the ego is near; once all have crossed, it is over."""
        self._wings.enter()
        if self._setting_off is None:
            distance = carla.Location(*facts.location).distance(self._meeting)
            if distance < self.nearest or distance < self.reaction * facts.speed:
                self._setting_off = facts.time
                for walker, way, speed, _ in self._walkers:
                    walker.apply_control(carla.WalkerControl(way, speed, False))
            return
        walked = facts.time - self._setting_off
        arrived = [one for one in self._walkers if walked > one[3]]
        if arrived:
            self._scenery.remove([walker.id for walker, *_ in arrived])
            self._walkers = [one for one in self._walkers if one not in arrived]
        self.over = not self._walkers

    def clear(self) -> None:
        """What they stood behind goes too."""
        self._scenery.remove(self._other_ids)


class DynamicObjectCrossing(Crossing):
    """A pedestrian steps out from behind something."""

    default_blocker = "static.prop.vendingmachine"
    default_distance = 12.0  # m from the trigger
    _SPEED = 2.0  # m/s
    _BEHIND = 0.5  # m from the end of what hides them

    def _people(self) -> None:
        angle = self.script.number("crossing_angle", 0.0)
        self.reaction = Crossing.reaction + 0.1 * math.floor(angle / 5.0)
        lane = ahead(self.start, self.script.number("distance", self.default_distance))
        self._meeting = lane.transform.location
        edge, side = sidewalk(lane, self.script.side)
        paved = edge.lane_type == carla.LaneType.Sidewalk
        model = self.script.word("blocker_model", self.default_blocker)
        vehicle = model.startswith("vehicle.")
        blocker_pose = shifted(edge, 0.0 if paved else side * 1.5, 0.0, 0.0 if vehicle else 90.0 * side)
        blocker = self._scenery.vehicle(model, blocker_pose) if vehicle else self._scenery.prop(model, blocker_pose)
        self._other_ids.append(blocker.id)
        further = (edge.next(blocker.bounding_box.extent.x + self._BEHIND) or [edge])[0]
        heading = -side * (90.0 + angle)  # towards the road
        pose = shifted(further, 0.0 if paved else side * 1.2, _STANDS, heading)
        self._add(pose, self._SPEED, 2.0 * pose.location.distance(self._meeting))


class ParkingCrossingPedestrian(DynamicObjectCrossing):
    """The same from behind a parked car."""

    default_blocker = "vehicle.nissan.patrol_2021"


class PedestrianCrossing(Crossing):
    """Three people cross at the end of the ego's road, where the junction begins."""

    reaction = 3.5
    nearest = 12.0
    _WAITING = ((0.4, 1.5, 1.6), (1.0, 2.5, 1.3), (1.6, 0.5, 2.0))  # m forward, m to the right, m/s

    def _people(self) -> None:
        lane = ahead(self.start, math.inf)
        self._meeting = lane.transform.location
        edge, _ = sidewalk(lane, 1.0)
        for forward, right, speed in self._WAITING:
            pose = shifted(edge, right, _STANDS, -90.0, forward)
            self._add(pose, speed, 2.3 * pose.location.distance(self._meeting))
