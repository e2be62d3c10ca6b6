"""World -> SceneSnapshot: what a renderer needs, copied, so that the world may go on while another thread draws."""

from __future__ import annotations

from typing import TYPE_CHECKING
from zlib import crc32

import numpy as np

from linkvla.launch.sim.render.props import prop_model
from linkvla.launch.sim.render.snapshot import RenderActor, SceneSnapshot
from linkvla.launch.sim.render.vehicle_lamps import BRAKE
from linkvla.launch.sim.render.vehicle_models import has_model
from linkvla.launch.sim.world.actors import Actor, Prop, TrafficLight, TrafficSign, Vehicle, Walker
from linkvla.launch.sim.world.doors import open_doors
from linkvla.launch.sim.world.pose import Pose
from linkvla.launch.sim.world.town import LightState

if TYPE_CHECKING:
    from linkvla.launch.sim.world.world import World

# The egos of scenario_runner and of the leaderboard: a network sees its own roof, and must not take it for another's.
_SAME_BODY = {"vehicle.lincoln.mkz_2017": "vehicle.lincoln.mkz_2020"}

_BRAKING = 0.05  # of the pedal


def capture(world: World) -> SceneSnapshot:
    """Copy the drawable state of a world: vehicles, walkers and props at their poses, lamp states, weather."""
    states = np.full(len(world.town.traffic_lights), LightState.OFF, np.uint8)
    actors = []
    light_ids = [0] * len(states)
    signs = {}
    for actor in world.actors.values():
        if isinstance(actor, TrafficLight):
            if 0 <= actor.site_index < len(states):
                states[actor.site_index] = int(actor.state)
                light_ids[actor.site_index] = actor.id
        elif isinstance(actor, TrafficSign):
            signs[actor.sign_id] = actor.id
        elif isinstance(actor, (Vehicle, Walker, Prop)) and actor.alive:
            actors.append(render_actor(actor))
    sign_ids = tuple(signs.get(site.sign_id, 0) for site in world.town.stop_signs)
    return SceneSnapshot(
        tuple(actors), states, world.weather, light_ids=tuple(light_ids), sign_ids=sign_ids, seconds=world.elapsed
    )


def render_actor(actor: Vehicle | Walker | Prop) -> RenderActor:
    """One actor as the renderer sees it."""
    extent = (actor.box.half_x, actor.box.half_y, actor.box.half_z)
    brake = isinstance(actor, Vehicle) and (
        actor.control.brake > _BRAKING or actor.control.hand_brake or bool(actor.light_mask & BRAKE)
    )
    phase = actor.gait_phase if isinstance(actor, Walker) else 0.0
    seed = look_of(actor.type_id) if isinstance(actor, Vehicle) else actor.id
    velocity = tuple(actor.velocity.tolist())
    lamps = actor.light_mask if isinstance(actor, Vehicle) else 0
    doors = open_doors(actor) if isinstance(actor, Vehicle) else ()
    model = model_of(actor.type_id)
    return RenderActor(
        actor.shape, _foot(actor), extent, actor.colour, brake, phase, seed, actor.id, velocity, lamps, model, doors
    )


def look_of(type_id: str) -> int:
    """Seed of a vehicle type's look: all cars of one blueprint have the same body."""
    return crc32(f"shape:{_SAME_BODY.get(type_id, type_id)}".encode())


def model_of(type_id: str) -> str:
    """``RenderActor.model`` of a blueprint."""
    family, name = type_id.split(".", 1)[0], type_id.rsplit(".", 1)[-1]
    if family == "vehicle":
        return name if has_model(name) else ""
    return prop_model(name) if family == "static" else ""


def _foot(actor: Actor) -> Pose:
    """The actor's pose, moved down to the bottom of its box (a walker's origin is its middle)."""
    pose = actor.pose.copy()
    pose.z += actor.box.z - actor.box.half_z
    return pose
