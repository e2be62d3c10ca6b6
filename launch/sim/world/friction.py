"""Friction triggers: boxes in which tyres have another friction than their own (``static.trigger.friction``)."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from linkvla.launch.sim.errors import SpawnError
from linkvla.launch.sim.world.actors import FrictionTrigger, Vehicle
from linkvla.launch.sim.world.pose import Box, Pose

METRES_PER_UNIT = 0.01  # CARLA's attributes give the half extents in centimetres


def friction_trigger(actor_id: int, type_id: str, attributes: Mapping[str, str], pose: Pose) -> FrictionTrigger:
    """A trigger as its attributes say: ``friction`` and the half extents ``extent_x``, ``extent_y``, ``extent_z``.

    Raises:
        SpawnError: an attribute that is no finite number.
    """
    half = (abs(_number(attributes, f"extent_{axis}")) * METRES_PER_UNIT for axis in "xyz")
    friction = max(_number(attributes, "friction"), 0.0)
    return FrictionTrigger(
        actor_id, type_id, dict(attributes), pose.copy(), box=Box(0.0, 0.0, 0.0, *half), friction=friction
    )


def _number(attributes: Mapping[str, str], name: str) -> float:
    text = attributes.get(name, "0")
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise SpawnError(f"Spawn failed: {name} is {text!r:.80}; give a friction trigger finite numbers")
    return value


def update_road_friction(vehicles: Sequence[Vehicle], triggers: Sequence[FrictionTrigger]) -> None:
    """Tell every vehicle whether a trigger holds it; the youngest counts where several do."""
    for item in vehicles:
        inside = [trigger.friction for trigger in triggers if _holds(trigger, item.pose)]
        item.road_friction = inside[-1] if inside else None


def _holds(trigger: FrictionTrigger, pose: Pose) -> bool:
    x, y, z = (pose.location() - trigger.pose.location()) @ trigger.pose.rotation_matrix()
    box = trigger.box
    return bool(abs(x) <= box.half_x and abs(y) <= box.half_y and abs(z) <= box.half_z)
