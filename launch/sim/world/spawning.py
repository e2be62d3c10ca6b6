"""From a blueprint id and its attributes to an actor record."""

from __future__ import annotations

from linkvla.launch.sim.errors import SpawnError
from linkvla.launch.sim.physics.prop_specs import PROP_COLOURS, prop_spec
from linkvla.launch.sim.physics.specs import CHILD_HALF_EXTENT, WALKER_HALF_EXTENT, vehicle_spec
from linkvla.launch.sim.world.actors import Actor, Prop, Sensor, Vehicle, Walker
from linkvla.launch.sim.world.friction import friction_trigger
from linkvla.launch.sim.world.pose import Box, Pose

COLLISION_MESSAGE = "Spawn failed because of collision at spawn position"  # what CARLA's server answers
_CHILD_WALKERS = {"0009", "0010", "0011", "0012", "0013", "0014", "0048", "0049"}


def make_actor(actor_id: int, type_id: str, attributes: dict[str, str], pose: Pose) -> Actor:
    """A new record of the class that fits ``type_id``, with its box, shape and colour.

    Raises:
        SpawnError: the kind of actor cannot be spawned by a client.
    """
    common = {"id": actor_id, "type_id": type_id, "attributes": dict(attributes), "pose": pose.copy()}
    family = type_id.split(".", 1)[0]
    if family == "vehicle":
        spec = vehicle_spec(type_id)
        colour = _colour(attributes.get("color", ""), (0.35, 0.36, 0.40))
        return Vehicle(**common, box=standing_box(spec.half_extent), shape=spec.shape, colour=colour)
    if family == "walker":
        half = CHILD_HALF_EXTENT if type_id.rsplit(".", 1)[-1] in _CHILD_WALKERS else WALKER_HALF_EXTENT
        return Walker(**common, box=Box(0.0, 0.0, 0.0, *half), colour=_clothes(type_id))  # origin in the middle
    if family == "sensor":
        return Sensor(**common, sensor_tick=_seconds(attributes.get("sensor_tick", "0")))
    if type_id.startswith("static.prop."):
        shape, half = prop_spec(type_id)
        standing = {"box": standing_box(half), "simulate_physics": False}  # as in CARLA, until a client says otherwise
        return Prop(**common, **standing, shape=shape, colour=PROP_COLOURS[shape])
    if type_id == "static.trigger.friction":
        return friction_trigger(actor_id, type_id, attributes, pose)
    if family in ("static", "controller"):
        return Actor(**common)
    raise SpawnError(
        f"Spawn failed: {type_id!r} cannot be spawned; use vehicle.*, walker.*, sensor.*, static.* or controller.*"
    )


def standing_box(half: tuple[float, float, float]) -> Box:
    """A box whose owner's origin is on the ground in its middle; half extents in metres."""
    return Box(0.0, 0.0, half[2], *half)


def _colour(text: str, default: tuple[float, float, float]) -> tuple[float, float, float]:
    """``"r,g,b"`` with 0..255 into 0..1; anything else gives ``default``."""
    try:
        red, green, blue = (min(max(int(part), 0), 255) / 255.0 for part in text.split(","))
    except ValueError:
        return default
    return red, green, blue


def _clothes(type_id: str) -> tuple[float, float, float]:
    palette = ((0.55, 0.15, 0.15), (0.15, 0.25, 0.50), (0.20, 0.35, 0.20), (0.60, 0.55, 0.45), (0.15, 0.15, 0.18))
    digits = "".join(part for part in type_id if part.isdigit())
    return palette[int(digits or "0") % len(palette)]


def _seconds(text: str) -> float:
    try:
        return max(float(text), 0.0)
    except ValueError:
        return 0.0
