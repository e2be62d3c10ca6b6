"""Traffic lights (posts, housings, dark lamps as statics; lit lamps per frame), stop and yield signs."""

from __future__ import annotations

import math

import numpy as np

from linkvla.launch.sim.render.materials import Look, Material
from linkvla.launch.sim.render.mesh import Mesh, MeshBuilder, circle
from linkvla.launch.sim.world.pose import Pose
from linkvla.launch.sim.world.town import StopSignSite, TrafficLightSite

LAMP_RADIUS = 0.28  # m
LAMP_PITCH = 0.62  # m between lamp centres
LAMP_MATERIALS = (Material.LAMP_RED, Material.LAMP_YELLOW, Material.LAMP_GREEN)  # index: LightState RED, YELLOW, GREEN
_LIT = ((1.0, 0.07, 0.05), (1.0, 0.76, 0.06), (0.08, 1.0, 0.42))
_DARK = ((0.17, 0.03, 0.03), (0.16, 0.12, 0.02), (0.02, 0.15, 0.07))
_STEEL = (0.30, 0.31, 0.32)
_HOUSING = (0.055, 0.06, 0.055)
_WHITE = (0.90, 0.90, 0.88)
_RED = (0.72, 0.05, 0.06)


def facing(head: Pose) -> tuple[np.ndarray, np.ndarray]:
    """Unit vectors of a head whose yaw is the direction of travel it faces: towards the drivers, and to their right."""
    yaw = math.radians(head.yaw)
    return np.array([-math.cos(yaw), -math.sin(yaw), 0.0]), np.array([-math.sin(yaw), math.cos(yaw), 0.0])


def lamp_centres(site: TrafficLightSite) -> np.ndarray:
    """Centres of the red, yellow and green lamp, (3, 3) metres, world."""
    out, right = facing(site.head)
    along = -right if site.housing == 2 else np.array([0.0, 0.0, 1.0])
    front = site.head.location() + out * 0.16
    return front + along * np.array([[LAMP_PITCH], [0.0], [-LAMP_PITCH]])


def lamp_templates() -> tuple[Mesh, Mesh, Mesh]:
    """A lit red, yellow and green lamp facing -x of its own frame (so that it takes the head's yaw)."""
    meshes = []
    for material, colour in zip(LAMP_MATERIALS, _LIT):
        builder = MeshBuilder()
        disc(
            builder,
            np.array([-0.02, 0.0, 0.0]),
            np.array([-1.0, 0.0, 0.0]),
            LAMP_RADIUS,
            material,
            colour,
            Look.EMISSIVE,
        )
        meshes.append(builder.build())
    return tuple(meshes)


def disc(
    builder: MeshBuilder, centre: np.ndarray, out: np.ndarray, radius: float, material: Material, colour,
    look: Look = Look.PLAIN, sides: int = 8, turn: float = math.pi / 8,
) -> None:  # fmt: skip
    """Add an upright regular polygon that faces the horizontal unit vector ``out``."""
    across = np.array([-out[1], out[0], 0.0])
    ring = circle(sides, turn) * radius
    points = centre + ring[:, :1] * across + ring[:, 1:] * np.array([0.0, 0.0, 1.0])
    builder.polygon(points, material, look, colour)


