"""Town03 as published in 2019, with the places that evaluators address by the road ids of a later edition.

The background traffic of scenario_runner and Bench2Drive (``background_activity.py``) takes the roundabout for one
junction and the gas station for another. It finds their parts as ``map.get_waypoint_xodr(road, lane,
s).get_junction()``, with road ids that the file of 2019 does not have, and ends every route of Town03 that crosses
any junction when it gets nothing. Road ids and the borders of junctions are labels: the roads and their shapes are
the same in both editions. So:

* where two junctions on the roundabout's ring are one in the later edition, they become one (those at the ends of its
  arms stay apart: a road that begins and ends at one junction loses its links in CARLA's map);
* of a road that comes in two pieces between two of these junctions, one piece joins its junction, so that leaving the
  one and entering the other happens on one road; in the later edition the pieces are 0.1 to 1 m long;
* a connecting road gets the later id where one fits: in that junction, a driving lane of that number, long enough;
* where none does, since the later junction reaches further out, a marker gets it: a line along the later edition's
  path, whose lanes are of type "none" and zero width, so that nothing drives there, is drawn or ends up on a route.

Which junction of the later edition is where is taken from ``assets/maps/CARLA/Town03.net.xml`` of
BerkeleyLearnVerify/Scenic, made from the later file by SUMO's netconvert: it keeps the ids of junctions, and CARLA's
files number the connecting roads of a junction from its own id upwards (road 1100 is of junction 1082, the next being
1135).

| later junction | at (x, y), m | the named road, lane, s | 2019 |
|---|---|---|---|
| 1082 | 15, 15 | 1100, -5, 16.6 | junction 524, road 526 (lanes -4, -5 from 11.1 to 26.7 m) |
| 1469 | -22, 9 | 1624, -5, 25.3 | junctions 831 and 678; road 833 (lanes -4, -5 from 12.1 to 25.8 m) |
| 1654 | -10, -22 | 1655, -5, 8.3 | junction 685, its first road, 686 (lanes -4, -5, 12.4 m) |
| 1736 | 2, -28 | 1772, 3, 16.2 | junction 584; roads 590, 79 and 757 in a row, none above 13.6 m: marker |
| 1205 | 23, -7 | 1206, -5, 5.9 | junction 594, its first road, 595 (lanes -4, -5, 10.6 m) |
| 1019 | -11, -168 | 1031, -1, 11.3 | junction 775; road 776 has 10.9 m: marker |
| 82 | -2, -192 | 100, -1, 18.8 | junction 94, road 104 (lanes -1, -2, 23.5 m) |
| 1932 | -51, -190 | 1959, -1, 22.7 | junction 515; road 521 has 15.9 m: marker |
"""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class JunctionBorder:
    """What else belongs to a junction."""

    junction: int
    junctions: tuple[int, ...] = ()  # which cease to be junctions of their own
    roads: tuple[int, ...] = ()  # which lie in none so far


@dataclass(frozen=True)
class Label:
    """A connecting road and the id that it gets."""

    road: int
    junction: int  # in which it lies
    later: int


@dataclass(frozen=True)
class Marker:
    """A straight line without traffic that bears an id. OpenDRIVE's axes, metres."""

    later: int
    junction: int
    lane: int
    start: tuple[float, float]
    heading: float  # rad
    length: float


@dataclass(frozen=True)
class Edition:
    """How one edition of a town differs from a later one at the places in question."""

    borders: tuple[JunctionBorder, ...]
    labels: tuple[Label, ...]
    markers: tuple[Marker, ...]


TOWN03_2019 = Edition(
    borders=(
        JunctionBorder(524, roads=(38,)),
        JunctionBorder(831, junctions=(678,), roads=(12, 13, 40)),
        JunctionBorder(584, roads=(9,)),
        JunctionBorder(94, roads=(36,)),
    ),
    labels=(
        Label(526, 524, 1100),
        Label(833, 831, 1624),
        Label(686, 685, 1655),
        Label(595, 594, 1206),
        Label(104, 94, 100),
    ),
    markers=(
        Marker(1772, 584, 3, (14.1, -16.2), -1.9516, 29.46),
        Marker(1031, 775, -1, (-9.3, -156.7), -2.3124, 19.39),
        Marker(1959, 515, -1, (-37.2, -178.3), -2.8320, 25.93),
    ),
)


