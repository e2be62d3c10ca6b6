"""Batches of commands."""

from __future__ import annotations

import logging
from collections.abc import Callable

from linkvla.launch.sim.protocol import envelope, structs
from linkvla.launch.sim.protocol import methods_actors as actors
from linkvla.launch.sim.protocol import methods_lights as lights
from linkvla.launch.sim.protocol import methods_vehicles as vehicles
from linkvla.launch.sim.protocol.envelope import MethodError
from linkvla.launch.sim.protocol.registry import rpc
from linkvla.launch.sim.protocol.rpc import Session

logger = logging.getLogger(__name__)

_SPAWN = 0
_MOST_COMMANDS = 20_000


def _accept(_session: Session, _actor_id: int, *_arguments: object) -> None:
    """Nothing for the server to do (autopilot and telemetry are the client's business)."""


def _refuse(_session: Session, _actor_id: object, *_arguments: object) -> None:
    raise MethodError("this batch command is not available on the linkvla server")


# Batch command number: what it does to the actor that is its first field.
_COMMANDS: dict[int, Callable[..., object]] = {
    1: actors.destroy,
    2: vehicles.apply_control,
    3: vehicles.apply_ackermann,
    4: vehicles.apply_walker_control,
    5: vehicles.apply_physics_control,
    6: actors.set_transform,
    7: vehicles.set_walker_state,
    8: actors.set_target_velocity,
    9: actors.set_target_angular_velocity,
    10: actors.add_impulse,
    11: actors.add_force,
    12: actors.add_angular_impulse,
    13: actors.add_torque,
    14: actors.set_simulate_physics,
    15: actors.set_enable_gravity,
    16: _accept,
    17: _accept,
    18: vehicles.set_light_mask,
    19: actors.set_location,
    20: _refuse,
    21: lights.set_state,
}


@rpc("apply_batch", bare=True)
async def _apply_batch(session: Session, commands: list, do_tick: bool = False) -> list:
    """One ``Response<actor id>`` per top-level command; a command that fails does not stop the others."""
    if len(commands) > _MOST_COMMANDS:
        raise MethodError(f"a batch of {len(commands)} commands: send at most {_MOST_COMMANDS} at once")
    responses = [_respond(session, command) for command in commands]
    if do_tick and session.simulation.settings.synchronous_mode:
        await session.simulation.tick()
    return responses


def _respond(session: Session, command: list) -> list:
    try:
        return envelope.value(_execute(session, command))
    except MethodError as error:
        return envelope.failure(str(error), void=False)
    except (TypeError, ValueError, IndexError) as error:
        logger.warning("batch command refused: %s", error)
        return envelope.failure(f"malformed batch command: {error}", void=False)


def _execute(session: Session, command: list, future_actor: int = 0) -> int:
    """Run one command; ``future_actor`` takes the place of the id in commands chained with ``.then()``."""
    index, fields = command[0]
    if index == _SPAWN:
        return _spawn(session, fields)
    action = _COMMANDS.get(index)
    if action is None:
        raise MethodError(f"batch command {index} does not exist in CARLA 0.9.16")
    actor_id = fields[0] or future_actor
    action(session, actor_id, *fields[1:])
    return actor_id


def _spawn(session: Session, fields: list) -> int:
    """The attachment type is ignored: the client leaves that byte uninitialised."""
    description, transform, parent, _attachment, _socket, do_after = fields
    actor = actors.spawn(session, description, structs.decode_pose(transform), parent[1] if parent[0] else 0)
    for command in do_after:
        try:
            _execute(session, command, future_actor=actor.id)
        except MethodError as error:
            logger.warning("a command after the spawn of actor %d failed: %s", actor.id, error)
    return actor.id
