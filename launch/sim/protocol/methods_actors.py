"""Blueprints, spawning, and what can be done to any actor."""

from __future__ import annotations

import numpy as np

from linkvla.launch.sim.errors import SimError
from linkvla.launch.sim.protocol import lookup, structs
from linkvla.launch.sim.protocol.descriptions import complete
from linkvla.launch.sim.protocol.envelope import MethodError
from linkvla.launch.sim.protocol.registry import rpc
from linkvla.launch.sim.protocol.rpc import Session
from linkvla.launch.sim.protocol.sensor_station import check_sensor
from linkvla.launch.sim.world.actors import Actor, Sensor, Vehicle, VehicleControl, Walker
from linkvla.launch.sim.world.blueprints import Blueprint, blueprints
from linkvla.launch.sim.world.pose import Pose
from linkvla.launch.sim.world.world import World

_MOST_ACTORS = 20_000
_MOST_ATTRIBUTES = 256


def _encode_blueprint(blueprint: Blueprint) -> list:
    attributes = [
        [a.name, int(a.kind), a.value, list(a.recommended), a.modifiable, False] for a in blueprint.attributes
    ]
    return [blueprint.uid, blueprint.type_id, blueprint.tags, attributes]


def encode(session: Session, actor: Actor) -> list:
    """rpc Actor, with its stream token if it is a sensor."""
    return structs.encode_actor(actor, session.simulation.sensors.token(actor.id))


def spawn(session: Session, description: list, pose: Pose, parent_id: int = 0) -> Actor:
    """Spawn what an ActorDescription says. Raises MethodError with CARLA's wording where clients look for it."""
    _, type_id, raw_attributes = description
    blueprint = blueprints().get(type_id)
    if blueprint is None:
        raise MethodError(f"unable to spawn actor: the linkvla server has no blueprint {type_id!r}")
    if len(raw_attributes) > _MOST_ATTRIBUTES or len(session.simulation.world.actors) >= _MOST_ACTORS:
        raise MethodError(f"unable to spawn actor: at most {_MOST_ATTRIBUTES} attributes and {_MOST_ACTORS} actors")
    attributes, described = complete(blueprint, raw_attributes)
    simulation = session.simulation
    if parent_id and parent_id not in simulation.world.actors:
        raise MethodError(f"unable to attach actor: parent actor {parent_id} not found")
    try:
        check_sensor(type_id, attributes)  # refuse before anything is spawned
        actor = simulation.world.spawn(type_id, attributes, pose, parent_id=parent_id)
    except SimError as error:
        raise MethodError(str(error)) from error
    actor.definition_uid = blueprint.uid
    actor.description_attributes = described
    if isinstance(actor, Sensor):
        simulation.sensors.add(actor)
    return actor


def destroy(session: Session, actor_id: int) -> bool:
    """Destroy an actor and the sensors on it. Raises MethodError when there is none."""
    simulation = session.simulation
    if not simulation.world.destroy(actor_id):
        raise MethodError(f"unable to destroy actor {actor_id}: not found")
    simulation.sensors.prune()
    return True


@rpc("get_actor_definitions")
def _get_actor_definitions(_session: Session) -> list:
    return [_encode_blueprint(blueprint) for blueprint in blueprints().values()]


@rpc("get_spectator")
def _get_spectator(session: Session) -> list:
    return encode(session, session.simulation.world.spectator)


@rpc("spawn_actor")
def _spawn_actor(session: Session, description: list, transform: list) -> list:
    return encode(session, spawn(session, description, structs.decode_pose(transform)))


@rpc("spawn_actor_with_parent")
def _spawn_actor_with_parent(
    session: Session, description: list, transform: list, parent_id: int, _attachment: int = 0, _socket: str = ""
) -> list:
    """Every attachment is rigid."""
    return encode(session, spawn(session, description, structs.decode_pose(transform), parent_id))


@rpc("destroy_actor")
def _destroy_actor(session: Session, actor_id: int) -> bool:
    return destroy(session, actor_id)


@rpc("get_actors_by_id")
def _get_actors_by_id(session: Session, ids: list[int]) -> list:
    actors = session.simulation.world.actors
    return [encode(session, actors[i]) for i in ids if i in actors]


@rpc("set_actor_transform", void=True)
def set_transform(session: Session, actor_id: int, transform: list) -> None:
    """Teleport; relative to the parent where there is one."""
    world = session.simulation.world
    world.teleport(lookup.find(world, actor_id).id, structs.decode_pose(transform))


@rpc("set_actor_location", void=True)
def set_location(session: Session, actor_id: int, location: list) -> None:
    """Teleport, keeping the rotation."""
    world = session.simulation.world
    actor = lookup.find(world, actor_id)
    present = actor.relative_pose if actor.parent_id and actor.relative_pose else actor.pose
    x, y, z = structs.decode_vector(location).tolist()
    world.teleport(actor.id, Pose(x, y, z, present.pitch, present.yaw, present.roll))


@rpc("set_actor_target_velocity", void=True)
def set_target_velocity(session: Session, actor_id: int, velocity: list) -> None:
    """World frame, m/s; takes effect at once."""
    world = session.simulation.world
    world.set_target_velocity(lookup.find(world, actor_id).id, structs.decode_vector(velocity))


