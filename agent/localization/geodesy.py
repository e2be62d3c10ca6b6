"""Between geographic coordinates and CARLA's world frame: the leaderboard's projection, and that of CARLA 0.9.16."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from linkvla.model.interface.errors import RouteError

EARTH_RADIUS = 6378137.0
"""Metres (WGS 84 equatorial), as in CARLA and the leaderboard."""

_SCALE_0916 = 0.9996  # of CARLA 0.9.16's projection, whatever the map's geoReference says

_DEFAULT_LATITUDE, _DEFAULT_LONGITUDE = 42.0, 2.0  # the leaderboard's values for a map without a geoReference


@dataclass(frozen=True)
class GeoReference:
    """Latitude and longitude (degrees) of the origin of a map.

    x = s R rad(lon - lon0), y = s R (ln tan((90 + lat0) pi/360) - ln tan((90 + lat) pi/360)) with s = cos(lat0):
    x grows to the east, y to the south.
    """

    latitude: float
    longitude: float

    @classmethod
    def from_opendrive(cls, opendrive: str) -> GeoReference:
        """Read ``+lat_0`` and ``+lon_0`` of a map's geoReference; 42 N 2 E where it has none (leaderboard)."""
        values = []
        for name, default in (("lat_0", _DEFAULT_LATITUDE), ("lon_0", _DEFAULT_LONGITUDE)):
            found = re.search(rf"\+{name}=([-+0-9.eE]+)", opendrive)
            values.append(float(found.group(1)) if found else default)
        return cls(*values)

    @classmethod
    def from_pairs(cls, geographic: Sequence[Sequence[float]], world: Sequence[Sequence[float]]) -> GeoReference:
        """Solve for the reference from points known both ways.

        Args:
            geographic: (n, 2) latitude and longitude in degrees.
            world: (n, 2) x and y in metres.

        Raises:
            RouteError: no reference explains the pairs to within a metre.
        """
        from scipy.optimize import least_squares  # late: half of the start of whoever never solves

        degrees, metres = np.asarray(geographic, float)[:, :2], np.asarray(world, float)[:, :2]
        # The unknowns are scaled to metres; around a first guess the problem is almost linear.
        scale = math.radians(1.0) * EARTH_RADIUS
        start = degrees[0] - np.array([-metres[0, 1], metres[0, 0]]) / scale

        def residual(offset: np.ndarray) -> np.ndarray:
            latitude, longitude = start + offset / scale
            return (cls(latitude, longitude).to_world(degrees) - metres).ravel()

        solution = least_squares(residual, np.zeros(2), x_scale=1.0, xtol=1e-15, ftol=1e-15, gtol=1e-15)
        worst = float(np.abs(solution.fun).max())
        if not worst < 1.0:
            raise RouteError(
                f"the GPS and world plans disagree by {worst:.1f} m under the Mercator formula; "
                "pass both plans of the same route to set_global_plan"
            )
        latitude, longitude = start + solution.x / scale
        return cls(float(latitude), float(longitude))

    def to_world(self, geographic: np.ndarray) -> np.ndarray:
        """(..., 2) latitude and longitude in degrees -> (..., 2) x and y in metres."""
        degrees = np.asarray(geographic, float)
        scale = math.cos(math.radians(self.latitude)) * EARTH_RADIUS
        x = scale * np.radians(degrees[..., 1] - self.longitude)
        y = scale * (_northing(self.latitude) - _northing(degrees[..., 0]))
        return np.stack([x, y], axis=-1)

    def to_world_0916(self, geographic: np.ndarray) -> np.ndarray:
        """The same from latitude and longitude as CARLA 0.9.16 makes them: latitude grows to the SOUTH there.

        Its projection is a transverse Mercator one of the sphere, scaled by 0.9996: at the reference the plain reading
        is mirrored, and it is off by up to some metres more in CARLA's large towns.
        """
        degrees = np.asarray(geographic, float)
        latitude, turned = np.radians(degrees[..., 0]), np.radians(degrees[..., 1] - self.longitude)
        scale = _SCALE_0916 * EARTH_RADIUS
        x = scale * np.arctanh(np.cos(latitude) * np.sin(turned))
        y = scale * (np.arctan2(np.tan(latitude), np.cos(turned)) - math.radians(self.latitude))
        return np.stack([x, y], axis=-1)

    def to_geographic(self, world: np.ndarray) -> np.ndarray:
        """(..., 2) x and y in metres -> (..., 2) latitude and longitude in degrees."""
        metres = np.asarray(world, float)
        scale = math.cos(math.radians(self.latitude)) * EARTH_RADIUS
        longitude = self.longitude + np.degrees(metres[..., 0] / scale)
        latitude = 360.0 / math.pi * np.arctan(np.exp(_northing(self.latitude) - metres[..., 1] / scale)) - 90.0
        return np.stack([latitude, longitude], axis=-1)


def _northing(latitude: float | np.ndarray) -> float | np.ndarray:
    """Mercator northing on the unit sphere of a latitude in degrees."""
    return np.log(np.tan((90.0 + np.asarray(latitude, float)) * math.pi / 360.0))
