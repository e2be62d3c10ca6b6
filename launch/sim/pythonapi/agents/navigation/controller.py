"""PID control of a vehicle: towards a waypoint, at a speed."""

# ruff: noqa: N803 (K_P and its sisters are keywords of CARLA's)

from __future__ import annotations

import math
from collections import deque
from collections.abc import Mapping

import carla

from ..tools.misc import get_speed

_MEMORY = 10  # errors that the integral looks back on
_STEER_STEP = 0.1  # most that the steering wheel moves in one step


class _PID:
    """A PID term over the last ten errors."""

    def __init__(self, k_p: float, k_i: float, k_d: float, dt: float) -> None:
        self.errors: deque[float] = deque(maxlen=_MEMORY)
        self.tune(k_p, k_i, k_d, dt)

    def tune(self, k_p: float, k_i: float, k_d: float, dt: float) -> None:
        """Take other gains; ``dt`` in seconds. Raises ValueError for a step that is not positive."""
        if not dt > 0:
            raise ValueError(f"dt is {dt}; give the seconds of one step, such as 0.05")
        self._gains, self._dt = (k_p, k_i, k_d), dt

    def step(self, error: float) -> float:
        """Control in -1 to 1."""
        self.errors.append(error)
        k_p, k_i, k_d = self._gains
        rate = (self.errors[-1] - self.errors[-2]) / self._dt if len(self.errors) > 1 else 0.0
        return min(1.0, max(-1.0, k_p * error + k_i * sum(self.errors) * self._dt + k_d * rate))


class PIDLongitudinalController:
    """Throttle (positive) or brake (negative) for a speed. Gains apply to km/h and to seconds."""

    def __init__(
        self, vehicle: carla.Vehicle, K_P: float = 1.0, K_I: float = 0.0, K_D: float = 0.0, dt: float = 0.03
    ) -> None:
        self._vehicle = vehicle
        self._pid = _PID(K_P, K_I, K_D, dt)

    def run_step(self, target_speed: float, debug: bool = False) -> float:
        """Acceleration in -1 to 1 for ``target_speed`` (km/h)."""
        speed = get_speed(self._vehicle)
        if debug:
            print(f"speed {speed:.1f} of {target_speed:.1f} km/h")
        return self._pid.step(target_speed - speed)

    def change_parameters(self, K_P: float, K_I: float, K_D: float, dt: float) -> None:
        """Take other gains."""
        self._pid.tune(K_P, K_I, K_D, dt)


class PIDLateralController:
    """Steering towards a waypoint, or to ``offset`` metres right of it. Gains apply to radians and to seconds."""

    def __init__(
        self,
        vehicle: carla.Vehicle,
        offset: float = 0.0,
        K_P: float = 1.0,
        K_I: float = 0.0,
        K_D: float = 0.0,
        dt: float = 0.03,
    ) -> None:
        self._vehicle = vehicle
        self._offset = offset  # scenario_runner writes this name
        self._pid = _PID(K_P, K_I, K_D, dt)

    def run_step(self, waypoint: carla.Waypoint) -> float:
        """Steering in -1 (left) to 1."""
        return self._pid.step(self._heading_error(waypoint, self._vehicle.get_transform()))

    def set_offset(self, offset: float) -> None:
        """Metres right of the waypoints that are driven; negative is left."""
        self._offset = offset

    def change_parameters(self, K_P: float, K_I: float, K_D: float, dt: float) -> None:
        """Take other gains."""
        self._pid.tune(K_P, K_I, K_D, dt)

    def _heading_error(self, waypoint: carla.Waypoint, pose: carla.Transform) -> float:
        """Radians to turn right (-pi to pi) until the vehicle points at its target."""
        aim = waypoint.transform.location
        right = waypoint.transform.get_right_vector()
        x = aim.x + self._offset * right.x - pose.location.x
        y = aim.y + self._offset * right.y - pose.location.y
        if math.hypot(x, y) < 1e-6:
            return 0.0
        turn = math.atan2(y, x) - math.radians(pose.rotation.yaw)
        return (turn + math.pi) % (2.0 * math.pi) - math.pi


class VehiclePIDController:
    """Both controllers, with limits.

    Args:
        vehicle: who is driven.
        args_lateral, args_longitudinal: K_P, K_I, K_D and dt of each controller.
        offset: metres right of the waypoints.
        max_throttle, max_brake, max_steering: limits, 0 to 1.
    """

    def __init__(
        self,
        vehicle: carla.Vehicle,
        args_lateral: Mapping[str, float],
        args_longitudinal: Mapping[str, float],
        offset: float = 0.0,
        max_throttle: float = 0.75,
        max_brake: float = 0.3,
        max_steering: float = 0.8,
    ) -> None:
        self.max_throt, self.max_brake, self.max_steer = max_throttle, max_brake, max_steering
        self.past_steering = vehicle.get_control().steer
        self._lon_controller = PIDLongitudinalController(vehicle, **args_longitudinal)
        self._lat_controller = PIDLateralController(vehicle, offset, **args_lateral)

    def run_step(self, target_speed: float, waypoint: carla.Waypoint) -> carla.VehicleControl:
        """Control for ``target_speed`` (km/h) and the next waypoint."""
        acceleration = self._lon_controller.run_step(target_speed)
        steering = self._lat_controller.run_step(waypoint)
        steering = min(self.past_steering + _STEER_STEP, max(self.past_steering - _STEER_STEP, steering))
        self.past_steering = min(self.max_steer, max(-self.max_steer, steering))
        return carla.VehicleControl(
            throttle=min(self.max_throt, max(0.0, acceleration)),
            brake=min(self.max_brake, max(0.0, -acceleration)),
            steer=self.past_steering,
        )

    def change_longitudinal_PID(self, args_longitudinal: Mapping[str, float]) -> None:  # noqa: N802 (CARLA's name)
        """Other gains for the speed."""
        self._lon_controller.change_parameters(**args_longitudinal)

    def change_lateral_PID(self, args_lateral: Mapping[str, float]) -> None:  # noqa: N802 (CARLA's name)
        """Other gains for the steering."""
        self._lat_controller.change_parameters(**args_lateral)

    def set_offset(self, offset: float) -> None:
        """Metres right of the waypoints that are driven; negative is left."""
        self._lat_controller.set_offset(offset)