@rpc("set_actor_target_angular_velocity", void=True)
def set_target_angular_velocity(session: Session, actor_id: int, velocity: list) -> None:
    """World frame, degrees per second."""
    world = session.simulation.world
    world.set_target_angular_velocity(lookup.find(world, actor_id).id, structs.decode_vector(velocity))


def _mobile(world: World, actor_id: int) -> Actor:
    actor = lookup.find(world, actor_id)
    if not isinstance(actor, (Vehicle, Walker)):
        raise MethodError(f"actor {actor_id} is a {actor.type_id}: only vehicles and walkers hold a velocity")
    return lookup.living(actor)


@rpc("enable_actor_constant_velocity", void=True)
def _enable_constant_velocity(session: Session, actor_id: int, velocity_in_vehicle: list) -> None:
    world = session.simulation.world
    world.set_constant_velocity(_mobile(world, actor_id).id, structs.decode_vector(velocity_in_vehicle))


@rpc("disable_actor_constant_velocity", void=True)
def _disable_constant_velocity(session: Session, actor_id: int) -> None:
    world = session.simulation.world
    world.set_constant_velocity(_mobile(world, actor_id).id, None)


@rpc("add_actor_impulse", void=True)
def add_impulse(session: Session, actor_id: int, impulse: list) -> None:
    """Newton seconds at the centre of mass, world frame."""
    world = session.simulation.world
    world.add_impulse(lookup.find(world, actor_id).id, structs.decode_vector(impulse))


def _over_a_tick(session: Session, force: list) -> list[float]:
    """The impulse of a force, or a torque, that acts during the coming tick."""
    return (structs.decode_vector(force) * session.simulation.settings.step).tolist()


@rpc("add_actor_force", void=True)
def add_force(session: Session, actor_id: int, force: list) -> None:
    """Newtons for the coming tick."""
    add_impulse(session, actor_id, _over_a_tick(session, force))


@rpc("add_actor_angular_impulse", void=True)
def add_angular_impulse(session: Session, actor_id: int, impulse: list) -> None:
    """Newton metre seconds about the world's axes; vehicles turn about z, other actors do not turn."""
    world = session.simulation.world
    world.add_angular_impulse(lookup.find(world, actor_id).id, structs.decode_vector(impulse))


@rpc("add_actor_torque", void=True)
def add_torque(session: Session, actor_id: int, torque: list) -> None:
    """Newton metres for the coming tick."""
    add_angular_impulse(session, actor_id, _over_a_tick(session, torque))


@rpc("add_actor_impulse_at_location", void=True)
def _add_impulse_at(session: Session, actor_id: int, impulse: list, location: list) -> None:
    """Newton seconds at a place in the world: a push and a turn."""
    world = session.simulation.world
    actor = lookup.find(world, actor_id)
    push = structs.decode_vector(impulse)
    arm = structs.decode_vector(location) - actor.pose.location()
    world.add_impulse(actor.id, push)
    world.add_angular_impulse(actor.id, np.cross(arm, push))


@rpc("add_actor_force_at_location", void=True)
def _add_force_at(session: Session, actor_id: int, force: list, location: list) -> None:
    _add_impulse_at(session, actor_id, _over_a_tick(session, force), location)


@rpc("set_actor_dead", void=True)
def _set_dead(session: Session, actor_id: int) -> None:
    """A dead walker stands where it is and takes no more controls; a dead vehicle stops with its brakes on."""
    actor = lookup.find(session.simulation.world, actor_id)
    actor.dead = True
    session.simulation.world.set_constant_velocity(actor_id, None)
    if isinstance(actor, Walker):
        actor.speed, actor.jump = 0.0, False
    elif isinstance(actor, Vehicle):
        actor.control = VehicleControl(brake=1.0, hand_brake=True)
        session.simulation.pilots.release(actor_id)


@rpc("set_actor_simulate_physics", void=True)
def set_simulate_physics(session: Session, actor_id: int, enabled: bool) -> None:
    """Without physics an actor stands still unless it is moved. Props are spawned without."""
    world = session.simulation.world
    world.set_simulate_physics(lookup.find(world, actor_id).id, bool(enabled))


@rpc("set_actor_collisions", void=True)
def _set_collisions(session: Session, actor_id: int, enabled: bool) -> None:
    lookup.find(session.simulation.world, actor_id).collisions = bool(enabled)


@rpc("set_actor_enable_gravity", void=True)
def set_enable_gravity(session: Session, actor_id: int, enabled: bool) -> None:
    """Without gravity a teleported vehicle stays in the air."""
    lookup.find(session.simulation.world, actor_id).gravity = bool(enabled)


@rpc("set_actor_autopilot", void=True)
def _set_autopilot(session: Session, actor_id: int, _enabled: bool) -> None:
    """The client's own traffic manager drives; the server only checks that the vehicle exists."""
    lookup.find_vehicle(session.simulation.world, actor_id)


@rpc("get_actor_bounding_box")
def _get_bounding_box(session: Session, actor_id: int) -> list:
    """Answered for lately destroyed actors too: a traffic manager asks about whatever its latest snapshot shows, and
    the process that it lives in aborts when the answer is an error."""
    world = session.simulation.world
    actor = world.departed.get(actor_id) or lookup.find(world, actor_id)
    return structs.encode_box(actor.box, actor.id)
