"""Superelevation: roads that lean across. ``carla.Map`` does not know it: its lanes are level from edge to edge."""

from __future__ import annotations

import math
import xml.etree.ElementTree as ElementTree
from typing import TYPE_CHECKING

from linkvla.launch.sim.world.opendrive import number, tree

if TYPE_CHECKING:
    import carla

_STEEPEST = 0.3  # rad; more is a damaged file


class Superelevation:
    """How roads of an OpenDRIVE text lean."""

    def __init__(self, xodr: str) -> None:
        self._roads: dict[int, ElementTree.Element] = {}
        if "<superelevation" in xodr:
            for road in tree(xodr).findall("road"):
                entries = road.findall("lateralProfile/superelevation")
                if any(number(entry, name) for entry in entries for name in "abcd"):
                    self._roads[int(road.get("id", "0"))] = road

    def tilt(self, waypoint: carla.Waypoint) -> tuple[float, float]:
        """(metres by which the middle of a lane lies higher than the map says, slope to the right of travel)."""
        road = self._roads.get(waypoint.road_id)
        if road is None:
            return 0.0, 0.0
        angle = polynomial(road, "lateralProfile/superelevation", waypoint.s)  # rad; the left edge is up, ahead along s
        slope = math.tan(min(max(angle, -_STEEPEST), _STEEPEST))
        side = 1.0 if waypoint.lane_id > 0 else -1.0
        left = side * from_lane_0(waypoint) + polynomial(road, "lanes/laneOffset", waypoint.s)
        return left * slope, side * slope


def polynomial(road: ElementTree.Element, path: str, s: float) -> float:
    """Value at ``s`` metres along a road of a profile that the file gives as cubic pieces; 0 before the first."""
    value = 0.0
    for element in road.findall(path):
        start, a, b, c, d = (number(element, name) for name in ("s", "a", "b", "c", "d"))
        if start <= s:
            ds = s - start
            value = a + ds * (b + ds * (c + ds * d))
    return value


def from_lane_0(waypoint: carla.Waypoint) -> float:
    """Metres from lane 0 to the middle of a waypoint's lane."""
    total, lane = waypoint.lane_width / 2.0, waypoint.get_left_lane()
    while lane is not None and lane.lane_id * waypoint.lane_id > 0:
        total, lane = total + lane.lane_width, lane.get_left_lane()
    return total
