"""Weather that is drawn from ranges: noon, dusk, night, rain, fog and what a file adds."""

from __future__ import annotations

import random
from collections.abc import Mapping
from pathlib import Path

from linkvla.launch.evaluation.book.values import Between, read_numbers
from linkvla.launch.sim.towns.route_xml import WEATHER_FIELDS
from linkvla.launch.yaml_file import read_mapping
from linkvla.model.interface.errors import ConfigurationError

SHIPPED_SKIES = Path(__file__).resolve().parent / "skies.yaml"

Sky = Mapping[str, Between]
"""Ranges by the names of ``carla.WeatherParameters``."""


def read_skies(path: Path = SHIPPED_SKIES) -> dict[str, Sky]:
    """The kinds of weather by name. Raises ConfigurationError."""
    found = {}
    for name, raw in read_mapping(path).items():
        what = f"{path.name}: {name}"
        if not isinstance(raw, dict):
            raise ConfigurationError(f"{what} must be a table of ranges, got {raw!r}")
        unknown = sorted(set(raw) - set(WEATHER_FIELDS))
        if unknown:
            raise ConfigurationError(f"{what}: unknown {', '.join(unknown)}; allowed are {', '.join(WEATHER_FIELDS)}")
        found[str(name)] = {field: read_numbers(f"{what}: {field}", value) for field, value in raw.items()}
    return found


def draw_sky(sky: Sky, chance: random.Random) -> dict[str, str]:
    """One weather, as the attributes of a route file's ``<weather>``; what the sky leaves out is 0."""
    drawn = {field: f"{value.number(chance):g}" for field, value in sky.items()}
    return {field: drawn.get(field, "0") for field in WEATHER_FIELDS}
