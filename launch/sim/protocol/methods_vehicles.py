"""Vehicles and walkers."""

from __future__ import annotations

import math

from linkvla.launch.sim.physics.specs import MAX_WHEEL_ANGLE_DEG, vehicle_spec
from linkvla.launch.sim.protocol import lookup, structs
from linkvla.launch.sim.protocol.pilots import DEFAULT_GAINS, AckermannTarget
from linkvla.launch.sim.protocol.registry import refuse, rpc
from linkvla.launch.sim.protocol.rpc import Session
from linkvla.launch.sim.world.actors import Vehicle

_FRONT_WHEELS = (0, 1)
_CENTIMETRES = 100.0
_WHEEL_RADIUS_CM = 35.0


@rpc("apply_control_to_vehicle", void=True)
def apply_control(session: Session, actor_id: int, control: list) -> None:
    """Pedals and steering for the coming ticks."""
    vehicle = lookup.find_vehicle(session.simulation.world, actor_id)
    vehicle.control = structs.decode_control(control)
    session.simulation.pilots.release(actor_id)


@rpc("apply_ackermann_control_to_vehicle", void=True)
def apply_ackermann(session: Session, actor_id: int, control: list) -> None:
    """Target steering angle (rad) and speed (m/s); the limits on their rates are ignored."""
    lookup.find_vehicle(session.simulation.world, actor_id)
    target = AckermannTarget(structs.number(control[0], "steer"), structs.number(control[2], "speed"))
    session.simulation.pilots.take(actor_id, target)


@rpc("get_ackermann_controller_settings")
def _get_ackermann_settings(session: Session, actor_id: int) -> list:
    lookup.find_vehicle(session.simulation.world, actor_id)
    return list(session.simulation.pilots.gains.get(actor_id, DEFAULT_GAINS))


@rpc("apply_ackermann_controller_settings", void=True)
def _apply_ackermann_settings(session: Session, actor_id: int, gains: list) -> None:
    lookup.find_vehicle(session.simulation.world, actor_id)
    session.simulation.pilots.gains[actor_id] = tuple(structs.number(gain) for gain in gains)


@rpc("get_physics_control")
def _get_physics_control(session: Session, actor_id: int) -> list:
    vehicle = lookup.find_vehicle(session.simulation.world, actor_id)
    return session.simulation.physics_controls.get(actor_id) or _describe_physics(vehicle)


@rpc("apply_physics_control", void=True)
def apply_physics_control(session: Session, actor_id: int, control: list) -> None:
    """Stored and reported back; the vehicle model has its own constants."""
    lookup.find_vehicle(session.simulation.world, actor_id)
    session.simulation.physics_controls[actor_id] = control


def _describe_physics(vehicle: Vehicle) -> list:
    """A VehiclePhysicsControl of plausible values around the constants that the vehicle model does use."""
    spec = vehicle_spec(vehicle.type_id)
    half_base, steer = spec.wheelbase / 2, MAX_WHEEL_ANGLE_DEG
    half_track = 0.8 * vehicle.box.half_y
    wheels = []
    for x, y, angle in (
        (half_base, -half_track, steer),
        (half_base, half_track, steer),
        (-half_base, -half_track, 0.0),
        (-half_base, half_track, 0.0),
    ):
        position = vehicle.pose.transform(structs.decode_vector((x, y, _WHEEL_RADIUS_CM / _CENTIMETRES))) * _CENTIMETRES
        hand_brake = 0.0 if angle else 3000.0
        wheels.append([3.5, 0.25, angle, _WHEEL_RADIUS_CM, 1500.0, hand_brake, 2.0, 17.0, 1000.0, position.tolist()])
    gears = [[ratio, 0.5, 0.65] for ratio in (2.85, 2.02, 1.35, 1.0)]
    torque_curve = [[0.0, 400.0], [1890.0, 500.0], [5730.0, 400.0]]
    steering_curve = [[0.0, 1.0], [20.0, 0.9], [60.0, 0.8], [120.0, 0.7]]
    drive = [5800.0, 1.0, 0.15, 2.0, 0.35, True, 0.5, 10.0, 4.0, gears]
    return [torque_curve, *drive, spec.mass, 0.3, [0.0, 0.0, 0.0], steering_curve, wheels, True]


