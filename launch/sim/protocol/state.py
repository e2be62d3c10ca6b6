"""The world stream: one binary message per tick with the state of every actor."""

from __future__ import annotations

import struct
from collections.abc import Iterable

from linkvla.launch.sim.protocol.sensor_frames import HEADER, WORLD, pack_header
from linkvla.launch.sim.world.actors import Actor, TrafficLight, TrafficSign, Vehicle, Walker
from linkvla.launch.sim.world.pose import Pose

_LENGTH = struct.Struct("<I")
_EPISODE = struct.Struct("<Qdf3iI")  # 36 bytes
_DYNAMICS = struct.Struct("<IB15f")  # 65 bytes, then a 54-byte union
_VEHICLE = struct.Struct("<fff???ifBBIB")
_WALKER = struct.Struct("<3ff?")
_LIGHT = struct.Struct("<32sffffI?B")
_SIGN = struct.Struct("<32s")

RECORD_BYTES = 119
BODY_OFFSET = HEADER.size + _EPISODE.size
MAP_CHANGED, LIGHTS_PENDING = 1, 2
_ACTIVE = 1


def encode_world(
    actors: Iterable[Actor],
    *,
    frame: int,
    elapsed: float,
    step: float,
    episode_id: int,
    wall_clock: float,
    flags: int,
    spectator: Pose,
) -> bytes:
    """A framed world-stream message (u32 length, header, episode state, 119 bytes per actor).

    Args:
        actors: in the order in which the client will list them.
        elapsed: simulated seconds of the episode.
        step: simulated seconds of this tick.
        wall_clock: seconds on the server's clock.
        flags: MAP_CHANGED and LIGHTS_PENDING in the first frame of an episode.
    """
    actors = list(actors)
    size = BODY_OFFSET + RECORD_BYTES * len(actors)
    message = bytearray(_LENGTH.size + size)
    _LENGTH.pack_into(message, 0, size)
    pack_header(message, _LENGTH.size, WORLD, frame, elapsed, spectator)
    _EPISODE.pack_into(message, _LENGTH.size + HEADER.size, episode_id, wall_clock, step, 0, 0, 0, flags)
    offset = _LENGTH.size + BODY_OFFSET
    for actor in actors:
        _pack_actor(message, offset, actor)
        offset += RECORD_BYTES
    return bytes(message)


def _pack_actor(message: bytearray, offset: int, actor: Actor) -> None:
    pose = actor.pose
    _DYNAMICS.pack_into(
        message,
        offset,
        actor.id,
        _ACTIVE,
        pose.x,
        pose.y,
        pose.z,
        pose.pitch,
        pose.yaw,
        pose.roll,
        *actor.velocity.tolist(),
        *actor.angular_velocity.tolist(),
        *actor.acceleration.tolist(),
    )
    offset += _DYNAMICS.size
    if isinstance(actor, Vehicle):
        _pack_vehicle(message, offset, actor)
    elif isinstance(actor, TrafficLight):
        _LIGHT.pack_into(
            message,
            offset,
            actor.sign_id.encode()[:31],
            actor.green_time,
            actor.yellow_time,
            actor.red_time,
            actor.elapsed,
            actor.pole_index,
            actor.frozen,
            actor.state,
        )
    elif isinstance(actor, TrafficSign):
        _SIGN.pack_into(message, offset, actor.sign_id.encode()[:31])
    elif isinstance(actor, Walker):
        _WALKER.pack_into(message, offset, *actor.direction.tolist(), actor.speed, actor.jump)


def _pack_vehicle(message: bytearray, offset: int, vehicle: Vehicle) -> None:
    control = vehicle.control
    _VEHICLE.pack_into(
        message,
        offset,
        control.throttle,
        control.steer,
        control.brake,
        control.hand_brake,
        control.reverse,
        control.manual_gear_shift,
        control.gear,
        vehicle.speed_limit,
        vehicle.light_state,
        bool(vehicle.at_light_id),
        vehicle.at_light_id,
        0,  # no failure
    )
