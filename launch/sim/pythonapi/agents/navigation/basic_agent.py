"""An agent that drives to a place, stops at red lights and for whoever is in the way. It ignores stop signs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import carla

from ..tools.hints import ObstacleDetectionResult, TrafficLightDetectionResult
from ..tools.misc import get_speed
from .detection import NOTHING, TrafficLightWatch, obstacle_in_lane, obstacle_on_plan
from .global_route_planner import GlobalRoutePlanner
from .lane_change import plan_lane_change
from .local_planner import LocalPlanner
from .road_option import RoadOption

__all__ = ["BasicAgent", "GlobalRoutePlanner", "LocalPlanner", "RoadOption"]

_LANES_AHEAD = 3  # waypoints ahead at which our lane is taken


class BasicAgent:
    """Drives where it is told; without a destination, wherever the lane leads.

    Args:
        vehicle: who is driven.
        target_speed: km/h.
        opt_dict: any option of LocalPlanner, and ignore_traffic_lights, ignore_stop_signs, ignore_vehicles,
            use_bbs_detection (look at outlines instead of lanes), sampling_resolution (m between the waypoints of a
            route), base_tlight_threshold and base_vehicle_threshold (m), detection_speed_ratio (s): lights and
            vehicles count when nearer than threshold + ratio * speed; max_brake (0 to 1, of the emergency stop).
        map_inst, grp_inst: map and planner, if the caller has them: both cost time to make.
    """

    def __init__(
        self,
        vehicle: carla.Vehicle,
        target_speed: float = 20.0,
        opt_dict: Mapping[str, Any] | None = None,
        map_inst: carla.Map | None = None,
        grp_inst: GlobalRoutePlanner | None = None,
    ) -> None:
        options = dict(opt_dict or {})
        self._vehicle = vehicle
        self._world = vehicle.get_world()
        self._map = map_inst if isinstance(map_inst, carla.Map) else self._world.get_map()
        self._extent = vehicle.bounding_box.extent  # asked once: every look at it is a call to the simulator
        self._target_speed = target_speed
        self._sampling_resolution = options.get("sampling_resolution", 2.0)
        self._ignore_traffic_lights = options.get("ignore_traffic_lights", False)
        self._ignore_stop_signs = options.get("ignore_stop_signs", False)
        self._ignore_vehicles = options.get("ignore_vehicles", False)
        self._use_bbs_detection = options.get("use_bbs_detection", False)
        self._base_tlight_threshold = options.get("base_tlight_threshold", 5.0)
        self._base_vehicle_threshold = options.get("base_vehicle_threshold", 5.0)
        self._speed_ratio = options.get("detection_speed_ratio", 1.0)
        self._max_brake = options.get("max_brake", 0.5)
        self._offset = options.get("offset", 0.0)
        options["target_speed"] = target_speed
        self._local_planner = LocalPlanner(vehicle, opt_dict=options, map_inst=self._map)
        given = isinstance(grp_inst, GlobalRoutePlanner)
        self._global_planner = grp_inst if given else GlobalRoutePlanner(self._map, self._sampling_resolution)
        self._lights_list = self._world.get_actors().filter("*traffic_light*")
        self._light_watch = TrafficLightWatch(self._map)

    def run_step(self) -> carla.VehicleControl:
        """The control for this tick."""
        control = self._local_planner.run_step()
        return self.add_emergency_stop(control) if self._hazard().obstacle_was_found else control

    def done(self) -> bool:
        """Whether the destination is reached."""
        return self._local_planner.done()

    def set_destination(
        self,
        end_location: carla.Location,
        start_location: carla.Location | None = None,
        clean_queue: bool = True,
    ) -> None:
        """Drive to a place.

        Args:
            end_location: where to.
            start_location: where from; if left out from the vehicle, or from the end of a plan that is kept.
            clean_queue: forget the plan so far; otherwise go on from its end.
        """
        if start_location is None:
            plan = self._local_planner.get_plan()
            start_location = self._vehicle.get_location() if clean_queue or not plan else plan[-1][0].transform.location
        start, end = self._map.get_waypoint(start_location), self._map.get_waypoint(end_location)
        self._local_planner.set_global_plan(self.trace_route(start, end), clean_queue=clean_queue)

    def set_global_plan(
        self,
        plan: Iterable[tuple[carla.Waypoint, RoadOption]],
        stop_waypoint_creation: bool = True,
        clean_queue: bool = True,
    ) -> None:
        """Drive along a plan; see LocalPlanner."""
        self._local_planner.set_global_plan(plan, stop_waypoint_creation, clean_queue)

    def trace_route(
        self, start_waypoint: carla.Waypoint, end_waypoint: carla.Waypoint
    ) -> list[tuple[carla.Waypoint, RoadOption]]:
        """The shortest route between two waypoints; see GlobalRoutePlanner."""
        return self._global_planner.trace_route(start_waypoint.transform.location, end_waypoint.transform.location)

    def lane_change(
        self, direction: str, same_lane_time: float = 0.0, other_lane_time: float = 0.0, lane_change_time: float = 2.0
    ) -> None:
        """Change to a neighbouring lane, whatever the markings; a lane that is not there leaves the plan as it is.

        Args:
            direction: "left" or "right".
            same_lane_time, other_lane_time, lane_change_time: seconds on this lane, on the other, and in between.
        """
        speed = self._vehicle.get_velocity().length()
        path = plan_lane_change(
            self._map.get_waypoint(self._vehicle.get_location()),
            direction,
            distances=(same_lane_time * speed, lane_change_time * speed, other_lane_time * speed),
            step=self._sampling_resolution,
        )
        if path:
            self.set_global_plan(path)
        else:
            print(f"agents: there is no lane to the {direction} to change to; the plan stays as it is")

    def add_emergency_stop(self, control: carla.VehicleControl) -> carla.VehicleControl:
        """The same control with the brake on; steering stays, so that nobody swerves."""
        control.throttle, control.brake, control.hand_brake = 0.0, self._max_brake, False
        return control

    def set_target_speed(self, speed: float) -> None:
        """Drive at ``speed`` km/h; ends the following of speed limits."""
        self._target_speed = speed
        self._local_planner.set_speed(speed)

    def follow_speed_limits(self, value: bool = True) -> None:
        """Drive at the speed limit of the road, or no longer."""
        self._local_planner.follow_speed_limits(value)

    def set_offset(self, offset: float) -> None:
        """Metres right of the lane's centre that are driven; negative is left."""
        self._offset = offset
        self._local_planner.set_offset(offset)

    def ignore_traffic_lights(self, active: bool = True) -> None:
        """Drive over red lights, or no longer."""
        self._ignore_traffic_lights = active

    def ignore_stop_signs(self, active: bool = True) -> None:
        """Kept for programs that set it: stop signs are not heeded in either case."""
        self._ignore_stop_signs = active

    def ignore_vehicles(self, active: bool = True) -> None:
        """Drive as if nobody else was there, or no longer."""
        self._ignore_vehicles = active

    def get_local_planner(self) -> LocalPlanner:
        """What follows the waypoints."""
        return self._local_planner

    def get_global_planner(self) -> GlobalRoutePlanner:
        """What finds routes."""
        return self._global_planner

    def _hazard(self) -> ObstacleDetectionResult:
        """Whom or what to stop for now: a vehicle ahead or else a red light."""
        reach = self._speed_ratio * get_speed(self._vehicle) / 3.6
        found = self._vehicle_obstacle_detected(max_distance=self._base_vehicle_threshold + reach)
        if found.obstacle_was_found:
            return found
        light = self._affected_by_traffic_light(max_distance=self._base_tlight_threshold + reach).traffic_light
        return NOTHING if light is None else ObstacleDetectionResult(True, light, 0.0)

    def _affected_by_traffic_light(
        self, lights_list: Sequence[carla.TrafficLight] | None = None, max_distance: float | None = None
    ) -> TrafficLightDetectionResult:
        """A red light for our lane within ``max_distance`` (m; the base threshold if left out)."""
        if self._ignore_traffic_lights:
            return TrafficLightDetectionResult(False, None)
        reach = self._base_tlight_threshold if max_distance is None else max_distance
        lights = self._lights_list if lights_list is None else lights_list
        light = self._light_watch.red_ahead(lights, self._vehicle.get_transform(), reach)
        return TrafficLightDetectionResult(light is not None, light)

    def _vehicle_obstacle_detected(
        self,
        vehicle_list: Sequence[carla.Actor] | None = None,
        max_distance: float | None = None,
        up_angle_th: float = 90.0,
        low_angle_th: float = 0.0,
        lane_offset: int = 0,
    ) -> ObstacleDetectionResult:
        """Somebody in our way.

        Args:
            vehicle_list: whom to look at; all vehicles if left out.
            max_distance: m; the base threshold if left out.
            up_angle_th, low_angle_th: degrees between our heading and the way to them.
            lane_offset: look at a neighbouring lane: lanes to the left (negative) or right.
        """
        if self._ignore_vehicles:
            return NOTHING
        others = self._world.get_actors().filter("*vehicle*") if vehicle_list is None else vehicle_list
        reach = self._base_vehicle_threshold if max_distance is None else max_distance
        if (self._use_bbs_detection or abs(self._offset) > 0.5) and lane_offset == 0 and low_angle_th < 90.0:
            return obstacle_on_plan(
                self._vehicle, self._extent, others, self._local_planner.get_plan(), reach, self._offset
            )
        ahead, _ = self._local_planner.get_incoming_waypoint_and_direction(_LANES_AHEAD)
        if ahead is None:
            ahead = self._map.get_waypoint(self._vehicle.get_location())
        angles = (low_angle_th, up_angle_th)
        return obstacle_in_lane(self._vehicle, self._extent, others, self._map, ahead, reach, angles, lane_offset)