@rpc("get_vehicle_light_state")
def _get_light_state(session: Session, actor_id: int) -> list[int]:
    return [lookup.find_vehicle(session.simulation.world, actor_id).light_mask]


@rpc("set_vehicle_light_state", void=True)
def _set_light_state(session: Session, actor_id: int, state: list[int]) -> None:
    set_light_mask(session, actor_id, state[0])


def set_light_mask(session: Session, actor_id: int, mask: int) -> None:
    """The lights that a client switches on; brake lamps also follow the pedal."""
    lookup.find_vehicle(session.simulation.world, actor_id).light_mask = int(mask)


@rpc("get_vehicle_light_states")
def _get_light_states(session: Session) -> list[list[int]]:
    """Traffic managers ask for this in every cycle."""
    session.simulation.traffic_managers.heard(session)
    return [[a.id, a.light_mask] for a in session.simulation.world.actors.values() if isinstance(a, Vehicle)]


@rpc("open_vehicle_door", void=True)
def _open_door(session: Session, actor_id: int, _door: int) -> None:
    """Accepted without effect: vehicles are drawn with closed doors."""
    lookup.find_vehicle(session.simulation.world, actor_id)


@rpc("close_vehicle_door", void=True)
def _close_door(session: Session, actor_id: int, _door: int) -> None:
    lookup.find_vehicle(session.simulation.world, actor_id)


@rpc("get_wheel_steer_angle")
def _get_wheel_steer_angle(session: Session, actor_id: int, wheel: int) -> float:
    """Degrees, positive to the right."""
    vehicle = lookup.find_vehicle(session.simulation.world, actor_id)
    return math.degrees(vehicle.steer_rad) if wheel in _FRONT_WHEELS else 0.0


@rpc("get_wheel_pitch_angle")
def _get_wheel_pitch_angle(session: Session, actor_id: int, _wheel: int) -> float:
    """Wheels are not turned about their axle in this model."""
    lookup.find_vehicle(session.simulation.world, actor_id)
    return 0.0


refuse(("set_wheel_steer_direction", "set_wheel_pitch_angle"), "wheels follow the control", void=True)


@rpc("get_telemetry_data")
def _get_telemetry(session: Session, actor_id: int) -> list:
    vehicle = lookup.find_vehicle(session.simulation.world, actor_id)
    control = vehicle.control
    return [vehicle.speed_forward, control.steer, control.throttle, control.brake, 0.0, control.gear, 0.3, []]


@rpc("show_vehicle_debug_telemetry", void=True)
def _show_telemetry(_session: Session, _actor_id: int, _enabled: bool) -> None:
    """Accepted without effect: there is no window to show it in."""


refuse(
    ("enable_carsim", "use_carsim_road", "enable_chrono_physics", "restore_physx_physics"),
    "it has one vehicle model of its own",
    void=True,
)


@rpc("apply_control_to_walker", void=True)
def apply_walker_control(session: Session, actor_id: int, control: list) -> None:
    """Direction (world) and speed (m/s)."""
    walker = lookup.find_walker(session.simulation.world, actor_id)
    direction, speed, jump = control
    walker.direction = structs.decode_vector(direction)
    walker.speed = structs.number(speed, "speed")
    walker.jump = bool(jump)


def set_walker_state(session: Session, actor_id: int, transform: list, speed: float) -> None:
    """Batch command 7: where a walker is and how fast it looks to go."""
    world = session.simulation.world
    walker = lookup.find_walker(world, actor_id)
    world.teleport(walker.id, structs.decode_pose(transform))
    walker.speed = structs.number(speed, "speed")


refuse(("get_bones_transform",), "its walkers have no skeleton")
refuse(("set_bones_transform", "blend_pose", "get_pose_from_animation"), "its walkers have no skeleton", void=True)
