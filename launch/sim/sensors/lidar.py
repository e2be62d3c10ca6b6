"""``sensor.lidar.ray_cast`` and ``ray_cast_semantic``: lasers one above the other that turn about the sensor's z axis.

A tick scans the part of a turn that passes in it. Points are in the sensor's frame (x forward, y right, z up, metres),
those of the uppermost laser first.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from linkvla.launch.sim.render.snapshot import SceneSnapshot
from linkvla.launch.sim.sensors.options import LidarOptions
from linkvla.launch.sim.sensors.ray_caster import Hits, RayCaster
from linkvla.launch.sim.world.pose import Pose

MOST_POINTS = 4_000_000  # of one sweep; more would not fit a message


@dataclass(frozen=True)
class Sweep:
    """What one tick measured, N points in all."""

    angle: float  # radians that the lasers had turned when the sweep began
    counts: np.ndarray  # (channels,) uint32: points of each laser
    points: np.ndarray  # (N, 3) float32 m, sensor frame
    intensity: np.ndarray  # (N,) float32, 0..1
    directions: np.ndarray  # (N, 3) float32, unit length, world
    kept: np.ndarray  # (N,) int64, rows of ``hits``
    hits: Hits


class Lidar:
    """One lidar: where its lasers point now, and its noise.

    Args:
        options: its attributes.
        noise: random numbers of its own.
    """

    def __init__(self, options: LidarOptions, noise: np.random.Generator) -> None:
        self._options = options
        self._noise = noise
        self._turned = 0.0  # degrees

    def sweep(self, caster: RayCaster, snapshot: SceneSnapshot, pose: Pose, duration: float) -> Sweep:
        """Scan for ``duration`` seconds from a place in the world."""
        options = self._options
        wanted = options.points_per_second * duration / options.channels
        steps = min(math.floor(wanted + 0.5), MOST_POINTS // options.channels)
        way = options.rotation_frequency * options.horizontal_fov * duration
        began = self._turned
        self._turned = (began + way) % options.horizontal_fov
        in_sensor = self._directions(began, way, steps)
        channel = np.repeat(np.arange(options.channels), steps)
        if options.dropoff_general > 0.0:
            shot = self._noise.random(len(channel)) >= options.dropoff_general
            in_sensor, channel = in_sensor[shot], channel[shot]
        in_world = in_sensor @ pose.rotation_matrix().T.astype(np.float32)
        hits = caster.cast(snapshot, pose.location(), in_world, options.reach)
        kept = np.nonzero(hits.hit)[0]
        intensity = np.exp(-options.attenuation * hits.distance[kept])
        if options.dropoff_at_zero > 0.0 and options.dropoff_limit > 0.0:
            lost = options.dropoff_at_zero * (1.0 - intensity / options.dropoff_limit)
            received = self._noise.random(len(kept)) >= lost
            kept, intensity = kept[received], intensity[received]
        distance = hits.distance[kept]
        if options.noise > 0.0:
            distance = distance + self._noise.normal(0.0, options.noise, len(kept)).astype(np.float32)
        counts = np.bincount(channel[kept], minlength=options.channels).astype(np.uint32)
        points = in_sensor[kept] * distance[:, None]
        return Sweep(math.radians(began), counts, points, intensity, in_world[kept], kept, hits)

    def _directions(self, began: float, way: float, steps: int) -> np.ndarray:
        """(channels x steps, 3) float32 unit vectors in the sensor's frame; angles in degrees."""
        options = self._options
        pitch = np.radians(np.linspace(options.upper_fov, options.lower_fov, options.channels))
        angle = (began + way * np.arange(steps) / max(steps, 1)) % options.horizontal_fov - options.horizontal_fov / 2.0
        yaw = np.radians(angle)
        out = np.empty((options.channels, steps, 3), np.float32)
        out[..., 0] = np.cos(pitch)[:, None] * np.cos(yaw)
        out[..., 1] = np.cos(pitch)[:, None] * np.sin(yaw)
        out[..., 2] = np.sin(pitch)[:, None]
        return out.reshape(-1, 3)