def with_later_places(name: str, xodr: str, edition: Edition = TOWN03_2019) -> str:
    """The OpenDRIVE text of a town, changed where it is Town03 of that edition; any other text as it came.

    Args:
        name: the town's; evaluators look for ``Town03`` in it, layered maps add to it.
        xodr: well-formed OpenDRIVE text.
    """
    if "Town03" not in name:
        return xodr
    root = ElementTree.fromstring(xodr)
    if not _is_of(root, edition):
        return xodr
    for border in edition.borders:
        _widen(root, border)
    _rename(root, {str(label.road): str(label.later) for label in edition.labels})
    first_junction = list(root).index(root.find("junction"))
    for marker in edition.markers:
        root.insert(first_junction, _marker(marker))
    return ElementTree.tostring(root, encoding="unicode")


def _is_of(root: ElementTree.Element, edition: Edition) -> bool:
    """Whether the roads to be renamed lie where they should and their new ids are free, among junctions' too."""
    junction_of = {road.get("id"): road.get("junction") for road in root.findall("road")}
    taken = {*junction_of, *(junction.get("id") for junction in root.findall("junction"))}
    new = {str(place.later) for place in (*edition.labels, *edition.markers)}
    there = {str(label.road): str(label.junction) for label in edition.labels}
    return there.items() <= junction_of.items() and not new & taken


def _widen(root: ElementTree.Element, border: JunctionBorder) -> None:
    """Move roads and the contents of other junctions into one, with every reference to those."""
    own, swallowed = str(border.junction), {str(junction) for junction in border.junctions}
    inner = {str(road) for road in border.roads}
    for road in root.findall("road"):
        if road.get("id") in inner or road.get("junction") in swallowed:
            road.set("junction", own)
        for end in road.findall("link/*"):
            if end.get("elementType") == "junction" and end.get("elementId") in swallowed:
                end.set("elementId", own)
    keeper = _junction(root, own)
    for other in border.junctions:
        gone = _junction(root, str(other))
        keeper.extend(gone)
        root.remove(gone)
    for number, connection in enumerate(keeper.findall("connection")):
        connection.set("id", str(number))


def _junction(root: ElementTree.Element, junction_id: str) -> ElementTree.Element:
    return next(junction for junction in root.findall("junction") if junction.get("id") == junction_id)


def _rename(root: ElementTree.Element, later: dict[str, str]) -> None:
    """Give roads their new ids, and all references to them."""
    for road in root.findall("road"):
        _replace(road, "id", later)
        for end in road.findall("link/*"):
            if end.get("elementType") == "road":
                _replace(end, "elementId", later)
    for connection in root.findall("junction/connection"):
        _replace(connection, "incomingRoad", later)
        _replace(connection, "connectingRoad", later)


def _replace(element: ElementTree.Element, attribute: str, later: dict[str, str]) -> None:
    value = element.get(attribute, "")
    if value in later:
        element.set(attribute, later[value])


def _marker(marker: Marker) -> ElementTree.Element:
    """The ``<road>`` of a marker: lanes from the middle to the one that is asked for."""
    length = repr(marker.length)
    attributes = {"name": f"Marker {marker.later}", "length": length, "id": str(marker.later)}
    road = ElementTree.Element("road", {**attributes, "junction": str(marker.junction)})
    ElementTree.SubElement(road, "link")
    x, y = (repr(value) for value in marker.start)
    plan = ElementTree.SubElement(road, "planView")
    place = {"s": "0.0", "x": x, "y": y, "hdg": repr(marker.heading), "length": length}
    ElementTree.SubElement(ElementTree.SubElement(plan, "geometry", place), "line")
    section = ElementTree.SubElement(ElementTree.SubElement(road, "lanes"), "laneSection", {"s": "0.0"})
    left, centre, right = (ElementTree.SubElement(section, side) for side in ("left", "center", "right"))
    _add_lanes(left, range(marker.lane, 0, -1))
    _add_lanes(centre, (0,))
    _add_lanes(right, range(-1, marker.lane - 1, -1))
    return road


def _add_lanes(side: ElementTree.Element, lane_ids: Iterable[int]) -> None:
    for lane_id in lane_ids:
        lane = ElementTree.SubElement(side, "lane", {"id": str(lane_id), "type": "none", "level": "false"})
        if lane_id:
            ElementTree.SubElement(lane, "width", {"sOffset": "0.0", "a": "0.0", "b": "0.0", "c": "0.0", "d": "0.0"})
