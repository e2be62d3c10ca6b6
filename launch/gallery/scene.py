"""A picture of the gallery, as data: a town, a place in it, the weather, what stands there and from where one looks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Placed:
    """An actor at a place that is given from the scene's start: metres ahead and to the right, degrees to the right."""

    blueprint: str
    ahead: float
    right: float = 0.0
    turn: float = 0.0
    colour: str = ""  # "r,g,b" of vehicles; empty: the blueprint's
    brake: bool = False
    lamps: str = ""  # names of carla.VehicleLightState, comma separated
    walk: float = 0.0  # m/s, of people
    raised: float = 0.0  # m over the road


@dataclass(frozen=True)
class View:
    """Where the camera stands, from the scene's start: metres, degrees."""

    ahead: float = -6.0
    right: float = 0.0
    up: float = 2.2
    turn: float = 0.0
    pitch: float = -4.0
    fov: float = 80.0


@dataclass(frozen=True)
class Scene:
    """One picture. The start is a spawn point of the town: the middle of a lane, looking along it."""

    name: str
    caption: str
    town: str
    start: int
    weather: Mapping[str, float]  # fields of carla.WeatherParameters; the others are those of a clear day
    actors: tuple[Placed, ...]
    view: View = field(default_factory=View)
    ticks: int = 30  # of 0.05 s before the picture: people walk, cars stand
