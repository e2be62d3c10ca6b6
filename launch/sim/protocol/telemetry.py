"""VehicleTelemetryData: what a vehicle's instruments would show, from the states that the model has."""

from __future__ import annotations

import math

from linkvla.launch.sim.physics.specs import vehicle_spec
from linkvla.launch.sim.protocol.physics_control import CENTIMETRES, DRAG, FINAL_RATIO, GEARS, WHEEL_RADIUS_CM
from linkvla.launch.sim.world.actors import Vehicle
from linkvla.launch.sim.world.motion import GRAVITY

_FRICTION = 3.5
_IDLE_RPM, _TOP_RPM = 800.0, 5800.0
_SHIFT_SPEED = 9.0  # m/s for every gear


def gear_of(vehicle: Vehicle) -> int:
    """The gear that an automatic box would be in: -1 reverse, 0 standing, 1 upwards."""
    control = vehicle.control
    if control.manual_gear_shift:
        return control.gear
    if control.reverse:
        return -1
    speed = vehicle.speed_forward
    return 0 if abs(speed) < 0.1 else min(1 + int(abs(speed) / _SHIFT_SPEED), len(GEARS))


def telemetry(vehicle: Vehicle) -> list:
    """The struct as it goes over the wire; forces in newtons, wheel speed in rad/s."""
    control, gear, radius = vehicle.control, gear_of(vehicle), WHEEL_RADIUS_CM / CENTIMETRES
    omega = vehicle.speed_forward / radius
    ratio = GEARS[min(max(abs(gear), 1), len(GEARS)) - 1] * FINAL_RATIO
    rpm = min(max(abs(omega) * ratio * 60.0 / (2.0 * math.pi), _IDLE_RPM), _TOP_RPM)
    load = (vehicle.mass or vehicle_spec(vehicle.type_id).mass) * GRAVITY / 4.0
    yaw = math.radians(vehicle.pose.yaw)
    ax, ay = vehicle.acceleration[:2].tolist()
    ahead, right = ax * math.cos(yaw) + ay * math.sin(yaw), ay * math.cos(yaw) - ax * math.sin(yaw)
    slip = math.atan2(vehicle.speed_lateral, max(abs(vehicle.speed_forward), 1.0))
    force = (ahead * load / GRAVITY, right * load / GRAVITY)
    wheel = [_FRICTION, slip, 0.0, omega, load, 1.0, force[0] * radius, *force, force[0] / load, force[1] / load]
    wheels = [list(wheel) for _ in range(4)]
    return [vehicle.speed_forward, control.steer, control.throttle, control.brake, rpm, gear, DRAG, wheels]
