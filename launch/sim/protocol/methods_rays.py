"""``cast_ray`` and ``project_point``: rays against everything that lidars see."""

from __future__ import annotations

import asyncio

import numpy as np

from linkvla.launch.sim.protocol import structs
from linkvla.launch.sim.protocol.registry import rpc
from linkvla.launch.sim.protocol.rpc import Session
from linkvla.launch.sim.protocol.scanners import hit_labels
from linkvla.launch.sim.render.capture import capture
from linkvla.launch.sim.render.snapshot import SceneSnapshot
from linkvla.launch.sim.sensors.ray_caster import RayCaster

_LONGEST = 2000.0  # m
_MOST_HITS = 64
_BEHIND = 2e-3  # m behind a surface at which the search for the next one begins
_SURFACE = 0  # owner of roads and ground, in which a ray ends

Hit = tuple[np.ndarray, int]  # place (3,) in metres, world, and CityObjectLabel


async def _caster(session: Session) -> RayCaster:
    """The town's ray caster; whoever asks first waits until it is built, and does not stop the others' clock."""
    rays = session.simulation.sensors.rays
    return rays.ready or await asyncio.get_running_loop().run_in_executor(None, rays.get)


def hits(
    caster: RayCaster, snapshot: SceneSnapshot, start: np.ndarray, direction: np.ndarray, distance: float
) -> list[Hit]:
    """The first place on every object that a ray enters, nearest first; it ends in the ground.

    Args:
        start: (3,) metres. Boxes of actors that hold it are not hit.
        direction: (3,) unit vector.
        distance: metres, of which at most the first two thousand count.
    """
    owners = caster.scene.things.owners(snapshot)
    rest, travelled = min(distance, _LONGEST), 0.0
    found: dict[int, Hit] = {}
    for _ in range(_MOST_HITS):
        met = caster.cast(snapshot, start + travelled * direction, direction[None], rest - travelled)
        if not met.hit[0]:
            break
        travelled += float(met.distance[0])
        owner = int(met.owners()[0])
        found.setdefault(owner, (start + travelled * direction, int(hit_labels(met, owners, snapshot)[0])))
        travelled += _BEHIND
        if owner == _SURFACE or travelled >= rest:
            break
    return list(found.values())


def _unit(vector: np.ndarray) -> tuple[np.ndarray, float]:
    """Direction (3,) and length of a vector; no direction is downwards."""
    length = float(np.linalg.norm(vector))
    return (vector / length, length) if length > 0.0 else (np.array([0.0, 0.0, -1.0]), 0.0)


@rpc("project_point")
async def _project_point(session: Session, location: list, direction: list, distance: float) -> list:
    start = structs.decode_vector(location)
    ray, _ = _unit(structs.decode_vector(direction))
    reach = structs.number(distance, "distance")
    caster = await _caster(session)
    found = hits(caster, capture(session.simulation.world), start, ray, reach)
    if not found:
        return [False, [start.tolist(), structs.NONE]]
    place, label = found[0]
    return [True, [place.tolist(), label]]


@rpc("cast_ray")
async def _cast_ray(session: Session, start: list, end: list) -> list:
    origin = structs.decode_vector(start)
    ray, length = _unit(structs.decode_vector(end) - origin)
    caster = await _caster(session)
    found = hits(caster, capture(session.simulation.world), origin, ray, length)
    return [[place.tolist(), label] for place, label in found]
