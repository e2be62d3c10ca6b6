"""VehicleTelemetryData: what a vehicle's instruments would show, from the states that the model has."""

from __future__ import annotations

import math

from linkvla.launch.sim.physics.columns import GRAVITY
from linkvla.launch.sim.physics.specs import DRAG_COEFFICIENT, WHEEL_RADIUS, vehicle_spec
from linkvla.launch.sim.physics.tuning import SHIFT_SPEED
from linkvla.launch.sim.world.actors import Vehicle

_IDLE_RPM = 800.0


def gear_of(vehicle: Vehicle) -> int:
    """The gear that an automatic box would be in: -1 reverse, 0 standing, 1 upwards."""
    control = vehicle.control
    if control.manual_gear_shift:
        return control.gear
    if control.reverse:
        return -1
    speed = vehicle.speed_forward
    return 0 if abs(speed) < 0.1 else min(1 + int(abs(speed) / SHIFT_SPEED), len(vehicle.tuning.gears))


def telemetry(vehicle: Vehicle) -> list:
    """The struct as it goes over the wire; forces in newtons, wheel speed in rad/s."""
    control, gear, tuning = vehicle.control, gear_of(vehicle), vehicle.tuning
    omega = vehicle.speed_forward / WHEEL_RADIUS
    ratio = tuning.gears[min(max(abs(gear), 1), len(tuning.gears)) - 1] * tuning.final_ratio
    rpm = min(max(abs(omega) * ratio * 60.0 / (2.0 * math.pi), _IDLE_RPM), tuning.max_rpm)
    load = (tuning.mass or vehicle_spec(vehicle.type_id).mass) * GRAVITY / 4.0
    yaw = math.radians(vehicle.pose.yaw)
    ax, ay = vehicle.acceleration[:2].tolist()
    ahead, right = ax * math.cos(yaw) + ay * math.sin(yaw), ay * math.cos(yaw) - ax * math.sin(yaw)
    friction = tuning.tyre_friction if vehicle.road_friction is None else vehicle.road_friction
    slip = math.atan2(vehicle.speed_lateral, max(abs(vehicle.speed_forward), 1.0))
    force = (ahead * load / GRAVITY, right * load / GRAVITY)
    wheel = [friction, slip, 0.0, omega, load, 1.0, force[0] * WHEEL_RADIUS, *force, force[0] / load, force[1] / load]
    wheels = [list(wheel) for _ in range(4)]
    return [
        vehicle.speed_forward,
        control.steer,
        control.throttle,
        control.brake,
        rpm,
        gear,
        DRAG_COEFFICIENT + tuning.drag,
        wheels,
    ]
