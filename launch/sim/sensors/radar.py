"""``sensor.other.radar``: rays spread at random over an elliptic cone, and how fast what they meet comes or goes."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from linkvla.launch.sim.render.snapshot import SceneSnapshot
from linkvla.launch.sim.sensors.options import RadarOptions
from linkvla.launch.sim.sensors.ray_caster import RayCaster
from linkvla.launch.sim.world.pose import Pose

MOST_POINTS = 1_000_000  # of one tick


@dataclass(frozen=True)
class Echoes:
    """What one tick measured, N detections; each array (N,) float32."""

    velocity: np.ndarray  # m/s along the ray relative to the sensor: negative comes nearer
    azimuth: np.ndarray  # radians, to the right
    altitude: np.ndarray  # radians, up
    depth: np.ndarray  # m


class Radar:
    """One radar.

    Args:
        options: its attributes.
        noise: random numbers of its own; they spread the rays.
    """

    def __init__(self, options: RadarOptions, noise: np.random.Generator) -> None:
        self._options = options
        self._noise = noise

    def measure(
        self, caster: RayCaster, snapshot: SceneSnapshot, pose: Pose, velocity: np.ndarray, duration: float
    ) -> Echoes:
        """Look for ``duration`` seconds from a place in the world, moving with ``velocity`` (3,) m/s, world."""
        options = self._options
        count = min(int(options.points_per_second * duration + 1e-6), MOST_POINTS)
        radius, angle = self._noise.random(count), self._noise.uniform(0.0, math.tau, count)
        side = math.tan(math.radians(options.horizontal_fov / 2.0)) * radius * np.cos(angle)
        up = math.tan(math.radians(options.vertical_fov / 2.0)) * radius * np.sin(angle)
        length = np.sqrt(1.0 + side**2 + up**2)
        in_sensor = np.column_stack([np.ones(count), side, up]) / length[:, None]
        in_world = in_sensor @ pose.rotation_matrix().T
        hits = caster.cast(snapshot, pose.location(), in_world, options.reach)
        velocities = np.zeros((caster.things + len(snapshot.actors), 3))
        velocities[caster.things :] = np.array([actor.velocity for actor in snapshot.actors]).reshape(-1, 3)
        relative = np.einsum("ij,ij->i", velocities[hits.owners()] - velocity, in_world)
        azimuth, altitude = np.arctan2(side, 1.0), np.arcsin(np.clip(in_sensor[:, 2], -1.0, 1.0))
        columns = (relative, azimuth, altitude, hits.distance)
        return Echoes(*(np.asarray(column[hits.hit], np.float32) for column in columns))
