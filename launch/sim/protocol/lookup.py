"""Finding the actor that a call names."""

from __future__ import annotations

from typing import TypeVar

from linkvla.launch.sim.protocol.envelope import MethodError
from linkvla.launch.sim.world.actors import Actor, TrafficLight, Vehicle, Walker
from linkvla.launch.sim.world.world import World

_Kind = TypeVar("_Kind", bound=Actor)


def find(world: World, actor_id: int, kind: type[_Kind] = Actor, what: str = "actor") -> _Kind:
    """The living actor with an id. Raises MethodError when there is none or it is of another kind."""
    actor = world.actors.get(actor_id)
    if actor is None:
        raise MethodError(f"{what} {actor_id} not found: it was destroyed or belongs to an earlier episode")
    if not isinstance(actor, kind):
        raise MethodError(f"actor {actor_id} is a {actor.type_id}, not a {what}")
    return actor


def find_vehicle(world: World, actor_id: int) -> Vehicle:
    """The vehicle with an id."""
    return find(world, actor_id, Vehicle, "vehicle")


def find_walker(world: World, actor_id: int) -> Walker:
    """The walker with an id."""
    return find(world, actor_id, Walker, "walker")


def living(actor: _Kind) -> _Kind:
    """The actor itself. Raises MethodError for one that a client has killed."""
    if actor.dead:
        raise MethodError(f"actor {actor.id} is dead and takes no control: spawn another")
    return actor


def find_light(world: World, actor_id: int) -> TrafficLight:
    """The traffic light with an id."""
    return find(world, actor_id, TrafficLight, "traffic light")
