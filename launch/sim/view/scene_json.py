"""The world as the live page draws it: a town's map once, the state of everything on it ten times a second."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np

from linkvla.launch.sim.protocol.stages import stage_seconds
from linkvla.launch.sim.render.roads import lane_strips, simplify
from linkvla.launch.sim.world.actors import Actor, Prop, Sensor, Vehicle, Walker
from linkvla.launch.sim.world.town import Town

if TYPE_CHECKING:
    from linkvla.launch.sim.protocol.simulation import Simulation
    from linkvla.launch.sim.world.world import World

MOST_ACTORS = 2000  # on the map, the oldest; nobody could tell more apart
EGO_ROLES = ("hero", "ego_vehicle", "ego")
_CAMERA = "sensor.camera.rgb"
_WALK, _DRIVE = "walk", "drive"


def town_json(town: Town) -> bytes:
    """A town's map as JSON: lanes, crosswalks, buildings, stop lines by light, signs. Metres, world frame."""
    lanes = []
    for strip in lane_strips(town):
        keep = simplify(np.hstack([strip.left, strip.right]))
        outline = np.concatenate([strip.left[keep, :2], strip.right[keep, :2][::-1]])
        kind = _WALK if strip.kind == "Sidewalk" else _DRIVE
        lanes.append([kind, _flat(outline), int(strip.in_junction)])
    return json.dumps(
        {
            "name": town.name,
            "lanes": lanes,
            "crosswalks": [_flat(outline[:, :2]) for outline in town.crosswalks],
            "buildings": [_flat(np.asarray(building.footprint)) for building in town.buildings],
            "lines": [
                [[_tenths(value) for value in (line.x, line.y, line.yaw, line.width)] for line in light.stop_lines]
                for light in town.traffic_lights
            ],
            "lights": [[_tenths(light.head.x), _tenths(light.head.y)] for light in town.traffic_lights],
            "signs": [[site.kind, _tenths(site.pose.x), _tenths(site.pose.y)] for site in town.stop_signs],
        },
        separators=(",", ":"),
    ).encode()


def world_json(simulation: Simulation) -> dict[str, Any]:
    """The present state. Plain numbers and texts; texts that clients chose are shortened, and the page must not take
    them for HTML.
    """
    world = simulation.world
    ego = ego_of(world)
    shown = [actor for actor in world.actors.values() if isinstance(actor, (Vehicle, Walker, Prop))]
    lights = [int(light.state) for light in sorted(world.lights, key=lambda light: light.site_index)]
    return {
        "town": world.town.name,
        "episode": simulation.episode_id,
        "frame": world.frame,
        "elapsed": round(world.elapsed, 2),
        "synchronous": simulation.settings.synchronous_mode,
        "clients": len(simulation.sessions),
        "ego": ego.id if ego is not None else 0,
        "sensors": sum(isinstance(actor, Sensor) for actor in world.actors.values()),
        "actors": [_actor(actor) for actor in shown[:MOST_ACTORS]],
        "hidden": max(0, len(shown) - MOST_ACTORS),
        "lights": lights,
        "spectator": [
            _tenths(world.spectator.pose.x),
            _tenths(world.spectator.pose.y),
            _tenths(world.spectator.pose.yaw),
        ],
        "cpu": {stage: round(seconds, 3) for stage, seconds in stage_seconds().items()},
    }


def ego_of(world: World) -> Vehicle | None:
    """The vehicle under test: the first with the role name that evaluators give it."""
    for actor in world.actors.values():
        if isinstance(actor, Vehicle) and actor.attributes.get("role_name") in EGO_ROLES:
            return actor
    return None


def camera_on(world: World, actor: Actor) -> Sensor | None:
    """The first RGB camera that rides on an actor."""
    for item in world.actors.values():
        if isinstance(item, Sensor) and item.parent_id == actor.id and item.type_id == _CAMERA:
            return item
    return None


def _actor(actor: Actor) -> list:
    """id, class, type, x, y, heading, half length, half width, colour, m/s, role."""
    pose, box = actor.pose, actor.box
    kind = "vehicle" if isinstance(actor, Vehicle) else "walker" if isinstance(actor, Walker) else "prop"
    red, green, blue = (min(255, max(0, round(255 * part))) for part in actor.colour)
    speed = float(np.hypot(actor.velocity[0], actor.velocity[1]))
    return [
        actor.id,
        kind,
        actor.type_id,
        round(pose.x, 2),
        round(pose.y, 2),
        _tenths(pose.yaw),
        round(box.half_x, 2),
        round(box.half_y, 2),
        f"#{red:02x}{green:02x}{blue:02x}",
        _tenths(speed),
        str(actor.attributes.get("role_name", ""))[:40],
    ]


def _flat(points: np.ndarray) -> list[float]:
    """x, y, x, y ... to a tenth of a metre."""
    return np.round(np.asarray(points, np.float64), 1).ravel().tolist()


def _tenths(value: float) -> float:
    return round(float(value), 1)
