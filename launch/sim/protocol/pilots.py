"""Ackermann commands: a target speed and steering angle, turned into pedals at every tick until a plain control
arrives.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from linkvla.launch.sim.physics.specs import vehicle_spec
from linkvla.launch.sim.world.actors import Vehicle, VehicleControl
from linkvla.launch.sim.world.world import World

_THROTTLE_PER_SPEED_ERROR = 0.5  # per m/s
_BRAKE_PER_SPEED_ERROR = 0.3
_DEAD_BAND = 0.05  # m/s
DEFAULT_GAINS = (0.15, 0.0, 0.25, 0.01, 0.0, 0.01)  # what CARLA reports: speed PID, acceleration PID


@dataclass(frozen=True)
class Course:
    """What a pilot holds at one tick."""

    steer: float  # rad, positive to the right
    speed: float  # m/s, negative drives backwards


@dataclass(frozen=True)
class AckermannTarget:
    """What the client asked for. A rate of 0 means as fast as the vehicle can."""

    steer: float  # rad, positive to the right
    speed: float  # m/s, negative drives backwards
    steer_speed: float = 0.0  # rad/s
    acceleration: float = 0.0  # m/s^2, of either sign

    def approach(self, present: Course, step: float) -> Course:
        """The course ``step`` seconds after ``present``."""
        return Course(
            _towards(present.steer, self.steer, self.steer_speed * step),
            _towards(present.speed, self.speed, self.acceleration * step),
        )


def _towards(present: float, wanted: float, change: float) -> float:
    """``wanted``, or ``change`` nearer to it; a change of 0 is no limit."""
    limit = abs(change) or math.inf
    return present + min(max(wanted - present, -limit), limit)


class AckermannPilots:
    """The vehicles under Ackermann control."""

    def __init__(self) -> None:
        self._targets: dict[int, AckermannTarget] = {}
        self._courses: dict[int, Course] = {}  # where their slow changes have got to
        self.gains: dict[
            int, tuple[float, ...]
        ] = {}  # stored for the client; the simple controller has gains of its own

    def take(self, vehicle_id: int, target: AckermannTarget) -> None:
        """Start (or go on) driving a vehicle towards a target."""
        self._targets[vehicle_id] = target

    def release(self, vehicle_id: int) -> None:
        """The vehicle got a plain control."""
        self._targets.pop(vehicle_id, None)
        self._courses.pop(vehicle_id, None)

    def drive(self, world: World, step: float) -> None:
        """Set the controls of all piloted vehicles for the coming tick of ``step`` seconds."""
        for vehicle_id, target in list(self._targets.items()):
            vehicle = world.actors.get(vehicle_id)
            if not isinstance(vehicle, Vehicle):
                self.release(vehicle_id)
                continue
            present = self._courses.get(vehicle_id, Course(vehicle.steer_rad, vehicle.speed_forward))
            course = self._courses[vehicle_id] = target.approach(present, step)
            largest = vehicle_spec(vehicle.type_id).steer_gain * vehicle.tuning.steer_share
            vehicle.control = ackermann_control(course, vehicle.speed_forward, largest)


def ackermann_control(target: Course, speed: float, max_steer: float) -> VehicleControl:
    """Pedals and steering that bring a vehicle of forward ``speed`` (m/s) onto a course; ``max_steer`` in
    radians.
    """
    steer = min(max(target.steer / max_steer, -1.0), 1.0)
    reverse = target.speed < 0.0
    error = abs(target.speed) - (-speed if reverse else speed)
    if abs(target.speed) < _DEAD_BAND and abs(speed) < 2 * _DEAD_BAND:
        return VehicleControl(steer=steer, brake=1.0)
    if error >= -_DEAD_BAND:
        return VehicleControl(
            throttle=math.tanh(_THROTTLE_PER_SPEED_ERROR * max(error, 0.0)), steer=steer, reverse=reverse
        )
    return VehicleControl(steer=steer, brake=min(1.0, -_BRAKE_PER_SPEED_ERROR * error), reverse=reverse)
