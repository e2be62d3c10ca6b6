"""Drives a vehicle along waypoints: along a plan, or wherever the lane leads."""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Iterable, Mapping
from typing import Any

import carla

from ..tools.misc import draw_waypoints, get_speed
from .controller import VehiclePIDController
from .road_option import RoadOption, option_of_turn, turn_between

__all__ = ["LocalPlanner", "RoadOption"]

_LONGEST_PLAN = 10_000  # waypoints
_AHEAD = 100  # waypoints that are made ahead where there is no plan
_LAST_REACHED = 1.0  # m from the last waypoint of a plan
_LOOK_BEYOND = 3.0  # m into a branch at which its direction is taken


class LocalPlanner:
    """Follows waypoints with PID control.

    Without a plan it goes on along the lane and takes a branch by chance where there are several.

    Args:
        vehicle: who is driven.
        opt_dict: any of dt (s), target_speed (km/h), sampling_radius (m between waypoints made ahead),
            lateral_control_dict, longitudinal_control_dict (K_P, K_I, K_D, dt), max_throttle, max_brake, max_steering,
            offset (m right of the lane's centre), base_min_distance (m) and distance_ratio (s): waypoints nearer than
            base_min_distance + distance_ratio * speed count as reached; follow_speed_limits. Others are ignored.
        map_inst: the map, if the caller has it: asking the world for it costs time.
    """

    def __init__(
        self, vehicle: carla.Vehicle, opt_dict: Mapping[str, Any] | None = None, map_inst: carla.Map | None = None
    ) -> None:
        options = dict(opt_dict or {})
        self._vehicle = vehicle
        self._world = vehicle.get_world()
        self._map = map_inst if isinstance(map_inst, carla.Map) else self._world.get_map()
        dt = options.get("dt", 0.05)
        self._target_speed = options.get("target_speed", 20.0)
        self._sampling_radius = options.get("sampling_radius", 2.0)
        self._base_min_distance = options.get("base_min_distance", 3.0)
        self._distance_ratio = options.get("distance_ratio", 0.5)
        self._follow_speed_limits = options.get("follow_speed_limits", False)
        self._vehicle_controller = VehiclePIDController(
            vehicle,
            args_lateral=options.get("lateral_control_dict", {"K_P": 1.95, "K_I": 0.05, "K_D": 0.2, "dt": dt}),
            args_longitudinal=options.get("longitudinal_control_dict", {"K_P": 1.0, "K_I": 0.05, "K_D": 0.0, "dt": dt}),
            offset=options.get("offset", 0.0),
            max_throttle=options.get("max_throttle", 0.75),
            max_brake=options.get("max_brake", 0.3),
            max_steering=options.get("max_steering", 0.8),
        )
        # These two names are read by scenario_runner and by many agents.
        self._waypoints_queue: deque[tuple[carla.Waypoint, RoadOption]] = deque(maxlen=_LONGEST_PLAN)
        self._stop_waypoint_creation = False
        here = self._map.get_waypoint(vehicle.get_location())
        self.target_waypoint, self.target_road_option = here, RoadOption.LANEFOLLOW
        self._waypoints_queue.append((here, RoadOption.LANEFOLLOW))

    def reset_vehicle(self) -> None:
        """Let go of the vehicle."""
        self._vehicle = None

    def set_speed(self, speed: float) -> None:
        """Drive at ``speed`` km/h; ends the following of speed limits."""
        self._follow_speed_limits = False
        self._target_speed = speed

    def follow_speed_limits(self, value: bool = True) -> None:
        """Drive at the speed limit of the road, or no longer."""
        self._follow_speed_limits = value

    def set_offset(self, offset: float) -> None:
        """Metres right of the waypoints that are driven; negative is left."""
        self._vehicle_controller.set_offset(offset)

    def set_global_plan(
        self,
        current_plan: Iterable[tuple[carla.Waypoint, RoadOption]],
        stop_waypoint_creation: bool = True,
        clean_queue: bool = True,
    ) -> None:
        """Drive along a plan.

        Args:
            current_plan: (waypoint, command) in order.
            stop_waypoint_creation: stop at its end; otherwise the lane is followed on from there.
            clean_queue: in place of what was planned; otherwise after it.
        """
        if clean_queue:
            self._waypoints_queue.clear()
        self._waypoints_queue.extend((waypoint, option) for waypoint, option in current_plan)
        self._stop_waypoint_creation = stop_waypoint_creation

    def get_plan(self) -> deque[tuple[carla.Waypoint, RoadOption]]:
        """What is still to be driven."""
        return self._waypoints_queue

    def get_incoming_waypoint_and_direction(self, steps: int = 3) -> tuple[carla.Waypoint | None, RoadOption]:
        """The waypoint ``steps`` ahead, or the last one; (None, VOID) at the end of the plan."""
        if not self._waypoints_queue:
            return None, RoadOption.VOID
        return self._waypoints_queue[min(steps, len(self._waypoints_queue) - 1)]

    def done(self) -> bool:
        """Whether the plan has been driven."""
        return not self._waypoints_queue

    def run_step(self, debug: bool = False) -> carla.VehicleControl:
        """The control for this tick; full brake at the end of the plan.

        Args:
            debug: draw the next waypoint into the simulator's picture.
        """
        if self._follow_speed_limits:
            self._target_speed = self._vehicle.get_speed_limit()
        if not self._stop_waypoint_creation and len(self._waypoints_queue) < _AHEAD:
            self._extend()
        self._drop_reached()
        if not self._waypoints_queue:
            return carla.VehicleControl(throttle=0.0, brake=1.0, steer=0.0)
        self.target_waypoint, self.target_road_option = self._waypoints_queue[0]
        if debug:
            draw_waypoints(self._world, [self.target_waypoint], 1.0)
        return self._vehicle_controller.run_step(self._target_speed, self.target_waypoint)

    def _drop_reached(self) -> None:
        place = self._vehicle.get_location()
        reach = self._base_min_distance + self._distance_ratio * get_speed(self._vehicle) / 3.6
        while self._waypoints_queue:
            final = len(self._waypoints_queue) == 1 and self._stop_waypoint_creation
            distance = place.distance(self._waypoints_queue[0][0].transform.location)
            if distance >= (_LAST_REACHED if final else reach):
                return
            self._waypoints_queue.popleft()

    def _extend(self) -> None:
        """Go on along the lane until enough waypoints lie ahead or the road ends."""
        last = self._waypoints_queue[-1][0] if self._waypoints_queue else self.target_waypoint
        while len(self._waypoints_queue) < _AHEAD:
            branches = last.next(self._sampling_radius)
            if not branches:
                return
            chosen = random.choice(branches)
            several = len(branches) > 1
            self._waypoints_queue.append((chosen, _branch_option(last, chosen) if several else RoadOption.LANEFOLLOW))
            last = chosen


def _branch_option(before: carla.Waypoint, branch: carla.Waypoint) -> RoadOption:
    """LEFT, RIGHT or STRAIGHT, by the direction that a branch has a few metres on."""
    beyond = branch.next(_LOOK_BEYOND)
    after = beyond[0] if beyond else branch
    return option_of_turn(turn_between(before.transform.rotation.yaw, after.transform.rotation.yaw))
