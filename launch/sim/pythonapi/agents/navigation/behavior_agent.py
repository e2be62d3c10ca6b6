"""An agent with a temper: keeps a time gap, makes room for tailgaters, waits for people."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import carla

from ..tools.hints import ObstacleDetectionResult
from ..tools.misc import get_speed, positive
from .basic_agent import BasicAgent
from .behavior_types import Aggressive, Behavior, Cautious, Normal
from .global_route_planner import GlobalRoutePlanner
from .road_option import RoadOption

_KINDS: dict[str, type[Behavior]] = {"cautious": Cautious, "normal": Normal, "aggressive": Aggressive}
_SLOWEST_FOLLOWING = 5.0  # km/h
_TAILGATE_PAUSE = 200  # ticks between two lane changes for tailgaters
_TAILGATED_ABOVE = 10.0  # km/h
_PEOPLE_NEAR, _CARS_NEAR = 10.0, 45.0  # m
_TURNS = (RoadOption.LEFT, RoadOption.RIGHT)


class BehaviorAgent(BasicAgent):
    """Drives as BasicAgent does, at the speed limit and in one of three manners.

    Args:
        vehicle, opt_dict, map_inst, grp_inst: as for BasicAgent.
        behavior: "cautious", "normal" or "aggressive".

    Raises:
        ValueError: another behavior.
    """

    def __init__(
        self,
        vehicle: carla.Vehicle,
        behavior: str = "normal",
        opt_dict: Mapping[str, Any] | None = None,
        map_inst: carla.Map | None = None,
        grp_inst: GlobalRoutePlanner | None = None,
    ) -> None:
        if behavior not in _KINDS:
            raise ValueError(f"behavior is {behavior!r}; give one of {', '.join(_KINDS)}")
        self._behavior = _KINDS[behavior]()
        super().__init__(vehicle, self._behavior.max_speed, opt_dict, map_inst, grp_inst)
        self._speed, self._speed_limit = 0.0, self._behavior.max_speed  # km/h
        self._direction = RoadOption.LANEFOLLOW
        self._look_ahead_steps = 3

    def run_step(self, debug: bool = False) -> carla.VehicleControl:
        """The control for this tick: lights first, then people, then cars, then a free road."""
        self._update_information()
        if self.traffic_light_manager():
            return self.emergency_stop()
        here = self._map.get_waypoint(self._vehicle.get_location())
        walker = self.pedestrian_avoid_manager(here)
        if walker.obstacle_was_found and self._gap(walker) < self._behavior.braking_distance:
            return self.emergency_stop()
        car = self.collision_and_car_avoid_manager(here)
        if car.obstacle_was_found:
            if self._gap(car) < self._behavior.braking_distance:
                return self.emergency_stop()
            return self.car_following_manager(car.obstacle, self._gap(car))
        ceiling = self._speed_limit - self._behavior.speed_lim_dist
        if here.is_junction and self._direction in _TURNS:
            ceiling -= 5.0 - min(5.0, self._behavior.speed_lim_dist)
        return self._drive_at(min(self._behavior.max_speed, ceiling), debug)

    def traffic_light_manager(self) -> bool:
        """Whether a red light stops us."""
        reach = self._base_tlight_threshold + self._speed_ratio * get_speed(self._vehicle) / 3.6
        return self._affected_by_traffic_light(max_distance=reach).traffic_light_was_found

    def pedestrian_avoid_manager(self, waypoint: carla.Waypoint) -> ObstacleDetectionResult:
        """Somebody on foot in our way."""
        near = self._near("*walker.pedestrian*", waypoint, _PEOPLE_NEAR)
        angle = 90.0 if self._direction in (RoadOption.CHANGELANELEFT, RoadOption.CHANGELANERIGHT) else 60.0
        return self._vehicle_obstacle_detected(near, self._look_distance(), up_angle_th=angle)

    def collision_and_car_avoid_manager(self, waypoint: carla.Waypoint) -> ObstacleDetectionResult:
        """A vehicle in our way; where there is none, somebody who pushes from behind may be let by."""
        near = self._near("*vehicle*", waypoint, _CARS_NEAR)
        offset = {RoadOption.CHANGELANELEFT: -1, RoadOption.CHANGELANERIGHT: 1}.get(self._direction, 0)
        angle = 180.0 if offset else 30.0
        found = self._vehicle_obstacle_detected(near, self._look_distance(), up_angle_th=angle, lane_offset=offset)
        waiting = self._behavior.tailgate_counter > 0
        free_lane = self._direction == RoadOption.LANEFOLLOW and not waypoint.is_junction
        if not found.obstacle_was_found and free_lane and self._speed > _TAILGATED_ABOVE and not waiting:
            self._tailgating(waypoint, near)
        return found

    def car_following_manager(self, vehicle: carla.Actor, distance: float, debug: bool = False) -> carla.VehicleControl:
        """Keep the time gap to a vehicle ``distance`` metres ahead, bumper to bumper."""
        theirs = get_speed(vehicle)
        closing = max(1.0, self._speed - theirs) / 3.6
        time_left = distance / closing
        ceiling = min(self._behavior.max_speed, self._speed_limit - self._behavior.speed_lim_dist)
        if time_left < self._behavior.safety_time:
            return self._drive_at(min(positive(theirs - self._behavior.speed_decrease), ceiling), debug)
        if time_left < 2.0 * self._behavior.safety_time:
            return self._drive_at(min(max(_SLOWEST_FOLLOWING, theirs), ceiling), debug)
        return self._drive_at(ceiling, debug)

    def emergency_stop(self) -> carla.VehicleControl:
        """Brake, wheels straight."""
        return carla.VehicleControl(throttle=0.0, brake=self._max_brake, hand_brake=False)

    def _update_information(self) -> None:
        self._speed = get_speed(self._vehicle)
        self._speed_limit = self._vehicle.get_speed_limit()
        self._local_planner.set_speed(self._speed_limit)
        _, self._direction = self._local_planner.get_incoming_waypoint_and_direction(self._look_ahead_steps)
        if self._behavior.tailgate_counter > 0:
            self._behavior.tailgate_counter -= 1

    def _drive_at(self, speed: float, debug: bool) -> carla.VehicleControl:
        self._local_planner.set_speed(speed)
        return self._local_planner.run_step(debug=debug)

    def _look_distance(self) -> float:
        return max(self._behavior.min_proximity_threshold, self._speed_limit / 2.0)

    def _near(self, pattern: str, waypoint: carla.Waypoint, radius: float) -> list[carla.Actor]:
        """Actors of a kind within ``radius`` metres, without us."""
        place = waypoint.transform.location
        everyone = self._world.get_actors().filter(pattern)
        return [one for one in everyone if one.id != self._vehicle.id and one.get_location().distance(place) < radius]

    def _gap(self, found: ObstacleDetectionResult) -> float:
        """Metres from our bumper to theirs."""
        ours, theirs = self._extent, found.obstacle.bounding_box.extent
        return found.distance - max(ours.x, ours.y) - max(theirs.x, theirs.y)

    def _tailgating(self, waypoint: carla.Waypoint, near: list[carla.Actor]) -> None:
        """Change to a free lane, right before left, when somebody faster is close behind."""
        if self._behavior.tailgate_counter < 0:
            return
        reach = self._look_distance()
        behind = self._vehicle_obstacle_detected(near, reach, up_angle_th=180.0, low_angle_th=160.0)
        if not behind.obstacle_was_found or get_speed(behind.obstacle) <= self._speed:
            return
        sides = (
            (carla.LaneChange.Right, waypoint.get_right_lane(), 1),
            (carla.LaneChange.Left, waypoint.get_left_lane(), -1),
        )
        for side, lane, offset in sides:
            allowed = waypoint.lane_change in (side, carla.LaneChange.Both)
            if not allowed or lane is None or lane.lane_type != carla.LaneType.Driving:
                continue
            if lane.lane_id * waypoint.lane_id < 0:
                continue
            if self._vehicle_obstacle_detected(near, reach, 180.0, lane_offset=offset).obstacle_was_found:
                continue
            goal = self._local_planner.get_plan()[-1][0].transform.location
            self._behavior.tailgate_counter = _TAILGATE_PAUSE
            self.set_destination(goal, lane.transform.location)
            return
