"""Along a bend road works make the oncoming cars come over the middle, into the ego's lane.

Distances are those of scenario_runner's scenario of that name.
"""

from __future__ import annotations

import carla

from linkvla.launch.evaluation.facts import EgoFacts
from linkvla.launch.evaluation.scenarios.careful_flow import CarefulFlow
from linkvla.launch.evaluation.scenarios.places import flat_line, is_before, shifted
from linkvla.launch.evaluation.scenarios.scene import Scene
from linkvla.launch.evaluation.scenarios.scenery import NoRoomError
from linkvla.launch.evaluation.scenarios.wings import Wings

_DISTANCE, _BEYOND = 100.0, 30.0  # m from the trigger along which they come, and from there to where they appear
_APART = (40.0, 40.0)  # m
_OFFSET, _HALF_CAR = 0.25, 0.7  # m that they come over the middle; m
_CONES_FROM, _CONE_EVERY, _CONES_SHARE = 10.0, 5.0, 0.5  # m, m, and share of the distance
_CONE_ASIDE = 0.8  # of half the lane's width
_UP = 0.3  # m above the road
_PAST = 50.0  # m
_LOOK_AHEAD = {"base_vehicle_threshold": 10.0, "detection_speed_ratio": 2.0, "distance_ratio": 0.2}


class InvadingTurn(Scene):
    """A flow of them, until the ego is past."""

    time_limit = 240.0

    def set_up(self) -> None:
        """Cones, out of sight until the trigger."""
        distance = self.script.number("distance", _DISTANCE)
        source, sink = self._oncoming(distance + _BEYOND), self._oncoming(0.0)
        self._way = self.drivers.way(source.transform.location, sink.transform.location)
        if not self._way:
            raise NoRoomError("the oncoming lane does not lead to where the ego is")
        self._aside = _HALF_CAR - self.script.number("offset", _OFFSET) - sink.lane_width / 2
        self._end = self._ahead(distance + _BEYOND).transform
        self._flow: CarefulFlow | None = None
        self._wings, self._ids = Wings(), []
        for number in range(1, int(_CONES_SHARE * distance / _CONE_EVERY) + 1):
            found = source.next(_CONES_FROM + number * _CONE_EVERY)
            if found:
                self._add_cone(found[0])
        self._kept_free = flat_line(sink, distance + _BEYOND)

    def play(self, facts: EgoFacts, since: float) -> None:
        """Let them come."""
        self._wings.enter(physics=False)
        if self._flow is None:
            speed = facts.speed_limit
            self._flow = CarefulFlow(
                self._way, speed, _APART, self.drivers, self._scenery, offset=self._aside, **_LOOK_AHEAD
            )
        self.keep_free(self._kept_free, facts)
        self._flow.step()
        place = carla.Location(*facts.location)
        self.over = is_before(place, self._end) and place.distance(self._end.location) < _PAST

    def clear(self) -> None:
        """The road is free again."""
        if self._flow is not None:
            self._flow.clear()
        self._scenery.remove(self._ids)

    def _ahead(self, distance: float) -> carla.Waypoint:
        if not distance:
            return self.start
        found = self.start.next(distance)
        if not found:
            raise NoRoomError("the ego's lane is too short")
        return found[0]

    def _oncoming(self, distance: float) -> carla.Waypoint:
        lane = self._ahead(distance)
        found = lane.get_left_lane()
        if found is None or found.lane_type != carla.LaneType.Driving or found.lane_id * lane.lane_id > 0:
            raise NoRoomError("there is no oncoming lane beside the ego's")
        return found

    def _add_cone(self, lane: carla.Waypoint) -> None:
        pose = shifted(lane, _CONE_ASIDE * lane.lane_width / 2, _UP)
        cone = self._scenery.prop("static.prop.constructioncone", pose)
        self._ids.append(cone.id)
        self._wings.take(cone, pose)
