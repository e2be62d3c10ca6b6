"""Vehicles and walkers."""

from __future__ import annotations

import math

from linkvla.launch.sim.protocol import lookup, physics_control, structs
from linkvla.launch.sim.protocol.envelope import MethodError
from linkvla.launch.sim.protocol.pilots import DEFAULT_GAINS, AckermannTarget
from linkvla.launch.sim.protocol.registry import refuse, rpc
from linkvla.launch.sim.protocol.rpc import Session
from linkvla.launch.sim.protocol.telemetry import telemetry
from linkvla.launch.sim.world.actors import Vehicle

_FRONT_WHEELS = (0, 1)
_WHEELS = 4
_ALL_DOORS = 6


@rpc("apply_control_to_vehicle", void=True)
def apply_control(session: Session, actor_id: int, control: list) -> None:
    """Pedals and steering for the coming ticks."""
    vehicle = lookup.living(lookup.find_vehicle(session.simulation.world, actor_id))
    vehicle.control = structs.decode_control(control)
    session.simulation.pilots.release(actor_id)


@rpc("apply_ackermann_control_to_vehicle", void=True)
def apply_ackermann(session: Session, actor_id: int, control: list) -> None:
    """Target steering angle (rad) and speed (m/s) with limits on their rates; that on the jerk is ignored."""
    lookup.living(lookup.find_vehicle(session.simulation.world, actor_id))
    steer, steer_speed, speed, acceleration, _ = (structs.number(part, "ackermann control") for part in control)
    session.simulation.pilots.take(actor_id, AckermannTarget(steer, speed, steer_speed, acceleration))


@rpc("get_ackermann_controller_settings")
def _get_ackermann_settings(session: Session, actor_id: int) -> list:
    lookup.find_vehicle(session.simulation.world, actor_id)
    return list(session.simulation.pilots.gains.get(actor_id, DEFAULT_GAINS))


@rpc("apply_ackermann_controller_settings", void=True)
def _apply_ackermann_settings(session: Session, actor_id: int, gains: list) -> None:
    lookup.find_vehicle(session.simulation.world, actor_id)
    if len(gains) != len(DEFAULT_GAINS):
        raise MethodError(f"Ackermann settings have {len(DEFAULT_GAINS)} gains, got {len(gains)}")
    session.simulation.pilots.gains[actor_id] = tuple(structs.number(gain) for gain in gains)


@rpc("get_physics_control")
def _get_physics_control(session: Session, actor_id: int) -> list:
    vehicle = lookup.find_vehicle(session.simulation.world, actor_id)
    return session.simulation.physics_controls.get(actor_id) or physics_control.describe(vehicle)


@rpc("apply_physics_control", void=True)
def apply_physics_control(session: Session, actor_id: int, control: list) -> None:
    """Stored and reported back; ``physics_control`` says what acts."""
    vehicle = lookup.find_vehicle(session.simulation.world, actor_id)
    decoded = physics_control.decode(control)
    physics_control.honour(vehicle, decoded)
    session.simulation.physics_controls[actor_id] = decoded


@rpc("get_vehicle_light_state")
def _get_light_state(session: Session, actor_id: int) -> list[int]:
    return [lookup.find_vehicle(session.simulation.world, actor_id).light_mask]


@rpc("set_vehicle_light_state", void=True)
def _set_light_state(session: Session, actor_id: int, state: list[int]) -> None:
    set_light_mask(session, actor_id, state[0])


def set_light_mask(session: Session, actor_id: int, mask: int) -> None:
    """The lights that a client switches on; brake lamps also follow the pedal."""
    vehicle = lookup.find_vehicle(session.simulation.world, actor_id)
    vehicle.light_mask = structs.whole(mask, "light state", 0, 0xFFFFFFFF)


@rpc("get_vehicle_light_states")
def _get_light_states(session: Session) -> list[list[int]]:
    """Traffic managers ask for this in every cycle."""
    session.simulation.traffic_managers.heard(session)
    return [[a.id, a.light_mask] for a in session.simulation.world.actors.values() if isinstance(a, Vehicle)]


@rpc("open_vehicle_door", void=True)
def _open_door(session: Session, actor_id: int, door: int) -> None:
    """Hood and trunk are remembered, no more."""
    lookup.find_vehicle(session.simulation.world, actor_id).open_doors |= _doors(door)


@rpc("close_vehicle_door", void=True)
def _close_door(session: Session, actor_id: int, door: int) -> None:
    lookup.find_vehicle(session.simulation.world, actor_id).open_doors &= ~_doors(door)


def _doors(door: int) -> int:
    """Bit mask of a door, of all doors for number 6."""
    number = structs.whole(door, "door", 0, _ALL_DOORS)
    return (1 << _ALL_DOORS) - 1 if number == _ALL_DOORS else 1 << number


def _wheel(number: int) -> int:
    return structs.whole(number, "wheel", 0, _WHEELS - 1)


@rpc("set_wheel_steer_direction", void=True)
def _set_wheel_steer_direction(session: Session, actor_id: int, wheel: int, degrees: float) -> None:
    """For the eye only, as in CARLA: the vehicle's bones show it, its motion does not."""
    lookup.find_vehicle(session.simulation.world, actor_id)
    angles = session.simulation.wheel_angles.setdefault(actor_id, {})
    angles[_wheel(wheel)] = structs.number(degrees, "wheel angle")


@rpc("get_wheel_steer_angle")
def _get_wheel_steer_angle(session: Session, actor_id: int, wheel: int) -> float:
    """Degrees that the vehicle steers by, positive to the right."""
    vehicle = lookup.find_vehicle(session.simulation.world, actor_id)
    return math.degrees(vehicle.steer_rad) if _wheel(wheel) in _FRONT_WHEELS else 0.0


@rpc("set_wheel_pitch_angle", void=True)
def _set_wheel_pitch_angle(session: Session, actor_id: int, wheel: int, degrees: float) -> None:
    """Stored and reported back: wheels do not turn about their axle in this model."""
    lookup.find_vehicle(session.simulation.world, actor_id)
    angles = session.simulation.wheel_pitches.setdefault(actor_id, {})
    angles[_wheel(wheel)] = structs.number(degrees, "wheel pitch")


@rpc("get_wheel_pitch_angle")
def _get_wheel_pitch_angle(session: Session, actor_id: int, wheel: int) -> float:
    lookup.find_vehicle(session.simulation.world, actor_id)
    return session.simulation.wheel_pitches.get(actor_id, {}).get(_wheel(wheel), 0.0)


@rpc("get_telemetry_data")
def _get_telemetry(session: Session, actor_id: int) -> list:
    return telemetry(lookup.find_vehicle(session.simulation.world, actor_id))


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
    walker = lookup.living(lookup.find_walker(session.simulation.world, actor_id))
    direction, speed, jump = control
    walker.direction = structs.decode_vector(direction)
    walker.speed = structs.number(speed, "speed")
    walker.jump = bool(jump)


def set_walker_state(session: Session, actor_id: int, transform: list, speed: float) -> None:
    """Batch command 7: where a walker's feet are and how fast it looks to go. A client's AI walkers live by it."""
    world = session.simulation.world
    walker = lookup.living(lookup.find_walker(world, actor_id))
    pose = structs.decode_pose(transform)
    pose.z += walker.box.half_z - walker.box.z
    world.teleport(walker.id, pose)
    walker.speed = structs.number(speed, "speed")
