"""``sensor.other.gnss``: latitude and longitude by the leaderboard's own Mercator formula.

The 0.9.16 client's ``transform_to_geolocation`` mirrors the latitude; route plans use the older formula, in which
latitude grows to the north, i.e. towards -y. Only that one lets an agent compare its GNSS with its GPS route.
"""

from __future__ import annotations

import math
import re
from functools import lru_cache
from typing import TYPE_CHECKING

from linkvla.launch.sim.sensors.noise import disturbed
from linkvla.launch.sim.world.actors import Sensor

if TYPE_CHECKING:
    from linkvla.launch.sim.world.world import World

EARTH_RADIUS = 6378137.0  # m
DEFAULT_REFERENCE = (42.0, 2.0)  # degrees; what the leaderboard takes when a map has no reference


@lru_cache(maxsize=8)
def geo_reference(xodr: str) -> tuple[float, float]:
    """(latitude, longitude) in degrees of the town's origin, from ``+lat_0`` and ``+lon_0`` of its geoReference."""
    found = re.search(r"<geoReference>(.*?)</geoReference>", xodr, re.DOTALL)
    text = found.group(1) if found else ""
    latitude = re.search(r"\+lat_0=([-+.\deE]+)", text)
    longitude = re.search(r"\+lon_0=([-+.\deE]+)", text)
    return (
        float(latitude.group(1)) if latitude else DEFAULT_REFERENCE[0],
        float(longitude.group(1)) if longitude else DEFAULT_REFERENCE[1],
    )


def to_geolocation(x: float, y: float, reference: tuple[float, float]) -> tuple[float, float]:
    """(latitude, longitude) in degrees of a world point in metres, for an origin in degrees."""
    latitude_0, longitude_0 = reference
    scale = EARTH_RADIUS * math.cos(math.radians(latitude_0))
    east = scale * math.radians(longitude_0) + x
    north = scale * math.log(math.tan(math.radians(90.0 + latitude_0) / 2.0)) - y
    return math.degrees(2.0 * math.atan(math.exp(north / scale))) - 90.0, math.degrees(east / scale)


def measure(world: World, sensor: Sensor) -> tuple[float, float, float]:
    """(latitude in degrees, longitude in degrees, altitude in metres) with the sensor's noise."""
    pose = sensor.pose
    latitude, longitude = to_geolocation(pose.x, pose.y, geo_reference(world.town.xodr))
    return (
        disturbed(sensor, latitude, "noise_lat_bias", "noise_lat_stddev"),
        disturbed(sensor, longitude, "noise_lon_bias", "noise_lon_stddev"),
        disturbed(sensor, pose.z, "noise_alt_bias", "noise_alt_stddev"),
    )
