"""An emergency vehicle with its lights on comes up behind the ego, in its lane.

Distances, speeds and times are those of scenario_runner's ``YieldToEmergencyVehicle``.
"""

from __future__ import annotations

import carla

from linkvla.launch.evaluation.facts import EgoFacts, Infraction
from linkvla.launch.evaluation.scenarios.drivers import Driver
from linkvla.launch.evaluation.scenarios.places import ahead, flat_line, is_before, shifted
from linkvla.launch.evaluation.scenarios.scene import Scene
from linkvla.launch.evaluation.scenarios.scenery import NoRoomError
from linkvla.launch.evaluation.scenarios.wings import Wings, out_of_sight

_DISTANCE = 140.0  # m behind the trigger
_FASTER = 25.0  # m/s than the ego
_NEAR, _PATIENCE = 50.0, 10.0  # m behind the ego; s from there on, after which it has been in the way
_DRIVES_ON = 50.0  # m before the ego, after which the scenario ends
_LANE_AHEAD = 300.0  # m of the ego's lane without background cars
_UP = 0.3  # m above the road
_LIGHTS = carla.VehicleLightState.Special1 | carla.VehicleLightState.Special2
_CLOSE_UP = {
    "ignore_traffic_lights": True,
    "base_vehicle_threshold": 10.0,
    "detection_speed_ratio": 0.15,
    "use_bbs_detection": True,
    "base_min_distance": 1.0,
    "distance_ratio": 0.2,
}


class YieldToEmergencyVehicle(Scene):
    """It presses on for ten seconds; an ego that is still before it then has not let it pass."""

    def set_up(self) -> None:
        """Place it, out of sight until the trigger."""
        distance = self.script.number("distance", _DISTANCE)
        behind = self.start.previous(distance)
        if not behind:
            raise NoRoomError("the ego's lane does not begin so far behind the trigger")
        pose = shifted(behind[0], 0.0, _UP)
        self._vehicle = self._scenery.special_vehicle({"special_type": "emergency"}, out_of_sight(pose), _LIGHTS)
        self._wings = Wings()
        self._wings.take(self._vehicle, pose)
        self._driver: Driver | None = None
        self._near_at: float | None = None
        self._passed_at: carla.Location | None = None
        self._kept_free = flat_line(ahead(self.start, _LANE_AHEAD), _LANE_AHEAD + distance)

    def play(self, facts: EgoFacts, since: float) -> None:
        """Come."""
        self._wings.enter()
        self.keep_free(self._kept_free, facts)
        if self._driver is None:
            self._driver = self.drivers.steady(self._vehicle, facts.speed + _FASTER, **_CLOSE_UP)
            return  # it appears with the next tick
        self._driver.set_speed(facts.speed + _FASTER)
        self._driver.step()
        place, ego = self._vehicle.get_location(), carla.Location(*facts.location)
        if self._near_at is None and place.distance(ego) < _NEAR:
            self._near_at = facts.time
        if self._passed_at is None and not self._is_behind(facts):
            self._passed_at = place
        waited = self._near_at is not None and facts.time - self._near_at >= _PATIENCE
        self.over = waited or (self._passed_at is not None and place.distance(self._passed_at) > _DRIVES_ON)

    def verdict(self, facts: EgoFacts) -> Infraction | None:
        """Guilty is who is before it at the end."""
        if not self._is_behind(facts):
            return None
        return Infraction("yield_emergency_vehicle_infractions", "Agent failed to yield to an emergency vehicle")

    def _is_behind(self, facts: EgoFacts) -> bool:
        return is_before(carla.Location(*facts.location), self._vehicle.get_transform())

    def clear(self) -> None:
        """It is gone."""
        if self._driver is not None:
            self._driver.dismiss()
        self._scenery.remove([self._vehicle.id])
