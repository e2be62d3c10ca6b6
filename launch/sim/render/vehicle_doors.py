"""An open side door: painted like its vehicle below, a window above."""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np

from linkvla.launch.sim.render.materials import Look, Material
from linkvla.launch.sim.render.mesh import Mesh, MeshBuilder
from linkvla.launch.sim.render.vehicles import BODY
from linkvla.launch.sim.world.doors import leaf

_BELT = 0.5  # of the door's height, where the window begins
_WHITE, _GLASS, _LINING = (1.0, 1.0, 1.0), (0.07, 0.08, 0.09), (0.30, 0.29, 0.28)


@lru_cache(maxsize=256)
def door_mesh(door: int, half_extent: tuple[float, float, float]) -> Mesh:
    """In the frame of the vehicle; arguments as of ``leaf``."""
    box, builder = leaf(door, half_extent), MeshBuilder()
    cos, sin = math.cos(math.radians(box.yaw)), math.sin(math.radians(box.yaw))
    side = math.copysign(1.0, box.y)

    def part(inner: float, outer: float, low: float, high: float, *looks) -> None:
        """Between two distances from the leaf's middle, outwards, and two shares of its height."""
        along, across = (-box.half_x, box.half_x), (side * inner, side * outer)
        ring = np.array([(u * cos - v * sin, u * sin + v * cos) for u, v in zip(
            (along[0], along[1], along[1], along[0]), (across[0], across[0], across[1], across[1])
        )]) + (box.x, box.y)  # fmt: skip
        heights = (box.z + box.half_z * (2.0 * share - 1.0) for share in (low, high))
        bottom, top = (np.column_stack([ring, np.full(4, z)]) for z in heights)
        builder.solid(bottom, top, Material.VEHICLE, *looks)

    thick = box.half_y
    part(0.0, thick, 0.0, _BELT, Look.PLAIN, _WHITE, BODY)
    part(-thick, 0.0, 0.0, _BELT, Look.PLAIN, _LINING)
    part(-0.3 * thick, 0.3 * thick, _BELT, 1.0, Look.GLASS, _GLASS)
    return builder.build()
