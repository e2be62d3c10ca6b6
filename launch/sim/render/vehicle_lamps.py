"""What a vehicle's lamps show when they are lit: bright boxes over the dark ones of its body, and when they are lit."""

from __future__ import annotations

from functools import lru_cache

from linkvla.launch.sim.render.materials import Look, Material
from linkvla.launch.sim.render.mesh import Mesh, MeshBuilder

# Bits of a light mask, as carla.VehicleLightState numbers them.
POSITION, LOW_BEAM, HIGH_BEAM, BRAKE, RIGHT_BLINKER, LEFT_BLINKER, REVERSE, FOG = (1 << bit for bit in range(8))
SPECIAL_1, SPECIAL_2 = 1 << 9, 1 << 10
BEAMS = LOW_BEAM | HIGH_BEAM
_BLINKS_PER_SECOND = 1.5
_FLASHES_PER_SECOND = 2.5

_HEAD = (1.0, 0.97, 0.86)
_TAIL = (0.72, 0.03, 0.04)
_BRAKE = (1.0, 0.06, 0.08)
_AMBER = (1.0, 0.56, 0.04)
_REVERSE = (0.95, 0.95, 1.0)
_BEACON_RED, _BEACON_BLUE = (1.0, 0.06, 0.06), (0.12, 0.30, 1.0)
_TWO_WHEELERS = ("motorcycle", "bicycle")


def lit_lamps(mask: int, braking: bool, night: bool, seconds: float) -> tuple[str, ...]:
    """Names for ``lamp_mesh`` of what shines at a time.

    By night a vehicle whose lamps nobody has switched drives with its head and tail lamps on, as cars with a light
    sensor do.

    Args:
        mask: the lamps that a client switched on.
        braking: the pedal is down; the mask may light the brake lamps as well.
        night: whether it is dark.
        seconds: simulated time; blinkers blink by it.
    """
    if night and not mask:
        mask = POSITION | LOW_BEAM
    names = []
    if mask & (POSITION | BEAMS | FOG):
        names += ["tail", "head"] if mask & (BEAMS | FOG) else ["tail"]
    if braking or mask & BRAKE:
        names.append("brake")
    if seconds * _BLINKS_PER_SECOND % 1.0 < 0.5:
        names += [name for bit, name in ((LEFT_BLINKER, "left"), (RIGHT_BLINKER, "right")) if mask & bit]
    if mask & REVERSE:
        names.append("reverse")
    if mask & (SPECIAL_1 | SPECIAL_2):
        names.append("flash" if seconds * _FLASHES_PER_SECOND % 1.0 < 0.5 else "flash back")
    return tuple(names)


@lru_cache(maxsize=1024)
def lamp_mesh(name: str, shape: str, half_extent: tuple[float, float, float]) -> Mesh:
    """Lit lamps of a vehicle, in its frame; ``name`` is one of ``lit_lamps``."""
    builder = MeshBuilder()
    if name == "brake":
        _brake(builder, shape, half_extent)
    elif shape in _TWO_WHEELERS:
        _of_two_wheeler(builder, name, half_extent)
    elif name in ("flash", "flash back"):
        _beacon(builder, shape, half_extent, name == "flash")
    else:
        _corners(builder, name, shape, half_extent)
    return builder.build()


def _box(builder: MeshBuilder, x: float, y: float, z: float, half: tuple, colour, material=Material.VEHICLE) -> None:
    low, high = (x - half[0], y - half[1], z - half[2]), (x + half[0], y + half[1], z + half[2])
    builder.box(low, high, material, Look.EMISSIVE, colour)


def _brake(builder: MeshBuilder, shape: str, half_extent: tuple[float, float, float]) -> None:
    """Boxes 0.26 m square at the rear corners and, on cars, a third one above."""
    a, b, height = half_extent[0], half_extent[1], 2.0 * half_extent[2]
    if shape in _TWO_WHEELERS:
        builder.box((-a - 0.03, -0.13, 0.58), (-a + 0.03, 0.13, 0.78), Material.BRAKE_LAMP, Look.EMISSIVE, _BRAKE)
        return
    z = {"car": 0.50 * height, "van": 0.42 * height, "bus": 0.30 * height}.get(shape, 0.62)
    lamp = Material.BRAKE_LAMP
    for side in (-1, 1):
        y = side * (b - 0.13 - 0.08 * b)
        builder.box((-a - 0.05, y - 0.13, z - 0.13), (-a + 0.05, y + 0.13, z + 0.13), lamp, Look.EMISSIVE, _BRAKE)
    if shape == "car":
        builder.box((-a * 0.86, -0.2, 0.63 * height), (-a * 0.80, 0.2, 0.68 * height), lamp, Look.EMISSIVE, _BRAKE)


