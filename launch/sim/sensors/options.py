"""What the attributes of a lidar, radar or event camera say, checked before the sensor is spawned."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace

from linkvla.launch.sim.errors import SpawnError

MOST_CHANNELS = 1024
MOST_POINTS_PER_SECOND = 50_000_000
LONGEST_RANGE = 10_000.0  # m


def real(attributes: Mapping[str, str], name: str, low: float, high: float) -> float:
    """A number in ``low`` .. ``high``. Raises SpawnError."""
    text = attributes.get(name, "")
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not low <= value <= high:
        raise SpawnError(f"Spawn failed: attribute {name} is {text!r}; set it to a number from {low:g} to {high:g}")
    return value


def whole(attributes: Mapping[str, str], name: str, low: int, high: int) -> int:
    """A whole number in ``low`` .. ``high``. Raises SpawnError."""
    text = attributes.get(name, "")
    try:
        value = int(text)
    except ValueError:
        value = None
    if value is None or not low <= value <= high:
        raise SpawnError(f"Spawn failed: attribute {name} is {text!r}; set it to a whole number from {low} to {high}")
    return value


def truth(attributes: Mapping[str, str], name: str) -> bool:
    """true or false. Raises SpawnError."""
    text = attributes.get(name, "").lower()
    if text not in ("true", "false", "1", "0"):
        raise SpawnError(f"Spawn failed: attribute {name} is {text!r}; set it to true or false")
    return text in ("true", "1")


@dataclass(frozen=True)
class LidarOptions:
    """A rotating lidar. The last five fields are those of a plain one; a semantic lidar sees without loss."""

    channels: int
    reach: float  # m
    points_per_second: int
    rotation_frequency: float  # turns per second
    upper_fov: float  # degrees above the horizon
    lower_fov: float
    horizontal_fov: float  # degrees
    attenuation: float = 0.0  # 1/m: intensity is exp(-attenuation x distance)
    dropoff_general: float = 0.0  # share of rays that are lost whatever they meet
    dropoff_limit: float = 0.0  # intensity above which nothing else is lost
    dropoff_at_zero: float = 0.0  # share that is lost where the intensity is zero
    noise: float = 0.0  # m, standard deviation along the ray

    @classmethod
    def read(cls, attributes: Mapping[str, str], semantic: bool) -> LidarOptions:
        """From a blueprint's attributes. Raises SpawnError."""
        seen = cls(
            whole(attributes, "channels", 1, MOST_CHANNELS),
            real(attributes, "range", 0.0, LONGEST_RANGE),
            whole(attributes, "points_per_second", 1, MOST_POINTS_PER_SECOND),
            real(attributes, "rotation_frequency", 0.0, 1e4),
            real(attributes, "upper_fov", -90.0, 90.0),
            real(attributes, "lower_fov", -90.0, 90.0),
            real(attributes, "horizontal_fov", 0.1, 360.0),
        )
        if semantic:
            return seen
        loss = {
            "attenuation": real(attributes, "atmosphere_attenuation_rate", 0.0, 1e3),
            "dropoff_general": real(attributes, "dropoff_general_rate", 0.0, 1.0),
            "dropoff_limit": real(attributes, "dropoff_intensity_limit", 0.0, 1.0),
            "dropoff_at_zero": real(attributes, "dropoff_zero_intensity", 0.0, 1.0),
            "noise": real(attributes, "noise_stddev", 0.0, 1e3),
        }
        return replace(seen, **loss)


@dataclass(frozen=True)
class RadarOptions:
    """A radar cone."""

    horizontal_fov: float  # degrees
    vertical_fov: float
    reach: float  # m
    points_per_second: int

    @classmethod
    def read(cls, attributes: Mapping[str, str]) -> RadarOptions:
        """From a blueprint's attributes. Raises SpawnError."""
        return cls(
            real(attributes, "horizontal_fov", 0.0, 179.0),
            real(attributes, "vertical_fov", 0.0, 179.0),
            real(attributes, "range", 0.0, LONGEST_RANGE),
            whole(attributes, "points_per_second", 1, MOST_POINTS_PER_SECOND),
        )


@dataclass(frozen=True)
class EventOptions:
    """An event camera: how much brighter or darker a pixel must become to report it."""

    brighter: float  # threshold of the (logarithm of the) brightness
    darker: float
    brighter_spread: float  # standard deviation of the threshold
    darker_spread: float
    refractory_ns: int  # a pixel that has reported keeps silent for so long
    logarithmic: bool
    log_eps: float  # added to the brightness, 0..1, before its logarithm is taken

    @classmethod
    def read(cls, attributes: Mapping[str, str]) -> EventOptions:
        """From a blueprint's attributes. Raises SpawnError."""
        return cls(
            real(attributes, "positive_threshold", 0.01, 1e3),
            real(attributes, "negative_threshold", 0.01, 1e3),
            real(attributes, "sigma_positive_threshold", 0.0, 1e3),
            real(attributes, "sigma_negative_threshold", 0.0, 1e3),
            whole(attributes, "refractory_period_ns", 0, 10**15),
            truth(attributes, "use_log"),
            real(attributes, "log_eps", 1e-6, 1.0),
        )
