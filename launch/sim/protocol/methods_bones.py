"""Components, bones and sockets of actors, and the poses of walkers."""

from __future__ import annotations

from linkvla.launch.sim.protocol import lookup, structs
from linkvla.launch.sim.protocol.envelope import MethodError
from linkvla.launch.sim.protocol.registry import rpc
from linkvla.launch.sim.protocol.rpc import Session
from linkvla.launch.sim.protocol.skeleton import WALKER_BONES, component, vehicle_bones, walker_bones
from linkvla.launch.sim.world.actors import Actor, Vehicle, Walker
from linkvla.launch.sim.world.pose import Pose


def _bones(session: Session, actor_id: int) -> list[tuple[str, Pose, Pose, Pose]]:
    simulation = session.simulation
    actor = lookup.find(simulation.world, actor_id)
    if isinstance(actor, Walker):
        custom, blend = simulation.poses.get(actor_id, ({}, 0.0))
        return walker_bones(actor, custom, blend)
    if isinstance(actor, Vehicle):
        return vehicle_bones(actor, simulation.wheel_angles.get(actor_id, {}))
    raise MethodError(f"actor {actor_id} is a {actor.type_id} and has no bones: only vehicles and walkers have")


@rpc("get_actor_component_names")
def _get_components(session: Session, actor_id: int) -> list[str]:
    return [component(lookup.find(session.simulation.world, actor_id))]


def _with_component(session: Session, actor_id: int, name: str) -> Actor:
    actor = lookup.find(session.simulation.world, actor_id)
    if name != component(actor):
        raise MethodError(f"actor {actor_id} has no component {name!r:.80}; it has {component(actor)!r}")
    return actor


@rpc("get_actor_component_world_transform")
def _get_component_world(session: Session, actor_id: int, name: str) -> list:
    return structs.encode_pose(_with_component(session, actor_id, name).pose)


@rpc("get_actor_component_relative_transform")
def _get_component_relative(session: Session, actor_id: int, name: str) -> list:
    _with_component(session, actor_id, name)
    return structs.encode_pose(Pose())


@rpc("get_actor_bone_names")
def _get_bone_names(session: Session, actor_id: int) -> list[str]:
    return [name for name, *_ in _bones(session, actor_id)]


@rpc("get_actor_bone_world_transforms")
def _get_bones_world(session: Session, actor_id: int) -> list:
    return [structs.encode_pose(world) for _, world, _, _ in _bones(session, actor_id)]


@rpc("get_actor_bone_relative_transforms")
def _get_bones_relative(session: Session, actor_id: int) -> list:
    return [structs.encode_pose(relative) for *_, relative in _bones(session, actor_id)]


@rpc("get_vehicle_bone_world_transforms")
def _get_vehicle_bones(session: Session, actor_id: int) -> list:
    lookup.find_vehicle(session.simulation.world, actor_id)
    return _get_bones_world(session, actor_id)


@rpc("get_actor_socket_names")
def _get_sockets(session: Session, actor_id: int) -> list[str]:
    """Nothing here has sockets."""
    lookup.find(session.simulation.world, actor_id)
    return []


@rpc("get_actor_socket_world_transforms")
def _get_sockets_world(session: Session, actor_id: int) -> list:
    return _get_sockets(session, actor_id)


@rpc("get_actor_socket_relative_transforms")
def _get_sockets_relative(session: Session, actor_id: int) -> list:
    return _get_sockets(session, actor_id)


@rpc("get_bones_transform")
def _get_walker_bones(session: Session, actor_id: int) -> list:
    lookup.find_walker(session.simulation.world, actor_id)
    return [[[name, *(structs.encode_pose(pose) for pose in poses)] for name, *poses in _bones(session, actor_id)]]


@rpc("set_bones_transform", void=True)
def _set_walker_bones(session: Session, actor_id: int, bones: list) -> None:
    """Poses in the parent bones' frames; they show as far as ``blend_pose`` says."""
    simulation = session.simulation
    lookup.find_walker(simulation.world, actor_id)
    custom, blend = simulation.poses.get(actor_id, ({}, 0.0))
    fresh = {name: structs.decode_pose(pose) for name, pose in bones[0]}
    unknown = [name for name in fresh if name not in WALKER_BONES]
    if unknown:
        raise MethodError(f"walkers have no bone {unknown[0]!r:.80}; ask get_bones() for their names")
    simulation.poses[actor_id] = ({**custom, **fresh}, blend)


@rpc("blend_pose", void=True)
def _blend_pose(session: Session, actor_id: int, blend: float) -> None:
    """0 shows the gait, 1 the poses that the client set."""
    simulation = session.simulation
    lookup.find_walker(simulation.world, actor_id)
    custom, _ = simulation.poses.get(actor_id, ({}, 0.0))
    simulation.poses[actor_id] = (custom, min(max(structs.number(blend, "blend"), 0.0), 1.0))


@rpc("get_pose_from_animation", void=True)
def _take_pose(session: Session, actor_id: int) -> None:
    """Keep the gait's present pose as the client's own."""
    simulation = session.simulation
    walker = lookup.find_walker(simulation.world, actor_id)
    _, blend = simulation.poses.get(actor_id, ({}, 0.0))
    simulation.poses[actor_id] = ({name: relative for name, _, _, relative in walker_bones(walker, {}, 0.0)}, blend)
