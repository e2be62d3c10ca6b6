"""Poses and boxes in CARLA's left-handed world frame: x, y, z in metres, angles in DEGREES (as on the wire)."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np


@dataclass(slots=True)
class Pose:
    """Position in metres and Unreal-style rotation in degrees (yaw clockwise seen from above, pitch up)."""

    x: float = 0.0
    y: float = 0.0
    z: float = 0.0
    pitch: float = 0.0
    yaw: float = 0.0
    roll: float = 0.0

    def rotation_matrix(self) -> np.ndarray:
        """(3, 3) float64; columns are the forward, right and up axes in the world, as ``carla.Transform`` has them."""
        cp, sp = math.cos(math.radians(self.pitch)), math.sin(math.radians(self.pitch))
        cy, sy = math.cos(math.radians(self.yaw)), math.sin(math.radians(self.yaw))
        cr, sr = math.cos(math.radians(self.roll)), math.sin(math.radians(self.roll))
        return np.array(
            [
                [cp * cy, cy * sp * sr - sy * cr, -cy * sp * cr - sy * sr],
                [cp * sy, sy * sp * sr + cy * cr, -sy * sp * cr + cy * sr],
                [sp, -cp * sr, cp * cr],
            ]
        )

    def location(self) -> np.ndarray:
        """(3,) float64 metres."""
        return np.array([self.x, self.y, self.z])

    def transform(self, points: np.ndarray) -> np.ndarray:
        """Points given in this pose's frame, (..., 3), into the world, (..., 3)."""
        return points @ self.rotation_matrix().T + self.location()

    def compose(self, local: Pose) -> Pose:
        """World pose of something attached at ``local`` (relative to this pose)."""
        x, y, z = self.transform(np.array([local.x, local.y, local.z]))
        rotation = self.rotation_matrix() @ local.rotation_matrix()
        pitch = math.degrees(math.asin(max(-1.0, min(1.0, rotation[2, 0]))))
        yaw = math.degrees(math.atan2(rotation[1, 0], rotation[0, 0]))
        roll = math.degrees(math.atan2(-rotation[2, 1], rotation[2, 2]))
        return Pose(float(x), float(y), float(z), pitch, yaw, roll)

    def copy(self) -> Pose:
        """An independent copy."""
        return Pose(self.x, self.y, self.z, self.pitch, self.yaw, self.roll)


@dataclass(slots=True)
class Box:
    """Oriented box: centre and half extents (metres) in the owner's frame, plus a yaw in degrees."""

    x: float = 0.0
    y: float = 0.0
    z: float = 0.0
    half_x: float = 0.0
    half_y: float = 0.0
    half_z: float = 0.0
    yaw: float = 0.0
