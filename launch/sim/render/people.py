"""Meshes of people on foot, one for each of a few gait phases."""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np

from linkvla.launch.sim.render.materials import Look, Material
from linkvla.launch.sim.render.mesh import Mesh, MeshBuilder

GAIT_STEPS = 12
_SKINS = ((0.80, 0.61, 0.50), (0.58, 0.41, 0.31), (0.36, 0.25, 0.19))
_TROUSERS = ((0.13, 0.15, 0.26), (0.10, 0.10, 0.11), (0.34, 0.29, 0.22))
_HAIR = ((0.16, 0.11, 0.07), (0.06, 0.05, 0.05), (0.45, 0.33, 0.17))


def gait_step(phase: float) -> int:
    """Which of the GAIT_STEPS meshes a gait phase in radians uses."""
    return round(phase / (2.0 * math.pi) * GAIT_STEPS) % GAIT_STEPS


@lru_cache(maxsize=512)
def walker_mesh(height: float, step: int, variant: int) -> Mesh:
    """A person ``height`` metres tall facing x, feet at z = 0; ``variant`` 0..2 picks skin, hair and trousers."""
    builder = MeshBuilder()
    unit = height / 1.8
    skin, trousers, hair = _SKINS[variant % 3], _TROUSERS[variant % 3], _HAIR[variant % 3]
    swing = math.sin(2.0 * math.pi * step / GAIT_STEPS) * math.radians(28)
    walker, plain = Material.WALKER, Look.PLAIN
    hip, shoulder = 0.88 * unit, 1.42 * unit
    for side, angle in ((-1, swing), (1, -swing)):
        top = np.array([0.0, side * 0.10 * unit, hip])
        bend = abs(angle) * 0.5
        knee = top + np.array([math.sin(angle + bend), 0.0, -math.cos(angle + bend)]) * 0.43 * unit
        foot = knee + np.array([math.sin(angle - bend), 0.0, -math.cos(angle - bend)]) * 0.42 * unit
        builder.beam(top, knee, 0.078 * unit, walker, plain, trousers)
        builder.beam(knee, foot, 0.062 * unit, walker, plain, trousers)
        builder.beam(
            foot + (-0.08 * unit, 0, 0), foot + (0.18 * unit, 0, 0), 0.045 * unit, walker, plain, (0.07, 0.06, 0.06)
        )
        arm = np.array([0.0, side * 0.245 * unit, shoulder - 0.03 * unit])
        hand = arm + np.array([-math.sin(angle) * 0.9, 0.0, -math.cos(angle)]) * 0.56 * unit
        builder.beam(arm, hand, 0.048 * unit, walker, plain, (0.6, 0.6, 0.6))
        builder.beam(hand, hand + (hand - arm) * 0.16, 0.04 * unit, walker, plain, skin)
    ring = np.array([[-0.105, -0.165], [0.105, -0.165], [0.105, 0.165], [-0.105, 0.165]]) * unit
    waist = np.column_stack([ring, np.full(4, hip - 0.06 * unit)])
    chest = np.column_stack([ring * (1.1, 1.25), np.full(4, shoulder)])
    builder.solid(waist, chest, walker, plain, (0.6, 0.6, 0.6), 1)
    builder.upright(0.0, 0.0, shoulder, 0.055 * unit, 0.1 * unit, walker, plain, skin)
    builder.upright(0.01, 0.0, 1.50 * unit, 0.085 * unit, 0.16 * unit, walker, plain, skin, top_radius=0.105 * unit)
    builder.upright(-0.01, 0.0, 1.66 * unit, 0.115 * unit, 0.13 * unit, walker, plain, hair, top_radius=0.075 * unit)
    shade = np.column_stack([np.array([[-0.3, -0.22], [0.3, -0.22], [0.3, 0.22], [-0.3, 0.22]]), np.full(4, 0.03)])
    builder.polygon(shade, Material.ROAD, Look.ASPHALT, (0.1, 0.1, 0.105))
    return builder.build()
