"""The part of a line that becomes a route: from some way before its first scenario to some way behind its last."""

from __future__ import annotations

import random
from collections.abc import Sequence

import carla
import numpy as np

from linkvla.agent.navigation.road_graph import RoadGraph
from linkvla.launch.evaluation.book.lines import Line
from linkvla.launch.evaluation.book.mixes import SHORTEST_APPROACH
from linkvla.launch.evaluation.book.values import Between
from linkvla.launch.sim.towns.route_xml import keypoints
from linkvla.model.interface.errors import RouteError

_START_BEHIND, _START_BEFORE = 6, 15  # m without a junction behind and before the start, which is no stop line
_END_BEHIND, _END_BEFORE = 15, 12  # m without a junction before and behind the end
_ROOM = 5  # m from where the last scenario is over to the end, at least
_ASTRAY = 1.5  # m that the traced way may be off the line
_LENGTH_OFF = 4.0  # m


def cut(line: Line, first: int, last: int, lengths: tuple[Between, Between], chance: random.Random) -> range | None:
    """Indices of the line's waypoints that make a route.

    Args:
        line: where.
        first: index of the first trigger.
        last: index where the last scenario is over.
        lengths: m, from the start to the first trigger, and of the whole.
        chance: of both.

    Returns:
        None where the line has no room for one, passes a place twice, or is not the shortest way.
    """
    approach, length = lengths
    start = _start(line, first, approach.number(chance), approach)
    if start is None:
        return None
    end = _end(line, start, last, length.number(chance), length)
    if end is None:
        return None
    piece = range(start, end + 1)
    return piece if _passes_once(line, piece) else None


def leads_back(roads: RoadGraph, waypoints: Sequence[carla.Waypoint]) -> bool:
    """Whether a route file with these waypoints' key points leads along them."""
    places = [waypoint.transform.location for waypoint in waypoints]
    points = [waypoint.transform.location for waypoint in keypoints(waypoints)]
    try:
        traced = roads.trace([(point.x, point.y, point.z) for point in points])
    except RouteError:
        return False
    if abs(float(traced.arc[-1]) - (len(waypoints) - 1)) > _LENGTH_OFF:
        return False
    meant = np.array([(place.x, place.y) for place in places])
    driven = np.stack([traced.x, traced.y], axis=1)
    off = np.linalg.norm(meant[:, None] - driven[None], axis=2).min(axis=1)
    return bool(off.max() < _ASTRAY)


def _start(line: Line, trigger: int, wanted: float, approach: Between) -> int | None:
    approaches = range(int(min(approach.least, SHORTEST_APPROACH)), int(approach.most) + 1)
    for metres in sorted(approaches, key=lambda one: abs(one - wanted)):
        start = trigger - metres
        free = line.since_junction[start] > _START_BEHIND and line.until_junction[start] > _START_BEFORE
        if start >= 0 and free:
            return start
    return None


def _end(line: Line, start: int, over: int, wanted: float, length: Between) -> int | None:
    least, most = max(over + _ROOM, start + int(length.least)), start + int(length.most)
    ends = range(least, min(most, len(line.waypoints) - 1) + 1)
    for end in sorted(ends, key=lambda index: abs(index - start - wanted)):
        if line.since_junction[end] > _END_BEHIND and line.until_junction[end] > _END_BEFORE:
            return end
    return None


def _passes_once(line: Line, piece: range) -> bool:
    """Whether it is in no lane and in no junction twice."""
    lanes: list[tuple[int, int, int]] = []
    junctions: list[int] = []
    for index in piece:
        point = line.waypoints[index]
        lane = (point.road_id, point.section_id, point.lane_id)
        if not lanes or lanes[-1] != lane:
            lanes.append(lane)
        if point.is_junction and not line.inside[index - 1]:
            junctions.append(point.junction_id)
    return len(set(lanes)) == len(lanes) and len(set(junctions)) == len(junctions)
