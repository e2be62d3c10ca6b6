"""Noise attributes of sensors, drawn from each sensor's own random numbers."""

from __future__ import annotations

import math

import numpy as np

from linkvla.launch.sim.world.actors import Sensor


def number(sensor: Sensor, name: str, default: float = 0.0) -> float:
    """A numeric attribute; ``default`` where it is missing or not a finite number."""
    try:
        value = float(sensor.attributes.get(name, default))
    except ValueError:
        return default
    return value if math.isfinite(value) else default


def disturbed(sensor: Sensor, value: float, bias_name: str, deviation_name: str) -> float:
    """``value`` plus the sensor's bias and a normal error; the attributes carry the unit of ``value``."""
    deviation = number(sensor, deviation_name)
    error = 0.0
    if deviation > 0.0:
        if sensor.noise is None:
            sensor.noise = np.random.default_rng(sensor.id)
        error = float(sensor.noise.normal(0.0, deviation))
    return value + number(sensor, bias_name) + error
