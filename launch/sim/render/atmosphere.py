"""Light, sky and air for a weather: a few numbers and tables that the kernels read."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from linkvla.launch.sim.world.weather import Weather

AIR_STEP = 0.25  # m between entries of the air tables
AIR_ENTRIES = 2048
SKY_ENTRIES = 256
NOISE = 256  # side of the noise table
DOME = 1024  # side of the cloud map
NIGHT_SKY = (0.115, 0.125, 0.165)  # RGB of the light that falls from it


@dataclass(frozen=True)
class Atmosphere:
    """All tables float32."""

    light: np.ndarray  # (3, 3): ambient RGB, sun RGB, unit vector towards the sun
    sky: np.ndarray  # (SKY_ENTRIES, 3): RGB by sine of the elevation, 0..1
    cloud: np.ndarray  # (4,): RGB of clouds and their cover 0..1
    haze: np.ndarray  # (3,): RGB that distance fades to
    gain: np.ndarray  # (AIR_ENTRIES,): what is left of a surface's light, by depth
    veil: np.ndarray  # (AIR_ENTRIES,): share of haze, by depth
    wet: float  # 0..1 darkening of the road
    puddle: float  # 0..1 area of standing water
    night: float  # 0 day .. 1 night
    gloss: float  # 0..1: how much of what stands over it a wet road mirrors, beyond the colour of the sky
    streaks: float  # 0..1: falling rain that shows
    wind: float  # 0..1


@lru_cache(maxsize=16)
def atmosphere(weather: Weather) -> Atmosphere:
    """Tables for a weather."""
    altitude = math.radians(weather.sun_altitude_angle)
    azimuth = math.radians(weather.sun_azimuth_angle)
    day = _ramp(weather.sun_altitude_angle, -6.0, 12.0)
    low = day * (1.0 - _ramp(weather.sun_altitude_angle, 6.0, 30.0))  # dawn and dusk
    overcast = _ramp(weather.cloudiness, 20.0, 95.0)
    to_sun = np.array(
        [math.cos(altitude) * math.cos(azimuth), math.cos(altitude) * math.sin(azimuth), math.sin(altitude)]
    )
    if to_sun[2] < 0.25:  # keep some relief on horizontal and vertical surfaces when the sun is low or gone
        to_sun[2] = 0.25
        to_sun /= np.linalg.norm(to_sun)
    ambient = _mix(NIGHT_SKY, _mix((0.68, 0.70, 0.74), (0.80, 0.80, 0.80), overcast), day)
    ambient *= _mix((1.0, 1.0, 1.0), (0.86, 0.80, 0.84), low)
    sun = np.array([0.52, 0.50, 0.45]) * _mix((1.0, 1.0, 1.0), (0.95, 0.62, 0.38), low) * day * (1.0 - 0.8 * overcast)

    horizon = _mix((0.78, 0.84, 0.90), (0.74, 0.76, 0.78), overcast)
    zenith = _mix((0.30, 0.50, 0.80), (0.58, 0.61, 0.65), overcast)
    horizon = _mix(horizon, (0.93, 0.70, 0.50), 0.7 * low * (1.0 - 0.7 * overcast))
    horizon, zenith = _mix((0.07, 0.08, 0.12), horizon, day), _mix((0.015, 0.02, 0.05), zenith, day)
    height = np.linspace(0.0, 1.0, SKY_ENTRIES)[:, None]
    sky = zenith + (horizon - zenith) * np.exp(-3.2 * height)
    cloud = _mix((0.10, 0.11, 0.14), _mix((0.95, 0.95, 0.96), (0.66, 0.68, 0.71), overcast), day)
    cloud *= _mix((1.0, 1.0, 1.0), (1.0, 0.78, 0.68), low)

    rain = weather.precipitation / 100.0
    dust = weather.dust_storm / 100.0
    thickness = 0.0025 + 0.045 * (weather.fog_density / 100.0) ** 1.5 + 0.006 * rain + 0.03 * dust
    horizon = _mix(horizon, np.array([0.66, 0.52, 0.36]) * max(day, 0.08), 0.9 * dust)
    depth = np.arange(AIR_ENTRIES) * AIR_STEP
    transmission = np.exp(-thickness * np.maximum(depth - max(weather.fog_distance, 0.0), 0.0))
    foggy = min(1.0, max(weather.fog_density / 40.0, 1.5 * dust))
    sky = sky + (horizon - sky) * foggy * np.exp(-1.2 * height)
    wet = min(1.0, max(weather.wetness / 100.0, 0.7 * rain, weather.precipitation_deposits / 150.0))
    return Atmosphere(
        light=np.array([ambient, sun, to_sun], np.float32),
        sky=sky.astype(np.float32),
        cloud=np.array([*cloud, min(1.0, weather.cloudiness / 100.0)], np.float32),
        haze=horizon.astype(np.float32),
        gain=transmission.astype(np.float32),
        veil=(1.0 - transmission).astype(np.float32),
        wet=wet,
        puddle=min(1.0, weather.precipitation_deposits / 100.0),
        night=1.0 - day,
        gloss=_beyond_drizzle(weather) if wet > 0.05 else 0.0,
        streaks=max(_ramp(weather.precipitation, 40.0, 80.0), (1.0 - day) * _ramp(weather.precipitation, 0.0, 80.0)),
        wind=_ramp(weather.wind_intensity, 0.0, 100.0),
    )


def _beyond_drizzle(weather: Weather) -> float:
    """0 in the daylight and drizzle of the pictures that networks were taught on, rising to 1 in what is worse."""
    return max(
        _ramp(weather.precipitation, 40.0, 60.0),
        _ramp(weather.precipitation_deposits, 60.0, 75.0),
        _ramp(weather.wetness, 80.0, 95.0),
        _ramp(-weather.sun_altitude_angle, -15.0, -5.0),
    )


@lru_cache(maxsize=1)
def noise_table() -> np.ndarray:
    """Smooth tileable noise, (NOISE, NOISE) float32, mean 0, about -0.5..0.5; the same in every process."""
    rng = np.random.default_rng(7)
    total = np.zeros((NOISE, NOISE))
    for cells, weight in ((8, 0.32), (32, 0.26), (128, 0.24), (256, 0.18)):
        grid = rng.random((cells, cells))
        at = np.arange(NOISE) * cells / NOISE
        cell, part = at.astype(int), at % 1.0
        part = part * part * (3.0 - 2.0 * part)
        after = (cell + 1) % cells
        rows = grid[cell] * (1 - part)[:, None] + grid[after] * part[:, None]
        total += weight * (rows[:, cell] * (1 - part) + rows[:, after] * part)
    return np.ascontiguousarray(total - total.mean(), dtype=np.float32)


@lru_cache(maxsize=1)
def cloud_dome() -> np.ndarray:
    """Cloud density over the upper hemisphere, (DOME, DOME) uint8 in stereographic projection from below."""
    axis = (np.arange(DOME) + 0.5) / DOME * 2.0 - 1.0
    x, y = np.meshgrid(axis, axis)
    square = np.minimum(x * x + y * y, 1.0)
    up = (1.0 - square) / (1.0 + square)
    flat = 1.0 / ((1.0 + square) * (up + 0.12)) * 2.0  # onto a plane overhead, curved down at the horizon
    noise, total = noise_table(), np.zeros((DOME, DOME))
    for frequency, weight in ((9.0, 0.9), (23.0, 0.45), (61.0, 0.2)):
        total += weight * _bilinear(noise, x * flat * frequency, y * flat * frequency)
    low, high = np.percentile(total, (1.0, 99.0))
    return np.clip((total - low) / (high - low) * 255.0, 0.0, 255.0).astype(np.uint8)


def _bilinear(table: np.ndarray, u: np.ndarray, v: np.ndarray) -> np.ndarray:
    i, j = np.floor(u).astype(np.int64), np.floor(v).astype(np.int64)
    u, v, last = u - i, v - j, len(table) - 1
    low = table[j & last, i & last] * (1.0 - u) + table[j & last, (i + 1) & last] * u
    high = table[(j + 1) & last, i & last] * (1.0 - u) + table[(j + 1) & last, (i + 1) & last] * u
    return low * (1.0 - v) + high * v


def _ramp(value: float, low: float, high: float) -> float:
    return min(1.0, max(0.0, (value - low) / (high - low)))


def _mix(a, b, share: float) -> np.ndarray:
    a, b = np.asarray(a, np.float64), np.asarray(b, np.float64)
    return a + (b - a) * share