def add_traffic_light(builder: MeshBuilder, site: TrafficLightSite) -> None:
    """Post, arm, housing with backplate, and the dark lamps."""
    out, right = facing(site.head)
    head, foot = site.head.location(), site.pose.location()
    up = np.array([0.0, 0.0, 1.0])
    tall = LAMP_PITCH * 3 + 0.14
    half_up, half_right = (0.5 * 0.72, 0.5 * tall) if site.housing == 2 else (0.5 * tall, 0.5 * 0.72)
    pole, housing = Material.POLE, Material.LAMP_OFF
    for scale, thickness, colour in ((1.0, 0.13, _HOUSING), (1.18, 0.015, (0.03, 0.03, 0.03))):
        du, dr, do = up * half_up * scale, right * half_right * scale, out * thickness
        back = head - out * (0.10 if scale > 1.0 else 0.0)
        ring = np.array([du + dr, du - dr, -du - dr, -du + dr])
        builder.solid(back + ring - do, back + ring + do, housing, Look.PLAIN, colour)
    for centre, colour in zip(lamp_centres(site), _DARK):
        disc(builder, centre - out * 0.01, out, LAMP_RADIUS, Material.LAMP_OFF, colour)
        hood = centre + up * (LAMP_RADIUS + 0.02)
        rim = hood - right * 0.2 + out * 0.1, hood + right * 0.2 + out * 0.1
        builder.beam(*rim, 0.03, housing, Look.PLAIN, _HOUSING)
    behind = head - out * 0.2
    top = foot.copy()
    top[2] = behind[2] + (half_up + 0.1 if site.housing == 1 else 0.0)
    if np.hypot(*(behind - foot)[:2]) < 0.6:
        top[:2] = foot[:2] = behind[:2]
    builder.upright(
        foot[0], foot[1], foot[2] - 0.5, 0.11, top[2] - foot[2] + 0.6, pole, Look.PLAIN, _STEEL, top_radius=0.09
    )
    builder.upright(foot[0], foot[1], foot[2] - 0.5, 0.22, 0.85, pole, Look.PLAIN, _STEEL)
    builder.beam(top - (0.0, 0.0, half_up + 0.1 if site.housing == 1 else 0.0), behind, 0.06, pole, Look.PLAIN, _STEEL)


def add_sign(builder: MeshBuilder, site: StopSignSite) -> None:
    """A stop sign (red octagon, white rim, white bar for the word) or a yield sign on a post."""
    out, right = facing(site.pose)
    foot = site.pose.location()
    builder.upright(foot[0], foot[1], foot[2] - 0.4, 0.045, 3.0, Material.POLE, Look.PLAIN, _STEEL)
    centre = foot + (0.0, 0.0, 2.3) + out * 0.06
    material, sides, turn, size = Material.STOP_SIGN, 8, math.pi / 8, 0.46
    if site.kind == "yield":
        material, sides, turn, size = Material.YIELD_SIGN, 3, -math.pi / 2, 0.55
    disc(builder, centre, -out, size, Material.POLE, (0.45, 0.46, 0.47), sides=sides, turn=turn)
    if site.kind == "yield":
        disc(builder, centre, out, size, material, _RED, sides=sides, turn=turn)
        disc(builder, centre + out * 0.012, out, size * 0.62, material, _WHITE, sides=sides, turn=turn)
        return
    disc(builder, centre, out, size, material, _WHITE, sides=sides, turn=turn)
    disc(builder, centre + out * 0.012, out, size * 0.9, material, _RED, sides=sides, turn=turn)
    face = centre + out * 0.024
    _stop_word(builder, face, right, material)


def _stop_word(builder: MeshBuilder, face: np.ndarray, right: np.ndarray, material: Material) -> None:
    """The word STOP in white strokes; each letter on a 2 x 4 grid of cells, seen by the driver."""
    up = np.array([0.0, 0.0, 1.0])
    letters = {
        "S": ((0, 4, 2, 4), (0, 2, 2, 2), (0, 0, 2, 0), (0, 2, 0, 4), (2, 0, 2, 2)),
        "T": ((0, 4, 2, 4), (1, 0, 1, 4)),
        "O": ((0, 4, 2, 4), (0, 0, 2, 0), (0, 0, 0, 4), (2, 0, 2, 4)),
        "P": ((0, 4, 2, 4), (0, 2, 2, 2), (0, 0, 0, 4), (2, 2, 2, 4)),
    }
    cell, stroke = 0.062, 0.026
    for place, letter in enumerate("STOP"):
        left = (place - 2) * 0.185 + 0.03
        for x0, y0, x1, y1 in letters[letter]:
            low = np.array([left + x0 * cell - stroke, (y0 - 2) * cell - stroke])
            high = np.array([left + x1 * cell + stroke, (y1 - 2) * cell + stroke])
            corner = [
                face + right * x + up * y
                for x, y in ((low[0], low[1]), (low[0], high[1]), (high[0], high[1]), (high[0], low[1]))
            ]
            builder.quads(*corner, material, Look.PLAIN, _WHITE)
