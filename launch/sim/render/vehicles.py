"""Meshes of vehicles in their own frame: x forward, y right, origin on the ground, real size in metres."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from linkvla.launch.sim.render.materials import Look, Material
from linkvla.launch.sim.render.mesh import Mesh, MeshBuilder, circle
from linkvla.launch.sim.render.props import add_prop
from linkvla.launch.sim.render.vehicle_models import add_body, has_model

BODY, SECOND = 1, 2  # paint codes
_GLASS = (0.07, 0.08, 0.09)
_RUBBER = (0.05, 0.05, 0.055)
_TRIM = (0.10, 0.10, 0.11)
_CHROME = (0.60, 0.61, 0.63)
_HEAD = (0.95, 0.95, 0.88)
_TAIL = (0.42, 0.03, 0.04)
_SKIN = (0.72, 0.53, 0.42)
_SHADOW = (0.075, 0.075, 0.08)
_WHITE = (1.0, 1.0, 1.0)


def _slab(builder: MeshBuilder, bottom, top, z0: float, z1: float, look: Look, colour, paint: int, **options) -> None:
    """Body part between two rectangles (x0, x1, half width)."""
    rings = [
        np.array([[x0, -w, z], [x1, -w, z], [x1, w, z], [x0, w, z]])
        for (x0, x1, w), z in ((bottom, z0), (top, z1))
    ]  # fmt: skip
    builder.solid(*rings, Material.VEHICLE, look, colour, paint, **options)


def _wheel(builder: MeshBuilder, x: float, y: float, radius: float, width: float) -> None:
    ring = circle(8, np.pi / 8) * radius
    side = np.column_stack([ring[:, 0] + x, np.full(8, y), ring[:, 1] + radius])
    half = np.array([0.0, width / 2, 0.0])
    builder.solid(side - half, side + half, Material.WHEEL, Look.PLAIN, _RUBBER)
    hub = (side - (x, y, radius)) * 0.55 + (x, y, radius)
    for face in (1.04, -1.04):
        ring = hub + half * face
        builder.polygon(ring[:: -1 if face > 0 else 1], Material.WHEEL, Look.PLAIN, (0.42, 0.43, 0.44))


def _lamp(
    builder: MeshBuilder, x: float, y: float, z: float, half: tuple, colour, look: Look, material: Material
) -> None:
    centre, half_size = np.array([x, y, z]), np.array(half)
    builder.box(centre - half_size, centre + half_size, material, look, colour)


def _shadow(builder: MeshBuilder, a: float, b: float) -> None:
    """A dark patch under the body stands for its shadow."""
    ring = np.array(
        [
            [-a, -b * 0.8],
            [-a * 0.94, -b],
            [a * 0.94, -b],
            [a, -b * 0.8],
            [a, b * 0.8],
            [a * 0.94, b],
            [-a * 0.94, b],
            [-a, b * 0.8],
        ]
    )
    builder.polygon(np.column_stack([ring * 1.05, np.full(8, 0.035)]), Material.ROAD, Look.ASPHALT, _SHADOW)


def _car(builder: MeshBuilder, a: float, b: float, height: float, variant: int) -> None:
    """Saloon (0), hatchback (1) or SUV (2)."""
    belt, sill = (0.60, 0.16) if variant < 2 else (0.58, 0.19)
    back_low, back_high = ((-0.70, -0.46), (-0.94, -0.74), (-0.96, -0.84))[variant]
    front_low, front_high = ((0.40, 0.12), (0.44, 0.18), (0.46, 0.22))[variant]
    h = height
    _slab(builder, (-a * 0.97, a * 0.97, b * 0.93), (-a, a, b), sill * h, 0.36 * h, Look.PLAIN, _WHITE, BODY)
    _slab(builder, (-a, a, b), (-a * 0.97, a * 0.92, b * 0.95), 0.36 * h, belt * h, Look.PLAIN, _WHITE, BODY)
    low, high = (a * back_low, a * front_low, b * 0.91), (a * back_high, a * front_high, b * 0.74)
    _slab(builder, low, high, belt * h, h * 0.965, Look.GLASS, _GLASS, 0, caps="none")
    roof = (high[0] * 0.98, high[1] * 0.98, high[2] * 0.92)
    _slab(builder, high, roof, h * 0.955, h, Look.PLAIN, _WHITE, BODY)
    for side in (-1, 1):  # pillars
        for x_low, x_high in ((low[0], high[0]), (low[1], high[1]), (low[1] * 0.1 + low[0] * 0.05, high[1] * 0.1)):
            builder.beam(
                (x_low, side * b * 0.905, belt * h),
                (x_high, side * b * 0.745, h * 0.97),
                0.035,
                Material.VEHICLE,
                Look.PLAIN,
                (0.25, 0.25, 0.26),
            )
        _lamp(
            builder,
            a * 0.36,
            side * (b + 0.05),
            belt * h + 0.06,
            (0.08, 0.1, 0.07),
            _TRIM,
            Look.PLAIN,
            Material.VEHICLE,
        )
        _lamp(
            builder, a * 0.955, side * b * 0.72, 0.47 * h, (0.08, 0.20 * b, 0.075), _HEAD, Look.PLAIN, Material.VEHICLE
        )
        _lamp(
            builder, -a * 0.985, side * b * 0.74, 0.50 * h, (0.05, 0.19 * b, 0.09), _TAIL, Look.PLAIN, Material.VEHICLE
        )
    _lamp(builder, -a * 0.99, 0.0, 0.27 * h, (0.04, b * 0.88, 0.09), _TRIM, Look.PLAIN, Material.VEHICLE)
    _lamp(builder, -a * 0.995, 0.0, 0.42 * h, (0.02, 0.26, 0.06), (0.80, 0.80, 0.76), Look.PLAIN, Material.VEHICLE)
    _lamp(builder, a * 0.985, 0.0, 0.30 * h, (0.03, b * 0.6, 0.11), _TRIM, Look.PLAIN, Material.VEHICLE)
    _four_wheels(builder, a, b, min(0.36, 0.24 * h), (-0.59, 0.60))


def _four_wheels(builder: MeshBuilder, a: float, b: float, radius: float, axles: tuple[float, ...]) -> None:
    for axle in axles:
        for side in (-1, 1):
            _wheel(builder, a * axle, side * (b - 0.11), radius, 0.24)


def _boxy(builder: MeshBuilder, a: float, b: float, height: float, shape: str) -> None:
    """Van, truck (cab and cargo box) or bus."""
    h = height
    cab = {"van": (0.30, 0.62), "truck": (0.52, 1.0), "bus": (0.94, 1.0)}[shape]
    wheel = 0.36 if shape == "van" else 0.48
    floor = wheel * 0.8
    cargo = {"van": (-a, a * cab[0]), "truck": (-a, a * 0.46), "bus": (-a, a)}[shape]
    paint = SECOND if shape == "truck" else BODY
    _slab(builder, (*cargo, b), (*cargo, b * 0.97), floor, h, Look.PLAIN, _WHITE, paint)
    if shape != "bus":
        nose_top = a * (0.72 if shape == "van" else 0.95)
        belt = 0.52 * h if shape == "van" else 0.45 * h
        top = h * (0.98 if shape == "van" else 0.86)
        start = a * cab[0]
        _slab(builder, (start, a, b * 0.98), (start, a * 0.97, b * 0.97), floor, belt, Look.PLAIN, _WHITE, BODY)
        _slab(builder, (start, a * 0.95, b * 0.96), (start, nose_top, b * 0.9), belt, top * 0.93, Look.GLASS, _GLASS, 0)
        _slab(
            builder,
            (start, nose_top, b * 0.95),
            (start, nose_top * 0.98, b * 0.9),
            top * 0.92,
            top,
            Look.PLAIN,
            _WHITE,
            BODY,
        )
    windows = {"van": ((-a * 0.6, a * 0.2),), "truck": (), "bus": ((-a * 0.92, -a * 0.05), (a * 0.0, a * 0.9))}[shape]
    for x0, x1 in windows:
        builder.box((x0, -b - 0.01, 0.5 * h), (x1, b + 0.01, 0.84 * h), Material.VEHICLE, Look.GLASS, _GLASS)
    if shape == "bus":
        builder.box(
            (a - 0.05, -b * 0.92, 0.4 * h), (a + 0.02, b * 0.92, 0.88 * h), Material.VEHICLE, Look.GLASS, _GLASS
        )
    if shape in ("van", "bus"):
        builder.box(
            (-a - 0.02, -b * 0.78, 0.55 * h), (-a + 0.05, b * 0.78, 0.85 * h), Material.VEHICLE, Look.GLASS, _GLASS
        )
    else:  # rear doors
        for y in (-b * 0.5, b * 0.5):
            builder.box(
                (-a - 0.02, y - b * 0.44, 0.3 * h),
                (-a, y + b * 0.44, 0.94 * h),
                Material.VEHICLE,
                Look.PLAIN,
                (0.62, 0.62, 0.6),
            )
    lamp_z = floor + 0.28 if shape == "truck" else 0.42 * h if shape == "van" else 0.30 * h
    for side in (-1, 1):
        _lamp(builder, a, side * b * 0.78, floor + 0.32, (0.04, 0.17, 0.1), _HEAD, Look.PLAIN, Material.VEHICLE)
        _lamp(builder, -a, side * b * 0.86, lamp_z, (0.04, 0.11, 0.16), _TAIL, Look.PLAIN, Material.VEHICLE)
    _lamp(builder, -a, 0.0, floor + 0.08, (0.05, b * 0.95, 0.1), _TRIM, Look.PLAIN, Material.VEHICLE)
    axles = (-0.62, 0.70) if shape != "truck" else (-0.72, -0.45, 0.70)
    _four_wheels(builder, a, b, wheel, axles)


def _two_wheeler(builder: MeshBuilder, a: float, b: float, height: float, shape: str) -> None:
    """Motorcycle or bicycle with its rider."""
    wheel = 0.31 if shape == "motorcycle" else 0.34
    thick = 0.13 if shape == "motorcycle" else 0.05
    for x in (-a + wheel, a - wheel):
        _wheel(builder, x, 0.0, wheel, thick)
    vehicle, walker = Material.VEHICLE, Material.WALKER
    seat = 0.82 if shape == "motorcycle" else 0.95
    if shape == "motorcycle":
        builder.box((-a * 0.75, -0.16, 0.36), (a * 0.45, 0.16, seat), vehicle, Look.PLAIN, _WHITE, BODY)
    else:
        for start, end in (
            ((-a + wheel, 0, wheel), (-0.2, 0, seat)),
            ((-0.2, 0, seat), (0.5, 0, 0.9)),
            ((a - wheel, 0, wheel), (0.45, 0, 1.0)),
            ((-0.05, 0, 0.35), (0.5, 0, 0.8)),
            ((-a + wheel, 0, wheel), (-0.05, 0, 0.35)),
        ):
            builder.beam(start, end, 0.03, vehicle, Look.PLAIN, (0.35, 0.36, 0.38))
    bar = min(b, 0.38)
    builder.beam((0.45, -bar, seat + 0.15), (0.45, bar, seat + 0.15), 0.03, vehicle, Look.PLAIN, _TRIM)
    builder.box((-a, -0.07, 0.62), (-a + 0.06, 0.07, 0.72), vehicle, Look.PLAIN, _TAIL)
    builder.box((a - 0.12, -0.09, 0.75), (a - 0.04, 0.09, 0.92), vehicle, Look.PLAIN, _HEAD)
    for side in (-1, 1):
        builder.beam(
            (-0.15, side * 0.1, seat), (0.22, side * 0.16, seat - 0.32), 0.085, walker, Look.PLAIN, (0.16, 0.18, 0.26)
        )
        builder.beam(
            (0.22, side * 0.16, seat - 0.32), (0.02, side * 0.16, 0.34), 0.07, walker, Look.PLAIN, (0.16, 0.18, 0.26)
        )
        builder.beam(
            (0.0, side * 0.2, seat + 0.48), (0.42, side * bar * 0.9, seat + 0.18), 0.05, walker, Look.PLAIN, _SKIN
        )
    torso = np.array([[-0.14, -0.18], [0.1, -0.18], [0.1, 0.18], [-0.14, 0.18]])
    waist = np.column_stack([torso + (-0.15, 0.0), np.full(4, seat)])
    chest = np.column_stack([torso * (0.9, 1.15) + (0.02, 0.0), np.full(4, seat + 0.55)])
    builder.solid(waist, chest, walker, Look.PLAIN, (0.5, 0.5, 0.5), SECOND)
    helmet = (0.16, 0.16, 0.18) if shape == "motorcycle" else (0.85, 0.85, 0.8)
    builder.upright(0.08, 0.0, seat + 0.57, 0.12, 0.21, walker, Look.PLAIN, helmet, top_radius=0.09)


@lru_cache(maxsize=512)
def actor_mesh(shape: str, half_extent: tuple[float, float, float], variant: int, model: str = "") -> Mesh:
    """Mesh of a vehicle or prop.

    Args:
        shape: what it is; unknown shapes are boxes.
        half_extent: in m.
        variant: 0..2, the body style of cars.
        model: the name of a look of its own, empty for that of the shape.
    """
    a, b, height = half_extent[0], half_extent[1], 2.0 * half_extent[2]
    builder = MeshBuilder()
    if shape in ("motorcycle", "bicycle"):
        _shadow(builder, a * 0.9, 0.28)
        _two_wheeler(builder, a, b, height, shape)
    elif shape not in ("car", "van", "truck", "bus"):
        add_prop(builder, shape, model, a, b, height)
    else:
        _shadow(builder, a, b)
        if has_model(model):
            wheel, axles = add_body(builder, model, a, b, height)
            _four_wheels(builder, a, b, wheel, axles)
        elif shape == "car":
            _car(builder, a, b, height, variant)
        else:
            _boxy(builder, a, b, height, shape)
    return builder.build()
