"""Random looks: what cars, people and the sky may look like in a drawn situation."""

from __future__ import annotations

import random

from linkvla.launch.sim.world.weather import Weather

_VEHICLES = (  # shape, half extents in metres, share
    ("car", (2.35, 0.95, 0.74), 14),
    ("car", (2.05, 0.90, 0.78), 8),
    ("car", (2.45, 1.06, 0.76), 8),
    ("van", (2.75, 1.00, 1.20), 4),
    ("truck", (4.00, 1.35, 1.80), 2),
    ("bus", (5.10, 1.40, 1.90), 1),
    ("motorcycle", (1.10, 0.40, 0.80), 1),
    ("bicycle", (0.85, 0.30, 0.85), 1),
)
_PROPS = (  # shape, half extents in metres
    ("cone", (0.22, 0.22, 0.40)),
    ("barrier", (0.20, 0.60, 0.53)),
    ("box", (0.35, 0.35, 0.50)),
)
_PAINTS = (
    (0.60, 0.07, 0.06), (0.10, 0.15, 0.45), (0.80, 0.80, 0.80), (0.08, 0.08, 0.09), (0.50, 0.50, 0.52),
    (0.75, 0.60, 0.10), (0.10, 0.35, 0.20), (0.35, 0.20, 0.12), (0.20, 0.40, 0.60),
)  # fmt: skip


def vehicle(rng: random.Random) -> tuple[str, tuple[float, float, float], tuple[float, float, float]]:
    """(shape, half extents in metres, colour 0..1) of a random vehicle."""
    shape, extent, _ = rng.choices(_VEHICLES, [v[2] for v in _VEHICLES])[0]
    return shape, extent, paint(rng)


def prop(rng: random.Random) -> tuple[str, tuple[float, float, float], tuple[float, float, float]]:
    """(shape, half extents in metres, colour 0..1) of a random obstacle; its shape fixes what it looks like."""
    return *rng.choice(_PROPS), (0.5, 0.5, 0.5)


def paint(rng: random.Random) -> tuple[float, float, float]:
    """A car or coat colour, slightly varied."""
    red, green, blue = rng.choice(_PAINTS)
    shade = rng.uniform(0.75, 1.25)
    return min(red * shade, 1.0), min(green * shade, 1.0), min(blue * shade, 1.0)


def weather(rng: random.Random) -> Weather:
    """Mostly daylight, from low sun to noon, clear to overcast; now and then dusk or night, rain or fog."""
    wet, hazy = rng.random() < 0.25, rng.random() < 0.2
    sky = rng.random()
    altitude = rng.uniform(-60, 0) if sky < 0.1 else rng.uniform(0, 15) if sky < 0.2 else rng.uniform(15, 85)
    return Weather(
        cloudiness=rng.uniform(40 if wet else 0, 100),
        precipitation=rng.uniform(0, 100) if wet else 0.0,
        precipitation_deposits=rng.uniform(0, 90) if wet else 0.0,
        sun_azimuth_angle=rng.uniform(0, 360),
        sun_altitude_angle=altitude,
        fog_density=rng.uniform(0, 40) if hazy else rng.uniform(0, 4),
        wetness=rng.uniform(20, 100) if wet else 0.0,
    )
