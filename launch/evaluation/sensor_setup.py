"""What sensors an agent may have: the leaderboard's rules."""

from __future__ import annotations

import math
from collections.abc import Sequence

MAX_RADIUS = 3.0
"""Metres that a sensor may be from the ego's origin (leaderboard)."""

SENSOR_LIMITS = {
    "sensor.camera.rgb": 8,
    "sensor.lidar.ray_cast": 2,
    "sensor.other.radar": 4,
    "sensor.other.gnss": 1,
    "sensor.other.imu": 1,
    "sensor.opendrive_map": 1,
    "sensor.speedometer": 1,
}
"""Number of sensors of each type that an agent may have (leaderboard, tracks SENSORS and MAP)."""


class SensorError(Exception):
    """The agent asks for sensors that it may not have."""


def check_sensors(specs: Sequence[dict], track: str = "SENSORS") -> None:
    """Raise ``SensorError`` for what the leaderboard rejects: types, numbers, ids, places."""
    ids: set[str] = set()
    counts: dict[str, int] = {}
    for spec in specs:
        type_id, tag = spec.get("type"), spec.get("id")
        if type_id not in SENSOR_LIMITS:
            raise SensorError(f"sensor type {type_id!r} is not allowed; allowed are {', '.join(SENSOR_LIMITS)}")
        if not tag or tag in ids:
            raise SensorError(f"sensor id {tag!r} is missing or used twice; every sensor needs its own id")
        ids.add(tag)
        if type_id == "sensor.opendrive_map" and "MAP" not in track:
            raise SensorError(f"sensor.opendrive_map is not allowed on track {track}; use track MAP")
        if math.hypot(*(float(spec.get(axis, 0.0)) for axis in "xyz")) > MAX_RADIUS:
            raise SensorError(f"sensor {tag!r} is more than {MAX_RADIUS:g} m from the ego's origin; move it closer")
        counts[type_id] = counts.get(type_id, 0) + 1
        if counts[type_id] > SENSOR_LIMITS[type_id]:
            raise SensorError(f"more than {SENSOR_LIMITS[type_id]} sensors of type {type_id}; remove some")
