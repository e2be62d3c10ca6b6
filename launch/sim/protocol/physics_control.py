"""VehiclePhysicsControl: what a vehicle reports by default, what a client may store, and what of it the model honours.

Honoured are mass, the front wheels' largest angle and the steering curve, tyre friction (mean of the wheels), engine
torque (its peak), gears, final ratio and highest revolutions, torque of brakes and hand brake, drag coefficient.
Everything else is kept and reported back.
"""

from __future__ import annotations

import math
from itertools import pairwise

from linkvla.launch.sim.physics.specs import (
    DRAG_COEFFICIENT,
    FINAL_RATIO,
    GEARS,
    MAX_RPM,
    MAX_WHEEL_ANGLE_DEG,
    TYRE_FRICTION,
    WHEEL_RADIUS,
    vehicle_spec,
)
from linkvla.launch.sim.physics.tuning import STEERING_CURVE, UNTOUCHED, Tuning
from linkvla.launch.sim.protocol import structs
from linkvla.launch.sim.protocol.envelope import MethodError
from linkvla.launch.sim.world.actors import Vehicle

CENTIMETRES = 100.0  # per metre
WHEEL_RADIUS_CM = WHEEL_RADIUS * CENTIMETRES
BRAKE_TORQUE, HAND_BRAKE_TORQUE = 1500.0, 3000.0  # N m of a wheel, of a wheel behind
TORQUE_CURVE = ((0.0, 400.0), (1890.0, 500.0), (5730.0, 400.0))  # rpm, N m
FIELDS, WHEEL_FIELDS = 17, 10
TORQUE, RPM, FINAL, FORWARD_GEARS, MASS, DRAG, CENTRE, STEERING, WHEELS = 0, 1, 9, 10, 11, 12, 13, 14, 15
"""Places in the struct."""
FRICTION, MAX_ANGLE, BRAKES, HAND_BRAKE, POSITION = 0, 2, 4, 5, 9  # in a wheel's
_FLAGS = (6, 16)  # use_gear_autobox, use_sweep_wheel_collision
_MOST_POINTS = 256  # of a curve, gears or wheels
LIGHTEST, HEAVIEST = 1.0, 1e6  # kg
ROUNDING = 1e-5  # of 32-bit floats


def wheel_places(vehicle: Vehicle) -> list[tuple[float, float]]:
    """(forward, right) of the four wheels in metres, vehicle frame: front left, front right, back left, back right."""
    half_base, half_track = vehicle_spec(vehicle.type_id).wheelbase / 2, 0.8 * vehicle.box.half_y
    return [(x, y) for x in (half_base, -half_base) for y in (-half_track, half_track)]


def describe(vehicle: Vehicle) -> list:
    """A VehiclePhysicsControl of plausible values around the constants that the vehicle model does use."""
    spec = vehicle_spec(vehicle.type_id)
    wheels = []
    for x, y in wheel_places(vehicle):
        angle, hand_brake = (MAX_WHEEL_ANGLE_DEG, 0.0) if x > 0.0 else (0.0, HAND_BRAKE_TORQUE)
        position = vehicle.pose.transform(structs.decode_vector((x, y, WHEEL_RADIUS_CM / CENTIMETRES))) * CENTIMETRES
        start = [TYRE_FRICTION, 0.25, angle, WHEEL_RADIUS_CM, BRAKE_TORQUE, hand_brake]
        wheels.append([*start, 2.0, 17.0, 1000.0, position.tolist()])
    gears = [[ratio, 0.5, 0.65] for ratio in GEARS]
    torque_curve, steering_curve = ([list(point) for point in curve] for curve in (TORQUE_CURVE, STEERING_CURVE))
    drive = [MAX_RPM, 1.0, 0.15, 2.0, 0.35, True, 0.5, 10.0, FINAL_RATIO, gears]
    return [torque_curve, *drive, spec.mass, DRAG_COEFFICIENT, [0.0, 0.0, 0.0], steering_curve, wheels, True]


