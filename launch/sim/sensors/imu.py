"""``sensor.other.imu``: acceleration with gravity, turn rates and a compass, in the sensor's frame."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from linkvla.launch.sim.sensors.noise import disturbed
from linkvla.launch.sim.world.actors import Sensor

if TYPE_CHECKING:
    from linkvla.launch.sim.world.world import World

GRAVITY = 9.81  # m/s^2


def measure(world: World, sensor: Sensor, gravity: float = GRAVITY) -> tuple[np.ndarray, np.ndarray, float]:
    """Read the sensor.

    Args:
        world: where it is.
        sensor: whose parent's motion is felt; one without a parent is at rest.
        gravity: m/s^2.

    Returns:
        acceleration (3,) m/s^2 (+gravity on z at rest), turn rate (3,) rad/s, both in the sensor's frame; compass in
        radians: 0 is north (-y), clockwise, 0..2 pi.
    """
    parent = world.actors.get(sensor.parent_id)
    motion = parent.acceleration if parent is not None else np.zeros(3)
    turning = np.radians(parent.angular_velocity) if parent is not None else np.zeros(3)
    to_sensor = sensor.pose.rotation_matrix().T
    acceleration = to_sensor @ (motion + np.array([0.0, 0.0, gravity]))
    turn_rate = to_sensor @ turning
    for index, axis in enumerate("xyz"):
        acceleration[index] = disturbed(sensor, float(acceleration[index]), "", f"noise_accel_stddev_{axis}")
        turn_rate[index] = disturbed(
            sensor, float(turn_rate[index]), f"noise_gyro_bias_{axis}", f"noise_gyro_stddev_{axis}"
        )
    compass = math.radians(sensor.pose.yaw + 90.0) % (2.0 * math.pi)
    return acceleration, turn_rate, compass
