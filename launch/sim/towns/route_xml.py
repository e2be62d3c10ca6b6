"""Route files in the leaderboard's format: routes along given waypoints, their weather and scenarios."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from collections.abc import Mapping, Sequence

import carla

SPACING = 25  # m between route points on a lane
WEATHER_FIELDS = (
    "cloudiness", "precipitation", "precipitation_deposits", "wetness", "wind_intensity", "sun_azimuth_angle",
    "sun_altitude_angle", "fog_density", "fog_distance", "fog_falloff",
)  # fmt: skip


def keypoints(waypoints: Sequence[carla.Waypoint]) -> list[carla.Waypoint]:
    """Of waypoints a metre apart those that a route file needs for a shortest-path tracer to find the same way.

    One every 25 m along the lanes, and 2 m before and after every junction; none inside one.
    """
    inside = [waypoint.is_junction for waypoint in waypoints]
    last = len(inside) - 1
    keep, since = [0], 0
    for index in range(1, last):
        since += 1
        near = inside[index - 2 : index + 3]
        boundary = near in ([False] * 4 + [True], [True] + [False] * 4)
        if boundary or (since >= SPACING and not any(near)):
            keep.append(index)
            since = 0
    return [waypoints[index] for index in [*keep, last]]


def add_route(
    root: ElementTree.Element,
    number: int,
    town: str,
    points: Sequence[carla.Waypoint],
    weathers: Sequence[Mapping[str, str]],
) -> ElementTree.Element:
    """Add a route without scenarios.

    Args:
        root: of the file, ``<routes>``.
        number: its id.
        points: what ``keypoints`` gives, or others.
        weathers: attributes of each ``<weather>``.

    Returns:
        Its ``<scenarios>``.
    """
    route = ElementTree.SubElement(root, "route", id=str(number), town=town)
    sky = ElementTree.SubElement(route, "weathers")
    for weather in weathers:
        ElementTree.SubElement(sky, "weather", dict(weather))
    positions = ElementTree.SubElement(route, "waypoints")
    for point in points:
        ElementTree.SubElement(positions, "position", _place(point))
    return ElementTree.SubElement(route, "scenarios")


def add_scenario(
    scenarios: ElementTree.Element, kind: str, trigger: carla.Waypoint, parameters: Mapping[str, Mapping[str, str]]
) -> None:
    """Add a scenario; ``parameters`` are the attributes of its elements by their names."""
    number = sum(one.get("type") == kind for one in scenarios) + 1
    scenario = ElementTree.SubElement(scenarios, "scenario", name=f"{kind}_{number}", type=kind)
    yaw = {"yaw": f"{trigger.transform.rotation.yaw:.2f}"}
    ElementTree.SubElement(scenario, "trigger_point", _place(trigger) | yaw)
    for name, attributes in parameters.items():
        ElementTree.SubElement(scenario, name, dict(attributes))


def text_of(root: ElementTree.Element) -> str:
    """The file."""
    ElementTree.indent(root, "  ")
    return ElementTree.tostring(root, encoding="unicode") + "\n"


def _place(waypoint: carla.Waypoint) -> dict[str, str]:
    place = waypoint.transform.location
    return {"x": f"{place.x:.2f}", "y": f"{place.y:.2f}", "z": f"{place.z:.2f}"}
