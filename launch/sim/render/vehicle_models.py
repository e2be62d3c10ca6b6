"""Vehicles that look like nothing else: which blueprints have a body of their own, and those bodies.

The lamps of a body lie where ``vehicle_lamps`` puts those of its shape. Cars and vans have the bodies of their shape
only: networks are taught on pictures of them.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from linkvla.launch.sim.render.materials import Look, Material
from linkvla.launch.sim.render.mesh import Colour, MeshBuilder

_GLASS = (0.07, 0.08, 0.09)
_TRIM = (0.10, 0.10, 0.11)
_STEEL = (0.55, 0.56, 0.58)
_WHITE = (0.92, 0.92, 0.90)
_HEAD = (0.95, 0.95, 0.88)
_TAIL = (0.42, 0.03, 0.04)
_FIRE_RED = (0.72, 0.06, 0.05)
_YELLOW = (0.95, 0.80, 0.10)
_COLA_RED = (0.78, 0.05, 0.08)
_BODY = 1  # paint code: the colour that the client chose
_SIDES = (-1, 1)


def _box(builder: MeshBuilder, low, high, colour: Colour, look: Look = Look.PLAIN, paint: int = 0) -> None:
    builder.box(low, high, Material.VEHICLE, look, colour, paint)


def _block(builder: MeshBuilder, bottom, top, z0: float, z1: float, colour, look=Look.PLAIN, paint: int = 0) -> None:
    """A part between two rectangles (x0, x1, half width)."""
    rings = [
        np.array([[x0, -w, z], [x1, -w, z], [x1, w, z], [x0, w, z]])
        for (x0, x1, w), z in ((bottom, z0), (top, z1))
    ]  # fmt: skip
    builder.solid(*rings, Material.VEHICLE, look, colour, paint)


def _lamps(builder: MeshBuilder, a: float, b: float) -> None:
    """The dark head and tail lamps of a lorry, and its bumpers."""
    for side in _SIDES:
        y = side * b
        _box(builder, (a - 0.04, y * 0.78 - 0.17, 0.60), (a + 0.04, y * 0.78 + 0.17, 0.80), _HEAD)
        _box(builder, (-a - 0.04, y * 0.86 - 0.11, 0.50), (-a + 0.04, y * 0.86 + 0.11, 0.82), _TAIL)
    _box(builder, (-a - 0.05, -b * 0.95, 0.36), (-a + 0.05, b * 0.95, 0.5), _TRIM)
    _box(builder, (a - 0.02, -b * 0.98, 0.34), (a + 0.05, b * 0.98, 0.56), _TRIM)


def _cab(builder: MeshBuilder, start: float, a: float, b: float, height: float, colour, paint: int = 0) -> None:
    """A cab over the engine from x = start to the front, with windscreen and side windows."""
    _block(builder, (start, a, b * 0.97), (start, a * 0.97, b * 0.95), 0.38, height, colour, Look.PLAIN, paint)
    low, high = 0.5 * height, 0.88 * height
    _box(builder, (a - 0.07, -b * 0.86, low), (a + 0.01, b * 0.86, high), _GLASS, Look.GLASS)
    _box(builder, (start + 0.3, -b * 0.985, low), (a - 0.35, b * 0.985, high), _GLASS, Look.GLASS)
    for side in _SIDES:  # mirrors
        y = side * (b + 0.12)
        _box(builder, (a - 0.25, y - 0.06, 0.55 * height), (a - 0.12, y + 0.06, 0.8 * height), _TRIM)


def _fire_engine(builder: MeshBuilder, a: float, b: float, height: float) -> None:
    body = 0.82 * height
    _block(builder, (-a, 0.42 * a, b), (-a, 0.42 * a, b * 0.98), 0.40, body, _FIRE_RED)
    _cab(builder, 0.44 * a, a, b, 0.86 * height, _FIRE_RED)
    _box(builder, (-a - 0.01, -b - 0.012, 0.95), (a - 0.1, b + 0.012, 1.12), _YELLOW)
    for x in np.linspace(-0.88, 0.14, 4):  # roller shutters
        _box(builder, (x * a, -b - 0.015, 1.25), (x * a + 0.22 * a, b + 0.015, 0.92 * body), _STEEL)
    for side in _SIDES:  # a ladder on the roof
        y = side * 0.32
        builder.beam((-a * 1.0, y, body + 0.28), (0.9 * a, y, body + 0.40), 0.05, Material.VEHICLE, Look.PLAIN, _STEEL)
    for x in np.linspace(-0.95, 0.85, 12):
        z = body + 0.28 + 0.12 * (x + 1.0) / 1.9
        builder.beam((x * a, -0.32, z), (x * a, 0.32, z), 0.03, Material.VEHICLE, Look.PLAIN, _STEEL)
    for k in range(6):  # hatching on the back
        y = -b * 0.9 + k * 0.3 * b
        _box(builder, (-a - 0.03, y, 0.55), (-a, y + 0.15 * b, 0.9), _YELLOW)
    _box(builder, (-a - 0.02, -b * 0.6, 1.0), (-a, b * 0.6, 0.9 * body), _STEEL)
    _box(builder, (0.66 * a, -b * 0.65, 0.86 * height), (0.78 * a, b * 0.65, 0.9 * height), (0.1, 0.2, 0.7))
    _lamps(builder, a, b)


def _long_lorry(builder: MeshBuilder, a: float, b: float, height: float) -> None:
    """A tractor with a high cab and a box of another colour, ribs on its sides."""
    _block(builder, (-a, 0.48 * a, b), (-a, 0.48 * a, b * 0.99), 0.95, height, (0.86, 0.87, 0.88))
    _box(builder, (-a * 0.98, -b * 0.45, 0.5), (0.6 * a, b * 0.45, 0.95), _TRIM)
    _cab(builder, 0.56 * a, a, b, 0.84 * height, (1.0, 1.0, 1.0), _BODY)
    _block(builder, (0.58 * a, 0.9 * a, b * 0.85), (0.58 * a, 0.66 * a, b * 0.8), 0.84 * height, 0.97 * height,
           (1.0, 1.0, 1.0), Look.PLAIN, _BODY)  # fmt: skip
    for x in np.arange(-0.9, 0.45, 0.17):
        _box(builder, (x * a - 0.03, -b - 0.015, 0.95), (x * a + 0.03, b + 0.015, height * 0.99), (0.62, 0.63, 0.65))
    _box(builder, (-a, -b - 0.018, 1.5), (0.46 * a, b + 0.018, 1.75), (1.0, 1.0, 1.0), paint=_BODY)
    for y in (-b * 0.48, b * 0.48):  # rear doors and their rods
        _box(builder, (-a - 0.02, y - b * 0.44, 1.02), (-a, y + b * 0.44, height * 0.96), (0.78, 0.79, 0.80))
        for rod in (-0.18, 0.18):
            _box(builder, (-a - 0.05, y + rod * b - 0.02, 1.0), (-a, y + rod * b + 0.02, height * 0.97), _TRIM)
    for side in _SIDES:  # under-run bars between the axles
        y = side * b * 0.92
        builder.beam((-0.3 * a, y, 0.6), (0.45 * a, y, 0.6), 0.05, Material.VEHICLE, Look.PLAIN, _STEEL)
    _lamps(builder, a, b)


def _drinks_lorry(builder: MeshBuilder, a: float, b: float, height: float) -> None:
    """A red delivery lorry with a white band."""
    _block(builder, (-a, 0.4 * a, b), (-a, 0.4 * a, b * 0.96), 0.42, height, _COLA_RED)
    _block(builder, (0.4 * a, a, b * 0.92), (0.4 * a, a * 0.97, b * 0.92), 0.42, 0.5 * height, _COLA_RED)
    _block(builder, (0.4 * a, 0.93 * a, b * 0.9), (0.4 * a, 0.74 * a, b * 0.84), 0.5 * height, 0.8 * height, _GLASS,
           Look.GLASS)  # fmt: skip
    _box(builder, (0.4 * a, -b * 0.85, 0.8 * height), (0.75 * a, b * 0.85, 0.84 * height), _COLA_RED)
    _block(builder, (-a * 0.99, 0.39 * a, b + 0.015), (-a * 0.99, 0.39 * a, b + 0.01), 0.42 * height, 0.62 * height,
           _WHITE)  # fmt: skip
    _box(builder, (-a - 0.02, -b * 0.85, 0.42 * height), (-a, b * 0.85, 0.62 * height), _WHITE)
    _lamps(builder, a, b)


def _wedge(builder: MeshBuilder, a: float, b: float, height: float) -> None:
    """A pick-up of flat sheets: one edge rises from the nose to a peak and falls to the tail."""
    steel, peak = (0.60, 0.61, 0.63), 0.12 * a
    _block(builder, (-a * 0.98, a * 0.98, b * 0.95), (-a, a, b), 0.42, 0.42 * height, _TRIM)
    _block(builder, (-a, a, b), (-a, a * 0.94, b * 0.97), 0.42 * height, 0.54 * height, steel)
    side = np.array([[a * 0.92, 0.54 * height], [peak, height], [-a, 0.64 * height], [-a, 0.54 * height]])
    foot = np.column_stack([side[:, 0], np.full(4, -b * 0.93), side[:, 1]])
    far = foot * (1.0, -1.0, 1.0)
    builder.solid(foot, far, Material.VEHICLE, Look.PLAIN, steel)
    _block(builder, (0.2 * a, 0.8 * a, b * 0.7), (0.14 * a, 0.2 * a, b * 0.7), 0.62 * height, 0.985 * height, _GLASS,
           Look.GLASS)  # fmt: skip
    _box(builder, (-0.35 * a, -b * 0.94, 0.6 * height), (0.35 * a, b * 0.94, 0.78 * height), _GLASS, Look.GLASS)
    _box(builder, (a * 0.94, -b * 0.95, 0.50 * height), (a * 0.985, b * 0.95, 0.53 * height), _HEAD)
    _box(builder, (-a - 0.015, -b * 0.95, 0.58 * height), (-a, b * 0.95, 0.61 * height), _TAIL)


def _coach(builder: MeshBuilder, a: float, b: float, height: float) -> None:
    """A bus: a band of windows with posts between them, a door, a light roof and a sign over the windscreen."""
    _block(builder, (-a, a, b), (-a, a * 0.985, b * 0.96), 0.38, height * 0.94, (1.0, 1.0, 1.0), Look.PLAIN, _BODY)
    _block(builder, (-a * 0.98, a * 0.97, b * 0.94), (-a * 0.96, a * 0.94, b * 0.8), height * 0.94, height, _WHITE)
    panes = 7
    for k in range(panes):
        x0, x1 = (-0.94 + 1.62 * k / panes) * a, (-0.94 + 1.62 * (k + 0.86) / panes) * a
        _box(builder, (x0, -b - 0.012, 0.48 * height), (x1, b + 0.012, 0.84 * height), _GLASS, Look.GLASS)
    _box(builder, (0.76 * a, -b * 0.5, 0.20 * height), (0.93 * a, b + 0.014, 0.84 * height), _GLASS, Look.GLASS)
    _box(builder, (-a, -b - 0.01, 0.30 * height), (a * 0.98, b + 0.01, 0.36 * height), _WHITE)
    _box(builder, (a - 0.05, -b * 0.9, 0.40 * height), (a + 0.02, b * 0.9, 0.80 * height), _GLASS, Look.GLASS)
    _box(builder, (a - 0.05, -b * 0.7, 0.82 * height), (a + 0.02, b * 0.7, 0.92 * height), (0.95, 0.62, 0.10))
    _box(builder, (-a - 0.02, -b * 0.78, 0.5 * height), (-a + 0.05, b * 0.78, 0.82 * height), _GLASS, Look.GLASS)
    for side in _SIDES:
        y = side * b
        _box(builder, (a - 0.04, y * 0.78 - 0.17, 0.60), (a + 0.04, y * 0.78 + 0.17, 0.80), _HEAD)
        tail = 0.30 * height
        _box(builder, (-a - 0.04, y * 0.86 - 0.11, tail - 0.16), (-a + 0.04, y * 0.86 + 0.11, tail + 0.16), _TAIL)
    _box(builder, (-a - 0.05, -b * 0.95, 0.38), (-a + 0.05, b * 0.95, 0.56), _TRIM)


# Last part of a blueprint's id -> body, wheel radius in m, axles as shares of half the length.
_MODELS: dict[str, tuple[Callable[[MeshBuilder, float, float, float], None], float, tuple[float, ...]]] = {
    "firetruck": (_fire_engine, 0.50, (-0.62, 0.62)),
    "european_hgv": (_long_lorry, 0.48, (-0.80, -0.56, 0.72)),
    "carlacola": (_drinks_lorry, 0.45, (-0.58, 0.62)),
    "cybertruck": (_wedge, 0.44, (-0.60, 0.62)),
    "fusorosa": (_coach, 0.42, (-0.55, 0.66)),
}


def has_model(name: str) -> bool:
    """Whether the last part of a blueprint's id has a body of its own."""
    return name in _MODELS


def add_body(builder: MeshBuilder, name: str, a: float, b: float, height: float) -> tuple[float, tuple[float, ...]]:
    """Add a body to ``builder``; half length, half width and height in m. Returns wheel radius and axles."""
    make, radius, axles = _MODELS[name]
    make(builder, a, b, height)
    return radius, axles
