"""The shipped routes with scenarios: one stretch of lane each, and what happens on it. Written by ``routes``."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import carla

from linkvla.launch.sim.towns import route_xml

FIRST_ID = 100  # so that ids differ from those of the routes without scenarios
_SPACING = 20  # m between route points
_START, _END = 4, 16  # m that are left out at the lane's ends; cars may stand before the junction
_WEATHER = {
    "cloudiness": "10", "precipitation": "0", "precipitation_deposits": "0", "wetness": "0", "wind_intensity": "10",
    "sun_azimuth_angle": "-1", "sun_altitude_angle": "45", "fog_density": "2", "fog_distance": "0.75",
    "fog_falloff": "0.1",
}  # fmt: skip


class Stretch(NamedTuple):
    """A lane from a place on it to its end, with a scenario of the leaderboard."""

    town: str
    x: float  # m, world, on the lane
    y: float
    scenario: str
    trigger: int  # m from the route's start
    distance: int | None = None  # m from the trigger, where the scenario takes one


STRETCHES = (
    Stretch("Ginkgo", 137.7, -15.6, "ParkedObstacle", 10, 55),
    Stretch("Ginkgo", 13.5, 7.5, "Accident", 10, 45),
    Stretch("Cedar", 89.3, -100.2, "ConstructionObstacle", 10, 50),
    Stretch("Dogwood", 84.3, -105.1, "ParkedObstacleTwoWays", 40, 90),
    Stretch("Dogwood", -2.2, 135.1, "AccidentTwoWays", 40, 90),
    Stretch("Dogwood", -3.7, -135.9, "ConstructionObstacleTwoWays", 40, 90),
    Stretch("Ironwood", -53.4, 151.5, "DynamicObjectCrossing", 50, 30),
    Stretch("Ironwood", -86.2, -132.4, "PedestrianCrossing", 70),
    Stretch("Larch", 221.7, -16.5, "HardBreakRoute", 40),
    Stretch("Aspen", 125.2, -87.8, "DynamicObjectCrossing", 30, 25),
)


def write(load: Callable[[str], carla.Map], path: Path) -> None:
    """Write the route file; ``load`` gives a town's map."""
    root = ElementTree.Element("routes")
    for number, stretch in enumerate(STRETCHES, FIRST_ID):
        lane = _lane(load(stretch.town).get_waypoint(carla.Location(stretch.x, stretch.y, 0.0)))[_START:-_END]
        weathers = [{"route_percentage": percent} | _WEATHER for percent in ("0", "100")]
        scenarios = route_xml.add_route(root, number, stretch.town, [*lane[:-1:_SPACING], lane[-1]], weathers)
        parameters = {} if stretch.distance is None else {"distance": {"value": str(stretch.distance)}}
        route_xml.add_scenario(scenarios, stretch.scenario, lane[stretch.trigger], parameters)
        print(f"{path.stem} {number}: {stretch.town} {len(lane) - 1} m: {stretch.scenario}")
    path.write_text(route_xml.text_of(root), encoding="utf-8")


def _lane(waypoint: carla.Waypoint) -> list[carla.Waypoint]:
    """The lane from here to its end, a waypoint a metre."""
    found = [waypoint]
    while (following := waypoint.next(1.0)) and not following[0].is_junction:
        waypoint = following[0]
        found.append(waypoint)
    return found
