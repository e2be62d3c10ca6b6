"""VehiclePhysicsControl: what a vehicle reports by default, what a client may store, and what of it the model honours.

Honoured are the mass (impacts, impulses and the pull of the engine) and the front wheels' largest angle (the share of
the steering that is left). Everything else is kept and reported back.
"""

from __future__ import annotations

from linkvla.launch.sim.physics.specs import MAX_WHEEL_ANGLE_DEG, vehicle_spec
from linkvla.launch.sim.protocol import structs
from linkvla.launch.sim.protocol.envelope import MethodError
from linkvla.launch.sim.world.actors import Vehicle

CENTIMETRES = 100.0  # per metre
WHEEL_RADIUS_CM = 35.0
DRAG = 0.3
FIELDS, WHEEL_FIELDS = 17, 10
MASS, CENTRE, WHEELS = 11, 13, 15  # places in the struct
MAX_ANGLE, POSITION = 2, 9  # in a wheel's
_FLAGS = (6, 16)  # use_gear_autobox, use_sweep_wheel_collision
_MOST_POINTS = 256  # of a curve, gears or wheels
GEARS = (2.85, 2.02, 1.35, 1.0)
FINAL_RATIO = 4.0
LIGHTEST, HEAVIEST = 1.0, 1e6  # kg


def wheel_places(vehicle: Vehicle) -> list[tuple[float, float]]:
    """(forward, right) of the four wheels in metres, vehicle frame: front left, front right, back left, back right."""
    half_base, half_track = vehicle_spec(vehicle.type_id).wheelbase / 2, 0.8 * vehicle.box.half_y
    return [(x, y) for x in (half_base, -half_base) for y in (-half_track, half_track)]


def describe(vehicle: Vehicle) -> list:
    """A VehiclePhysicsControl of plausible values around the constants that the vehicle model does use."""
    spec = vehicle_spec(vehicle.type_id)
    wheels = []
    for x, y in wheel_places(vehicle):
        angle, hand_brake = (MAX_WHEEL_ANGLE_DEG, 0.0) if x > 0.0 else (0.0, 3000.0)
        position = vehicle.pose.transform(structs.decode_vector((x, y, WHEEL_RADIUS_CM / CENTIMETRES))) * CENTIMETRES
        wheels.append([3.5, 0.25, angle, WHEEL_RADIUS_CM, 1500.0, hand_brake, 2.0, 17.0, 1000.0, position.tolist()])
    gears = [[ratio, 0.5, 0.65] for ratio in GEARS]
    torque_curve = [[0.0, 400.0], [1890.0, 500.0], [5730.0, 400.0]]
    steering_curve = [[0.0, 1.0], [20.0, 0.9], [60.0, 0.8], [120.0, 0.7]]
    drive = [5800.0, 1.0, 0.15, 2.0, 0.35, True, 0.5, 10.0, FINAL_RATIO, gears]
    return [torque_curve, *drive, spec.mass, DRAG, [0.0, 0.0, 0.0], steering_curve, wheels, True]


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
        elif place in (0, 14):
            control.append([_numbers(point, 2) for point in _bounded(field)])
        elif place == 10:
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
    """Let the mass and the steering limit of a decoded control act."""
    spec = vehicle_spec(vehicle.type_id)
    vehicle.mass = None if control[MASS] == spec.mass else control[MASS]
    angles = [wheel[MAX_ANGLE] for wheel in control[WHEELS][:2]]
    largest = min(max(angles, default=MAX_WHEEL_ANGLE_DEG), MAX_WHEEL_ANGLE_DEG)
    vehicle.steer_share = max(largest, 0.0) / MAX_WHEEL_ANGLE_DEG
