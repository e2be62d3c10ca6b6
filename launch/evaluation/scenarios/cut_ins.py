"""Scenarios in which somebody pulls into the ego's lane from the side, close before it.

Distances and times are those of scenario_runner's scenarios of the same names.
"""

from __future__ import annotations

from abc import abstractmethod

import carla

from linkvla.launch.evaluation.facts import EgoFacts, Infraction
from linkvla.launch.evaluation.scenarios.drivers import Driver
from linkvla.launch.evaluation.scenarios.places import flat_line, shifted
from linkvla.launch.evaluation.scenarios.scene import Scene
from linkvla.launch.evaluation.scenarios.scenery import NoRoomError
from linkvla.launch.evaluation.scenarios.wings import Wings

_DROP = 0.3  # m above the road
_KMH = 3.6


class CutIn(Scene):
    """Somebody waits beside the lane until the ego is near, and pulls in."""

    reaction = 2.35  # s before the ego would arrive, at which they set off
    nearest = 10.0  # m to the place of meeting, at which they set off at the latest
    drives_on = 30.0  # m, after which the scenario ends

    def set_up(self) -> None:
        """Place everybody."""
        self._ids: list[int] = []
        self._driver: Driver | None = None
        self._kept_free: list[tuple[float, float]] = []
        self._place_all()

    @abstractmethod
    def _place_all(self) -> None:
        """Set ``_meeting`` (a place), ``_cutter`` and ``_kept_free`` (lanes without background cars, x and y, m)."""

    @abstractmethod
    def _set_off(self, facts: EgoFacts) -> Driver:
        """Whoever drives the one that pulls in."""

    def step(self, facts: EgoFacts, triggered: bool) -> Infraction | None:
        """Background cars are kept away, also before the beginning."""
        if not self.over:
            self.keep_free(self._kept_free, facts)
        return super().step(facts, triggered)

    def play(self, facts: EgoFacts, since: float) -> None:
        """Wait for the ego, then drive."""
        if self._driver is None:
            distance = carla.Location(*facts.location).distance(self._meeting)
            if distance < self.nearest or distance < self.reaction * facts.speed:
                self._begins_at = self._cutter.get_location()
                self._driver = self._set_off(facts)
            return
        self._driver.step()
        self.over = self._has_cut_in(facts)

    def _has_cut_in(self, facts: EgoFacts) -> bool:
        return self._cutter.get_location().distance(self._begins_at) > self.drives_on

    def clear(self) -> None:
        """Everybody goes."""
        self._scenery.remove(self._ids)

    def _further(self, lane: carla.Waypoint, distance: float) -> carla.Waypoint:
        """So many metres on, through junctions too."""
        found = lane.next(distance)
        if not found:
            raise NoRoomError("its lane is too short")
        return found[0]

    def _car(self, pose: carla.Transform) -> carla.Vehicle:
        car = self._scenery.car(pose)
        self._ids.append(car.id)
        return car


class ParkingCutIn(CutIn):
    """A parked car sets off, from behind another one."""

    _HIDER, _CUTTER = 28.0, 35.0  # m from the trigger
    _SPEED = 20.0  # km/h

    def _place_all(self) -> None:
        lane = self._further(self.start, self._CUTTER)
        self._meeting = lane.transform.location
        self._park(self._further(self.start, self._HIDER))
        self._cutter = self._park(lane)
        self._kept_free = flat_line(self._further(lane, self.drives_on), self._CUTTER + self.drives_on)

    def _park(self, lane: carla.Waypoint) -> carla.Vehicle:
        bay = self.lane_beside(lane)
        car = self._car(shifted(bay, 0.0, _DROP))
        outwards = self.script.side * (bay.lane_width - car.bounding_box.extent.y) / 4
        car.set_transform(shifted(bay, outwards, _DROP))
        return car

    def _set_off(self, facts: EgoFacts) -> Driver:
        return self.drivers.ahead(self._cutter, self._SPEED / _KMH, ignore_traffic_lights=True)


class StaticCutIn(CutIn):
    """From a queue that stands in the next lane one pulls out. None of it is to be seen before the trigger."""

    reaction = 2.7
    nearest = 15.0
    _DEFAULT_DISTANCE = 100.0  # m to the end of the queue
    _BEHIND, _BEFORE, _GAP = 2, 3, 11.0  # cars behind and before it; m from one to the next
    _SPEED = 60.0  # km/h
    _DRIVES, _STEP = 70.0, 5.0  # m in the ego's lane, and between the points it drives for
    _AT_MOST = 30.0  # s

    def _place_all(self) -> None:
        self._wings = Wings()
        first = self._further(self.start, self.script.number("distance", self._DEFAULT_DISTANCE))
        number = self._BEHIND + 1 + self._BEFORE
        lanes = [first] + [self._further(first, self._GAP * place) for place in range(1, number)]
        cars = [self._in_queue(self.lane_beside(lane)) for lane in lanes]
        meeting = lanes[self._BEHIND]
        self._meeting, self._cutter = meeting.transform.location, cars[self._BEHIND]
        steps = range(1, int(self._DRIVES / self._STEP) + 1)
        self._way = self.drivers.plain_way(self._further(meeting, self._STEP * step) for step in steps)
        reach = self._GAP * number
        self._kept_free = flat_line(lanes[-1], reach) + flat_line(self.lane_beside(lanes[-1]), reach + self._DRIVES)

    def _in_queue(self, lane: carla.Waypoint) -> carla.Vehicle:
        pose = shifted(lane, 0.0, _DROP)
        car = self._car(pose)
        self._wings.take(car, pose)
        return car

    def play(self, facts: EgoFacts, since: float) -> None:
        """Also appear."""
        self._wings.enter()
        super().play(facts, since)

    def _set_off(self, facts: EgoFacts) -> Driver:
        self._began_at = facts.time
        return self.drivers.along(self._cutter, self._SPEED / _KMH, self._way, use_bbs_detection=True)

    def _has_cut_in(self, facts: EgoFacts) -> bool:
        return self._driver.arrived or facts.time - self._began_at > self._AT_MOST
