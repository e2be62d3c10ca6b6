"""``sensor.other.obstacle``: what a ball of ``hit_radius`` would meet on its way ``distance`` metres ahead."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from linkvla.launch.sim.sensors.noise import number
from linkvla.launch.sim.world.actors import Prop, Sensor, Vehicle, Walker
from linkvla.launch.sim.world.bodies import box_row

if TYPE_CHECKING:
    from linkvla.launch.sim.world.world import World


def measure(world: World, sensor: Sensor) -> tuple[int, float] | None:
    """(actor id, distance in metres) of the nearest thing ahead, None where the way is free.

    Scenery has id 0 and counts only when the attribute ``only_dynamics`` is not true.
    """
    reach, radius = number(sensor, "distance", 5.0), number(sensor, "hit_radius", 0.5)
    best: tuple[int, float] | None = None
    for actor in world.actors.values():
        if not isinstance(actor, (Vehicle, Walker, Prop)) or actor.id == sensor.parent_id:
            continue
        distance = _way_to(box_row(actor), sensor, reach, radius)
        if distance is not None and (best is None or distance < best[1]):
            best = actor.id, distance
    if sensor.attributes.get("only_dynamics", "false").lower() == "true":
        return best
    for index, row in enumerate(world.scenery.boxes):
        distance = _way_to(row, sensor, reach, radius)
        if distance is not None and (best is None or distance < best[1]):
            best = world.scenery.identity(index)[0], distance
    return best


def _way_to(row: np.ndarray, sensor: Sensor, reach: float, radius: float) -> float | None:
    """Distance along the sensor's x axis to a box grown by ``radius``, in the plane; None when it is missed."""
    pose = sensor.pose
    if pose.z + radius < row[5] or pose.z - radius > row[6]:
        return None
    dx, dy = pose.x - row[0], pose.y - row[1]
    if math.hypot(dx, dy) > reach + radius + math.hypot(row[3], row[4]):
        return None
    cos, sin = math.cos(row[2]), math.sin(row[2])
    start = (dx * cos + dy * sin, -dx * sin + dy * cos)
    angle = math.radians(pose.yaw) - row[2]
    heading = (math.cos(angle), math.sin(angle))
    near, far = 0.0, reach
    for origin, speed, half in zip(start, heading, (row[3] + radius, row[4] + radius)):
        if abs(speed) < 1e-9:
            if abs(origin) > half:
                return None
            continue
        first, second = sorted(((-half - origin) / speed, (half - origin) / speed))
        near, far = max(near, first), min(far, second)
    return near if near <= far else None
