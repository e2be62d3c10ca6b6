"""Leaving out parts of a town's static triangles: they shrink to points, which the rasteriser passes over.

The number and order of triangles stay, so that nothing else about a scene changes.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from linkvla.launch.sim.render.materials import Material
from linkvla.launch.sim.render.mesh import Mesh


@dataclass(frozen=True)
class Volume:
    """Triangles of some materials whose middles lie in an upright box: metres and radians, world."""

    x: float
    y: float
    yaw: float
    half_x: float
    half_y: float
    low: float
    high: float
    materials: tuple[Material, ...]


def without(mesh: Mesh, volumes: Sequence[Volume], materials: Sequence[Material]) -> np.ndarray:
    """Corners (N, 3, 3) float32 of ``mesh`` with everything in the volumes, and all triangles of ``materials``,
    shrunk to points.
    """
    middle = mesh.corners.mean(axis=1)
    gone = np.isin(mesh.material, [int(material) for material in materials])
    for volume in volumes:
        dx, dy, z = middle[:, 0] - volume.x, middle[:, 1] - volume.y, middle[:, 2]
        cos, sin = math.cos(volume.yaw), math.sin(volume.yaw)
        inside = (np.abs(dx * cos + dy * sin) <= volume.half_x) & (np.abs(dy * cos - dx * sin) <= volume.half_y)
        inside &= (z >= volume.low) & (z <= volume.high)
        gone |= inside & np.isin(mesh.material, [int(material) for material in volume.materials])
    corners = mesh.corners.copy()
    corners[gone] = corners[gone, :1]
    return corners