def head_lamp(shape: str, half_extent: tuple[float, float, float]) -> tuple[float, float, float]:
    """Centre of the right head lamp in the vehicle's frame, m; a two-wheeler's only one."""
    a, b, height = half_extent[0], half_extent[1], 2.0 * half_extent[2]
    if shape in _TWO_WHEELERS:
        return a - 0.08, 0.0, 0.835
    if shape == "car":
        return a * 0.965, b * 0.72, 0.47 * height
    return a + 0.01, b * 0.78, 0.61 if shape == "van" else 0.70


def _tail_lamp(shape: str, half_extent: tuple[float, float, float]) -> tuple[float, float, float]:
    a, b, height = half_extent[0], half_extent[1], 2.0 * half_extent[2]
    if shape == "car":
        return -a * 0.99, b * 0.74, 0.50 * height
    return -a - 0.01, b * 0.86, {"van": 0.42 * height, "bus": 0.30 * height}.get(shape, 0.664)


def _corners(builder: MeshBuilder, name: str, shape: str, half_extent: tuple[float, float, float]) -> None:
    """Head, tail, reversing lamps and blinkers of a vehicle with four corners."""
    b = half_extent[1]
    (front, wide, front_z), (rear, narrow, rear_z) = head_lamp(shape, half_extent), _tail_lamp(shape, half_extent)
    for side in (-1, 1):
        if name == "head":
            _box(builder, front, side * wide, front_z, (0.08, 0.17, 0.085), _HEAD)
        elif name == "tail":
            _box(builder, rear, side * narrow, rear_z, (0.055, 0.11 if shape != "car" else 0.19 * b, 0.095), _TAIL)
        elif name == "reverse":
            _box(builder, rear, side * narrow * 0.72, rear_z - 0.02, (0.06, 0.07, 0.06), _REVERSE)
    if name in ("left", "right"):
        side = 1 if name == "right" else -1
        _box(builder, rear, side * (b - 0.09), rear_z + 0.02, (0.075, 0.10, 0.10), _AMBER)
        _box(builder, front, side * (b - 0.09), front_z - 0.02, (0.09, 0.10, 0.08), _AMBER)


def _of_two_wheeler(builder: MeshBuilder, name: str, half_extent: tuple[float, float, float]) -> None:
    a, b = half_extent[0], half_extent[1]
    if name == "head":
        _box(builder, a - 0.08, 0.0, 0.835, (0.05, 0.10, 0.09), _HEAD)
    elif name == "tail":
        _box(builder, -a + 0.02, 0.0, 0.67, (0.04, 0.075, 0.055), _TAIL)
    elif name in ("left", "right"):
        side = min(b, 0.30) * (1 if name == "right" else -1)
        for x in (-a + 0.05, a - 0.10):
            _box(builder, x, side, 0.72, (0.05, 0.05, 0.05), _AMBER)


def _beacon(builder: MeshBuilder, shape: str, half_extent: tuple[float, float, float], red_is_lit: bool) -> None:
    """A bar across the roof, one half of it lit."""
    a, b, height = half_extent[0], half_extent[1], 2.0 * half_extent[2]
    x = {"car": -0.15 * a, "van": 0.5 * a, "bus": 0.9 * a}.get(shape, 0.72 * a)
    top = height if shape != "truck" else 0.9 * height
    for side, colour, lit in ((-1, _BEACON_RED, red_is_lit), (1, _BEACON_BLUE, not red_is_lit)):
        look = Look.EMISSIVE if lit else Look.PLAIN
        shown = colour if lit else tuple(0.35 * part for part in colour)
        low, high = sorted((side * 0.06, side * 0.62 * b))
        builder.box((x - 0.13, low, top), (x + 0.13, high, top + 0.15), Material.VEHICLE, look, shown)
    builder.box((x - 0.11, -0.06, top), (x + 0.11, 0.06, top + 0.13), Material.VEHICLE, Look.PLAIN, (0.85, 0.85, 0.85))
