"""Weather along a route: constant with one entry, interpolated over the route with more."""

from __future__ import annotations

from collections.abc import Sequence

import carla
import numpy as np

from linkvla.launch.evaluation.route_file import WeatherKeypoint
from linkvla.model.interface.errors import RouteError

_BASE = {"cloudiness": 50.0, "sun_altitude_angle": 70.0}
"""What the leaderboard starts from where a route says nothing."""

_STEP = 1.0  # percent of the route between two changes


class RouteWeather:
    """Applies a route's weather to the world.

    Args:
        keypoints: as in the route file, by rising percentage; none = the leaderboard's base weather.

    Raises:
        RouteError: a parameter that ``carla.WeatherParameters`` does not have.
    """

    def __init__(self, keypoints: Sequence[WeatherKeypoint]) -> None:
        allowed = [name for name in dir(carla.WeatherParameters()) if name[0].islower()]
        for keypoint in keypoints:
            for name in keypoint.parameters:
                if name not in allowed:
                    raise RouteError(f"unknown weather parameter {name!r}; allowed are {', '.join(allowed)}")
        self._percentages = [keypoint.route_percentage for keypoint in keypoints] or [0.0]
        tables = [keypoint.parameters for keypoint in keypoints] or [{}]
        names = sorted(set(_BASE).union(*tables))
        default = carla.WeatherParameters()
        self._columns = {
            name: [table.get(name, _BASE.get(name, getattr(default, name))) for table in tables] for name in names
        }
        self._applied_at: float | None = None

    def at(self, percent: float) -> carla.WeatherParameters:
        """Weather at a percentage of the route."""
        weather = carla.WeatherParameters()
        for name, values in self._columns.items():
            setattr(weather, name, float(np.interp(percent, self._percentages, values)))
        return weather

    def apply(self, world: carla.World, percent: float) -> None:
        """Set the weather, at the start and then once per percent if it changes along the route."""
        if self._applied_at is None or (len(self._percentages) > 1 and percent - self._applied_at >= _STEP):
            world.set_weather(self.at(percent))
            self._applied_at = percent
