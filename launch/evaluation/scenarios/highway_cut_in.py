"""A car comes down a ramp beside the ego and, past the junction, changes to the ego's lane close before it.

Distances, speeds and times are those of scenario_runner's ``HighwayCutIn``.
"""

from __future__ import annotations

import carla

from linkvla.launch.evaluation.facts import EgoFacts
from linkvla.launch.evaluation.scenarios.drivers import Driver
from linkvla.launch.evaluation.scenarios.junctions import STRAIGHT, Crossroads, flat, way_through
from linkvla.launch.evaluation.scenarios.places import is_before, shifted
from linkvla.launch.evaluation.scenarios.scene import Scene
from linkvla.launch.evaluation.scenarios.scenery import PASSENGER_CAR
from linkvla.launch.evaluation.scenarios.wings import Wings, out_of_sight

_MODELS = {**PASSENGER_CAR, "has_lights": True}
_DROP = 0.3  # m above the road
_BEYOND = 10.0  # m from the junction to where it begins to change lanes
_NEAR = 5.0  # m from there
_SHARE = 0.8  # of the ego's speed, while it changes lanes
_BEFORE, _DURING, _AFTER = 0.3, 2.0, 3.0  # s on its own lane, between the lanes, and on the ego's
_FASTEST = 40.0  # m/s
_APPROACH = 500.0  # m of lane before a junction, at most
_SPACE = 60.0  # m beyond the junction without background cars


class HighwayCutIn(Scene):
    """It arrives when the ego does, cuts in, and is gone five seconds later. Who is through before it meets nobody."""

    def set_up(self) -> None:
        """The car, out of sight until the trigger."""
        begin = self._town.get_waypoint(carla.Location(*self.script.place("other_actor_location")))
        way, behind = _from(begin)
        own, own_behind = _from(self.start)
        self._way = self.drivers.plain_way(way)
        self._begins_at = way[min(behind + int(_BEYOND), len(way) - 1)].transform.location
        self._reference = own[own_behind].transform
        self._kept_free = [flat(waypoint) for waypoint in (*way, *own[own_behind:])]
        pose = shifted(begin, 0.0, _DROP)
        self._car = self._scenery.special_vehicle(_MODELS, out_of_sight(pose))
        self._wings = Wings()
        self._wings.take(self._car, pose)
        self._driver: Driver | None = None
        self._cuts_in = False

    def play(self, facts: EgoFacts, since: float) -> None:
        """Come beside the ego, then before it."""
        self._wings.enter()
        self.keep_free(self._kept_free, facts)
        if self._driver is None:
            self._driver = self.drivers.steady(self._car, facts.speed, self._way)
            return  # it appears with the next tick
        if not self._cuts_in:
            self._arrive_with(facts)
        self._driver.step()
        self.over = self._driver.arrived if self._cuts_in else self._is_through(facts)

    def _arrive_with(self, facts: EgoFacts) -> None:
        """Have as far to go, in time, as the ego has to the junction's end; change lanes once there."""
        left = self._car.get_location().distance(self._begins_at)
        if left < _NEAR:
            self._cuts_in = True
            self._driver.dismiss()
            self._driver = self.drivers.ahead(self._car, _SHARE * facts.speed)
            self._driver.change_lane("left", _BEFORE, _DURING, _AFTER)
            return
        ego_left = carla.Location(*facts.location).distance(self._reference.location)
        self._driver.set_speed(min(left * facts.speed / max(ego_left, _NEAR), _FASTEST))

    def _is_through(self, facts: EgoFacts) -> bool:
        return is_before(carla.Location(*facts.location), self._reference)

    def clear(self) -> None:
        """It is gone."""
        if self._driver is not None:
            self._driver.dismiss()
        self._scenery.remove([self._car.id])


def _from(begin: carla.Waypoint) -> tuple[list[carla.Waypoint], int]:
    """A waypoint every metre along a lane and straight through its junction, and the first one's index behind that."""
    way = way_through(Crossroads(begin).entry, STRAIGHT, _APPROACH, _SPACE)
    place = begin.transform.location
    way = way[min(range(len(way)), key=lambda index: way[index].transform.location.distance(place)) :]
    inside = next(index for index, waypoint in enumerate(way) if waypoint.is_junction)
    return way, next(index for index in range(inside, len(way)) if not way[index].is_junction)
