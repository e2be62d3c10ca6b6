"""Meshes of props in their own frame: x forward, origin on the ground in the middle of the box."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from linkvla.launch.sim.render.materials import Look, Material
from linkvla.launch.sim.render.mesh import Colour, MeshBuilder

_ORANGE, _WHITE, _RED = (0.95, 0.35, 0.05), (0.94, 0.94, 0.92), (0.80, 0.08, 0.06)
_STEEL, _DARK, _YELLOW = (0.55, 0.55, 0.55), (0.06, 0.06, 0.065), (0.95, 0.78, 0.08)
_AMBER = (1.0, 0.66, 0.10)
_WOOD = (0.45, 0.30, 0.18)


def _box(builder: MeshBuilder, low, high, colour: Colour, look: Look = Look.PLAIN, paint: int = 0) -> None:
    builder.box(low, high, Material.PROP, look, colour, paint)


def _cone(builder: MeshBuilder, a: float, b: float, height: float) -> None:
    radius = min(a, b)
    _box(builder, (-a, -b, 0.0), (a, b, 0.05 * height), (0.9, 0.32, 0.05))
    for low, high, colour in ((0.05, 0.4, _ORANGE), (0.4, 0.62, _WHITE), (0.62, 1.0, _ORANGE)):
        builder.upright(
            0, 0, low * height, radius * 0.85 * (1.05 - low), (high - low) * height, Material.PROP, Look.PLAIN, colour,
            top_radius=radius * 0.85 * (1.05 - high),
        )  # fmt: skip


def _plain_box(builder: MeshBuilder, a: float, b: float, height: float) -> None:
    _box(builder, (-a, -b, 0.0), (a, b, height), (0.6, 0.5, 0.4), paint=1)


def _street_barrier(builder: MeshBuilder, a: float, b: float, height: float) -> None:
    """Two slanted-striped planks along x on feet, an amber lamp on each end."""
    for low, high in ((0.36, 0.60), (0.70, 0.94)):
        _box(builder, (-a, -0.03, low * height), (a, 0.03, high * height), _WHITE)
        stripes = max(3, round(2 * a / 0.3))
        wide = a / stripes
        for k in range(stripes):
            x = -a + 2 * wide * k
            for y, order in ((-0.034, 1), (0.034, -1)):
                slant = np.array([[x, y, low * height], [x + wide, y, low * height],
                                  [min(x + 1.6 * wide, a), y, high * height],
                                  [min(x + 0.6 * wide, a), y, high * height]])  # fmt: skip
                builder.polygon(slant[::order], Material.PROP, Look.PLAIN, _RED)
    for x in (-a * 0.8, a * 0.8):
        _box(builder, (x - 0.04, -b, 0.0), (x + 0.04, b, 0.06), _DARK)
        _box(builder, (x - 0.03, -0.025, 0.0), (x + 0.03, 0.025, height * 0.96), _STEEL)
        builder.upright(x, 0.0, 0.94 * height, 0.07, 0.15, Material.PROP, Look.EMISSIVE, _AMBER)


def _chain(builder: MeshBuilder, a: float, b: float, height: float) -> None:
    for x in (-a * 0.95, a * 0.95):
        builder.upright(x, 0.0, 0.0, 0.05, height, Material.PROP, Look.PLAIN, _RED)
    for z in (0.8, 0.45):
        middle = (0.0, 0.0, (z - 0.12) * height)
        for x in (-a * 0.95, a * 0.95):
            builder.beam((x, 0.0, z * height), middle, 0.025, Material.PROP, Look.PLAIN, _WHITE)


def _arrow_board(builder: MeshBuilder, a: float, b: float, height: float) -> None:
    """A trailer with a board across it that shows an arrow of lamps and stripes below it, on both faces."""
    _box(builder, (-a * 0.9, -b * 0.5, 0.35), (a * 0.9, b * 0.5, 0.5), _DARK)
    _box(builder, (-0.06, -b, 0.35), (0.06, b, 0.45), _STEEL)
    for x in (-a, a):
        builder.upright(x * 0.92, 0.0, 0.0, 0.28, 0.12, Material.PROP, Look.PLAIN, _DARK)
    board, low = 0.06, 0.45 * height
    _box(builder, (-a, -board, low), (a, board, height), _DARK)
    _box(builder, (-a, -board * 0.8, 0.5), (a, board * 0.8, low), _WHITE)
    size, middle = min(a, 0.5 * (height - low)) * 0.8, 0.5 * (low + height)
    for face in (-1, 1):
        y = face * (board + 0.01)
        dots = [(s, 0.0) for s in np.linspace(-0.9, 0.9, 7)] + [(0.6, 0.3), (0.3, 0.6), (0.6, -0.3), (0.3, -0.6)]
        for across, up in dots:  # to the left for who comes from behind its -y, and on both faces past the same side
            x, z = across * size, middle + up * size
            _box(builder, (x - 0.09, y - 0.02, z - 0.09), (x + 0.09, y + 0.02, z + 0.09), _AMBER, Look.EMISSIVE)
        for k in range(4):
            x = -a + 0.5 * a * k
            stripe = np.array([[x, y, 0.52], [x + 0.25 * a, y, 0.52], [x + 0.5 * a, y, low], [x + 0.25 * a, y, low]])
            builder.polygon(stripe[::-face], Material.PROP, Look.PLAIN, _RED)


def _warning_triangle(sign: Callable[[MeshBuilder, float, float, float], None]):
    """A triangular warning sign on four legs, facing both ways; ``sign`` draws the black figure on it."""

    def make(builder: MeshBuilder, a: float, b: float, height: float) -> None:
        for x in (-0.6 * a, 0.6 * a):
            for y in (-0.9 * b, 0.9 * b):
                builder.beam((x, y, 0.0), (x, 0.0, 0.18 * height), 0.025, Material.PROP, Look.PLAIN, _STEEL)
        foot, top = 0.14 * height, height
        for face in (-1, 1):
            for inset, depth, colour in ((0.0, 0.02, _RED), (0.16, 0.03, _YELLOW)):
                y = face * depth
                ring = np.array([
                    [-a * (1 - 1.5 * inset), y, foot + inset * 0.55 * height],
                    [a * (1 - 1.5 * inset), y, foot + inset * 0.55 * height],
                    [0.0, y, top - inset * 1.15 * height],
                ])  # fmt: skip
                builder.polygon(ring[::-face], Material.PROP, Look.PLAIN, colour)
            sign(builder, face * 0.04, a, height)

    return make


def _digger(builder: MeshBuilder, y: float, wide: float, height: float) -> None:
    """A man with a shovel beside a heap."""

    def bar(start: tuple[float, float], end: tuple[float, float], half: float) -> None:
        ends = [(x * wide, y, z * height) for x, z in (start, end)]
        builder.beam(*ends, half, Material.PROP, Look.PLAIN, _DARK)

    bar((-0.22, 0.26), (-0.10, 0.42), 0.03)
    bar((0.02, 0.26), (-0.08, 0.42), 0.03)
    bar((-0.09, 0.42), (-0.02, 0.58), 0.045)
    bar((-0.03, 0.55), (0.16, 0.42), 0.025)
    bar((0.05, 0.55), (0.34, 0.27), 0.018)
    _box(builder, (-0.04 * wide, y - 0.02, 0.60 * height), (0.10 * wide, y + 0.02, 0.68 * height), _DARK)
    bar((0.28, 0.255), (0.52, 0.255), 0.04)


def _exclamation(builder: MeshBuilder, y: float, wide: float, height: float) -> None:
    _box(builder, (-0.06 * wide, y - 0.01, 0.38 * height), (0.06 * wide, y + 0.01, 0.68 * height), _DARK)
    _box(builder, (-0.06 * wide, y - 0.01, 0.26 * height), (0.06 * wide, y + 0.01, 0.33 * height), _DARK)


def _rubble(builder: MeshBuilder, a: float, b: float, height: float) -> None:
    """A flat heap of earth with stones."""
    builder.upright(0, 0, 0, 0.9 * min(a, b), max(height, 0.05), Material.PROP, Look.PLAIN, (0.34, 0.27, 0.20),
                    sides=9, top_radius=0.5 * min(a, b))  # fmt: skip
    for k in range(9):
        angle, far = 2.4 * k, min(a, b) * (0.25 + 0.08 * k)
        x, y, size = far * math.cos(angle), far * math.sin(angle), 0.05 + 0.015 * (k % 4)
        shade = 0.36 + 0.05 * (k % 3)
        _box(builder, (x - size, y - size, 0.0), (x + size, y + size, size * 1.4), (shade, shade * 0.92, shade * 0.8))


def _bench(builder: MeshBuilder, a: float, b: float, height: float) -> None:
    seat = 0.48 * height
    for k in range(3):
        y = -b * 0.9 + k * 0.6 * b
        _box(builder, (-a, y, seat), (a, y + 0.45 * b, seat + 0.05), _WOOD)
    _box(builder, (-a, 0.8 * b, seat + 0.15), (a, 0.95 * b, height), _WOOD)
    for x in (-0.8 * a, 0.8 * a):
        _box(builder, (x - 0.04, -b * 0.9, 0.0), (x + 0.04, b * 0.95, seat), _DARK)


def _bin(builder: MeshBuilder, a: float, b: float, height: float) -> None:
    radius = min(a, b)
    builder.upright(0, 0, 0, radius * 0.85, 0.88 * height, Material.PROP, Look.PLAIN, (0.16, 0.28, 0.20), sides=9,
                    top_radius=radius)  # fmt: skip
    builder.upright(0, 0, 0.88 * height, radius * 1.02, 0.12 * height, Material.PROP, Look.PLAIN, _DARK, sides=9,
                    top_radius=radius * 0.7)  # fmt: skip


def _skip(builder: MeshBuilder, a: float, b: float, height: float) -> None:
    """A rubbish container with ribs and two lids."""
    _box(builder, (-a, -b, 0.12), (a, b, 0.8 * height), (0.14, 0.34, 0.22))
    for x in np.linspace(-0.9, 0.9, 5):
        _box(builder, (x * a - 0.03, -b - 0.03, 0.12), (x * a + 0.03, b + 0.03, 0.8 * height), (0.10, 0.26, 0.17))
    for x0, x1 in ((-a, -0.03), (0.03, a)):
        _box(builder, (x0, -b * 1.02, 0.8 * height), (x1, b * 1.02, height), _DARK)


def _bus_stop(builder: MeshBuilder, a: float, b: float, height: float) -> None:
    """A shelter: roof, glass walls, a bench."""
    _box(builder, (-a, -b, 0.94 * height), (a, b, height), (0.20, 0.22, 0.25))
    _box(builder, (-a, 0.92 * b, 0.15), (a, 0.96 * b, 0.94 * height), (0.10, 0.13, 0.15), Look.GLASS)
    _box(builder, (-a, -0.2 * b, 0.15), (-a + 0.05, 0.92 * b, 0.94 * height), (0.10, 0.13, 0.15), Look.GLASS)
    for x in (-a + 0.04, a - 0.04):
        for y in (-0.9 * b, 0.9 * b):
            _box(builder, (x - 0.04, y - 0.04, 0.0), (x + 0.04, y + 0.04, 0.94 * height), _STEEL)
    _box(builder, (-0.7 * a, 0.4 * b, 0.42), (0.7 * a, 0.85 * b, 0.48), _WOOD)


def _machine(builder: MeshBuilder, a: float, b: float, height: float) -> None:
    """A vending machine, its shop window lit."""
    _box(builder, (-a, -b, 0.0), (a, b, height), (0.72, 0.10, 0.10))
    for y in (-b - 0.01, b + 0.01):
        _box(builder, (-0.8 * a, y - 0.01, 0.35 * height), (0.45 * a, y + 0.01, 0.92 * height), (0.75, 0.86, 0.95),
             Look.EMISSIVE)  # fmt: skip


def _poster(builder: MeshBuilder, a: float, b: float, height: float) -> None:
    """An advertisement behind glass."""
    _box(builder, (-a, -0.6 * b, 0.0), (a, 0.6 * b, height), _DARK)
    for y in (-0.6 * b - 0.01, 0.6 * b + 0.01):
        _box(builder, (-0.9 * a, y - 0.01, 0.2 * height), (0.9 * a, y + 0.01, 0.96 * height), (0.90, 0.72, 0.25))
        _box(builder, (-0.6 * a, y - 0.015, 0.45 * height), (0.6 * a, y + 0.015, 0.8 * height), (0.15, 0.35, 0.62))


# By the beginnings of ``static.prop`` names.
_MODELS: dict[str, Callable[[MeshBuilder, float, float, float], None]] = {
    "streetbarrier": _street_barrier,
    "chainbarrier": _chain,
    "trafficwarning": _arrow_board,
    "warningconstruction": _warning_triangle(_digger),
    "warningaccident": _warning_triangle(_exclamation),
    "dirtdebris": _rubble,
    "bench": _bench,
    "trashcan": _bin,
    "bin": _bin,
    "container": _skip,
    "busstop": _bus_stop,
    "vendingmachine": _machine,
    "advertisement": _poster,
}


def prop_model(name: str) -> str:
    """The model of a ``static.prop`` by the last part of its id; empty for one that is drawn by its shape."""
    return next((model for model in _MODELS if name.startswith(model)), "")


def add_prop(builder: MeshBuilder, shape: str, model: str, a: float, b: float, height: float) -> None:
    """Add a prop; half length, half width and height in m. Without a model it is a cone or a box, by its shape."""
    make = _MODELS.get(model) or (_cone if shape == "cone" else _plain_box)
    make(builder, a, b, height)