def decode(raw: list) -> list:
    """A VehiclePhysicsControl from the wire in its full shape. Raises MethodError for anything else."""
    if len(raw) != FIELDS:
        raise MethodError(f"a physics control has {FIELDS} fields, got {len(raw)}")
    control: list = []
    for place, field in enumerate(raw):
        if place in _FLAGS:
            control.append(bool(field))
        elif place == WHEELS:
            control.append([_wheel(wheel) for wheel in _bounded(field)])
        elif place in (TORQUE, STEERING):
            control.append([_numbers(point, 2) for point in _bounded(field)])
        elif place == FORWARD_GEARS:
            control.append([_numbers(gear, 3) for gear in _bounded(field)])
        elif place == CENTRE:
            control.append(_numbers(field, 3))
        else:
            control.append(structs.number(field, f"physics control field {place}"))
    if not LIGHTEST <= control[MASS] <= HEAVIEST:
        raise MethodError(f"mass is {control[MASS]:g} kg; use {LIGHTEST:g} to {HEAVIEST:g}")
    return control


def _bounded(entries: list) -> list:
    if not isinstance(entries, list) or len(entries) > _MOST_POINTS:
        raise MethodError(f"a curve, gears or wheels must be a list of at most {_MOST_POINTS} entries")
    return entries


def _numbers(raw: list, count: int) -> list[float]:
    if len(raw) != count:
        raise MethodError(f"expected {count} numbers in the physics control, got {len(raw)}")
    return [structs.number(part, "physics control") for part in raw]


def _wheel(raw: list) -> list:
    if len(raw) != WHEEL_FIELDS:
        raise MethodError(f"a wheel has {WHEEL_FIELDS} fields, got {len(raw)}")
    return [*_numbers(raw[:POSITION], POSITION), _numbers(raw[POSITION], 3)]


def honour(vehicle: Vehicle, control: list) -> None:
    """Let a decoded control act."""
    tuning = _tuning(vehicle, control)
    vehicle.tuning = UNTOUCHED if tuning == UNTOUCHED else tuning


def _tuning(vehicle: Vehicle, control: list) -> Tuning:
    wheels = control[WHEELS] or describe(vehicle)[WHEELS]
    angle = min(max(wheel[MAX_ANGLE] for wheel in wheels[:2]), MAX_WHEEL_ANGLE_DEG)
    peak = max((torque for _, torque in control[TORQUE]), default=0.0) / max(torque for _, torque in TORQUE_CURVE)
    curve = tuple((kmh, share) for kmh, share in control[STEERING])
    if any(after[0] <= before[0] for before, after in pairwise(curve)):
        raise MethodError("the speeds of a steering curve must rise from point to point")
    return Tuning(
        mass=None if _same(control[MASS], vehicle_spec(vehicle.type_id).mass) else control[MASS],
        tyre_friction=_exact(max(_mean(wheels, FRICTION), 0.0), TYRE_FRICTION),
        steer_share=_exact(max(angle, 0.0) / MAX_WHEEL_ANGLE_DEG, 1.0),
        steering_curve=STEERING_CURVE if _same_curve(curve) else curve,
        pull=_exact(max(peak, 0.0), 1.0),
        brakes=_exact(max(_mean(wheels, BRAKES), 0.0) / BRAKE_TORQUE, 1.0),
        hand_brake=_exact(max(sum(wheel[HAND_BRAKE] for wheel in wheels), 0.0) / (2.0 * HAND_BRAKE_TORQUE), 1.0),
        drag=_exact(control[DRAG] - DRAG_COEFFICIENT, 0.0),
        gears=_gears(tuple(gear[0] for gear in control[FORWARD_GEARS])),
        final_ratio=_exact(control[FINAL], FINAL_RATIO),
        max_rpm=_exact(control[RPM], MAX_RPM),
    )


def _mean(wheels: list, place: int) -> float:
    return sum(wheel[place] for wheel in wheels) / len(wheels)


def _same(value: float, own: float) -> bool:
    return math.isclose(value, own, rel_tol=ROUNDING, abs_tol=ROUNDING)


def _exact(value: float, own: float) -> float:
    """A client's numbers come back as 32-bit floats: what it did not change must stay exactly what it was."""
    return own if _same(value, own) else value


def _same_curve(curve: tuple[tuple[float, float], ...]) -> bool:
    return len(curve) == len(STEERING_CURVE) and all(
        _same(value, own) for point, pair in zip(curve, STEERING_CURVE) for value, own in zip(point, pair)
    )


def _gears(ratios: tuple[float, ...]) -> tuple[float, ...]:
    if len(ratios) == len(GEARS) and all(_same(value, own) for value, own in zip(ratios, GEARS)):
        return GEARS
    return tuple(ratio for ratio in ratios if ratio > 0.0) or GEARS
