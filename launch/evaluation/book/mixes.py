"""Mixes: how often which scenario, in which towns and weather, on routes of what length.

towns: [Aspen, Birch]                 # all towns to train in if left out
scenarios: {ParkedObstacle: 2, PedestrianCrossing: 1}   # shares
weather: {noon: 3, night: 1}          # shares; likewise all that follows may be left out
count: 60                             # routes
seed: 3
first_id: 200
length: [150, 300]                    # m
approach: [15, 60]                    # m from the start to the first trigger
several: 0.2                          # share of routes with two scenarios, where there is room
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path

from linkvla.launch.evaluation.book.values import Between, read_numbers
from linkvla.launch.sim.towns.layouts import TRAINING
from linkvla.launch.yaml_file import read_mapping, shipped_or_own
from linkvla.model.interface.errors import ConfigurationError

SHIPPED_MIXES = Path(__file__).resolve().parent / "mixes"
MOST_ROUTES = 10_000
SHORTEST = 60.0  # m, a route
SHORTEST_APPROACH = 12.0  # m, to the first trigger: the ego must have set off

_LENGTH, _APPROACH = Between(150.0, 300.0), Between(15.0, 60.0)
_WEATHER: Mapping[str, float] = {
    "noon": 4, "overcast": 3, "dusk": 2, "night": 2, "rain": 2, "night-rain": 1, "fog": 1,
}  # fmt: skip


@dataclass(frozen=True)
class Mix:
    """What to draw."""

    scenarios: Mapping[str, float]  # type to share
    towns: tuple[str, ...] = tuple(TRAINING)
    weather: Mapping[str, float] = field(default_factory=lambda: _WEATHER)  # a sky's name to share
    count: int = 20
    seed: int = 0
    first_id: int = 0
    length: Between = _LENGTH  # m
    approach: Between = _APPROACH  # m, from the start to the first trigger
    several: float = 0.0  # share of routes with two scenarios, where there is room

    def __post_init__(self) -> None:
        for what, shares in (("scenarios", self.scenarios), ("weather", self.weather)):
            if not isinstance(shares, Mapping) or not shares or not all(map(_is_share, shares.values())):
                raise ConfigurationError(f"{what} must be {{NAME: SHARE}} with shares above 0, got {shares!r}")
        if not self.towns or not all(isinstance(town, str) for town in self.towns):
            raise ConfigurationError(f"towns must be a list of names, got {self.towns!r}")
        for what, least in (("count", 1), ("seed", 0), ("first_id", 0)):
            number = getattr(self, what)
            if not isinstance(number, int) or number < least:
                raise ConfigurationError(f"{what} must be a whole number from {least} on, got {number!r}")
        if self.count > MOST_ROUTES:
            raise ConfigurationError(f"a file has at most {MOST_ROUTES} routes, got a count of {self.count}")
        if not isinstance(self.several, (int, float)) or not 0 <= self.several <= 1:
            raise ConfigurationError(f"several must be a share between 0 and 1, got {self.several!r}")
        if self.length.least < SHORTEST or self.approach.least < SHORTEST_APPROACH:
            raise ConfigurationError(
                f"length must be {SHORTEST:g} m or more and approach {SHORTEST_APPROACH:g} m or more, "
                f"got {self.length.least:g} and {self.approach.least:g}"
            )


def read_mix(name_or_file: str) -> Mix:
    """A shipped mix by its name, or one of your own from a YAML file.

    Raises:
        ConfigurationError: there is none, or it makes no sense; names the file.
    """
    path = shipped_or_own(name_or_file, SHIPPED_MIXES, "mix")
    raw = read_mapping(path)
    allowed = [one.name for one in fields(Mix)]
    unknown = sorted(str(key) for key in raw if key not in allowed)
    if unknown or "scenarios" not in raw:
        found = f"unknown {', '.join(unknown)}" if unknown else "no scenarios: {TYPE: SHARE}"
        raise ConfigurationError(f"{path}: {found}; a mix has {', '.join(allowed)}")
    try:
        ranges = {key: read_numbers(key, raw[key]) for key in ("length", "approach") if key in raw}
        towns = {"towns": tuple(raw["towns"])} if isinstance(raw.get("towns"), list) else {}
        return Mix(**(raw | ranges | towns))
    except ConfigurationError as error:
        raise ConfigurationError(f"{path}: {error}") from error


def _is_share(share: object) -> bool:
    return isinstance(share, (int, float)) and not isinstance(share, bool) and 0 < share < 1e6
