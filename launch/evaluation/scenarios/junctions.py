"""The junction that a lane leads to: who comes to it from where, and the ways through it. Nothing asks the server."""

from __future__ import annotations

import carla
import numpy as np

from linkvla.launch.evaluation.facts import RouteLine
from linkvla.launch.evaluation.scenarios.places import ahead
from linkvla.launch.evaluation.scenarios.scenery import NoRoomError

STRAIGHT, RIGHT = 0.0, 90.0
"""Ways through a junction, by the degrees that they turn to the right."""

_STEP = 1.0  # m
_LONGEST = 2000  # m, in which a lane has to come to a junction, and a junction to an end
_NEAR = 5  # m from the last waypoint before a junction to the junction, at most
_OUT_OF_IT = (
    10  # m from where a lane in a junction begins to outside, at most: junctions can follow each other in a ring
)
_STRAIGHT_ON = 30.0  # degrees
_SIDES = ((225.0, 330.0, "right"), (135.0, 225.0, "opposite"), (_STRAIGHT_ON, 135.0, "left"))
"""Where somebody comes from, by the degrees from the ego's heading to theirs: scenario_runner's division."""


class Crossroads:
    """The junction at the end of a lane.

    Args:
        lane: on it.

    Raises:
        NoRoomError: the lane leads to none.
    """

    def __init__(self, lane: carla.Waypoint) -> None:
        self.entry = ahead(lane, _LONGEST)
        inside = self.entry.next(_STEP)
        if not inside or not inside[0].is_junction:
            raise NoRoomError("its lane leads to no junction")
        self._inside = inside[0]
        self.junction = inside[0].get_junction()
        self.entries = entries(self.junction)

    def entries_from(self, side: str) -> list[carla.Waypoint]:
        """The last waypoint of each lane that comes from a side: left, right or opposite.

        Raises:
            NoRoomError: none does.
        """
        heading = self._inside.transform.rotation.yaw
        found = [entry for entry in self.entries if _side(entry.transform.rotation.yaw - heading) == side]
        if not found:
            raise NoRoomError(f"no lane comes to its junction from the side {side!r}")
        return found

    def area(self) -> list[tuple[float, float]]:
        """Places (x, y; m, world) on the lanes inside, one every metre."""
        pairs = self.junction.get_waypoints(carla.LaneType.Driving)
        return [flat(place) for begin, _ in pairs for place in _to_the_exit(begin)[:-1]]


def entries(junction: carla.Junction) -> list[carla.Waypoint]:
    """The last waypoint before a junction on each lane that leads into it."""
    found: dict[tuple[int, int], carla.Waypoint] = {}
    for before, _ in junction.get_waypoints(carla.LaneType.Driving):
        for _ in range(_OUT_OF_IT):
            if before is None or not before.is_junction:
                break
            before = next(iter(before.previous(_STEP)), None)
        if before is not None and not before.is_junction:
            found.setdefault((before.road_id, before.lane_id), before)
    return list(found.values())


def way_through(entry: carla.Waypoint, turn: float, before: float, beyond: float) -> list[carla.Waypoint]:
    """A waypoint every metre through a junction, on the lane that turns most nearly as wanted.

    Args:
        entry: the last before the junction.
        turn: degrees to the right.
        before, beyond: m on the roads to it and from it; less where these come from or lead to another junction.

    Raises:
        NoRoomError: the lane does not lead out of the junction.
    """
    approach = [entry]
    while len(approach) <= before and (previous := approach[-1].previous(_STEP)) and not previous[0].is_junction:
        approach.append(previous[0])
    heading = entry.transform.rotation.yaw
    branches = [_to_the_exit(branch) for branch in _branches(entry)]
    inside = min(branches, key=lambda way: abs(_turned(way[-1].transform.rotation.yaw - heading - turn)))
    leaving = [inside[-1]]
    while len(leaving) <= beyond and (following := leaving[-1].next(_STEP)) and not following[0].is_junction:
        leaving.append(following[0])
    return [*reversed(approach), *inside[:-1], *leaving]


def how_far_off(entry: carla.Waypoint, turn: float) -> float:
    """Degrees between a wanted turn and the one that is nearest to it from a lane; raises as ``way_through``."""
    way = way_through(entry, turn, 0.0, 0.0)
    return abs(_turned(way[-1].transform.rotation.yaw - entry.transform.rotation.yaw - turn))


def next_junction(line: RouteLine, town: carla.Map, start: carla.Waypoint) -> tuple[slice, carla.Waypoint]:
    """Where a route goes through its next junction.

    Args:
        line: the route.
        town: its map.
        start: on it.

    Returns:
        The route's points from ``start`` to the first beyond the junction, and the waypoint there.

    Raises:
        NoRoomError: the route does not come out of a junction any more.
    """
    place = start.transform.location
    begin = int(np.argmin(np.linalg.norm(line.points - np.array([place.x, place.y, place.z]), axis=1)))
    inside = False
    for index in range(begin, len(line)):
        waypoint = town.get_waypoint(carla.Location(*line.points[index].tolist()))
        if inside and not waypoint.is_junction:
            return slice(begin, index + 1), waypoint
        inside = inside or waypoint.is_junction
    raise NoRoomError("its route ends before it has left a junction")


def flat(waypoint: carla.Waypoint) -> tuple[float, float]:
    """x and y, m, world."""
    place = waypoint.transform.location
    return place.x, place.y


def _branches(entry: carla.Waypoint) -> list[carla.Waypoint]:
    """The first waypoint in the junction on each of its lanes that lead on."""
    found = entry.next(_STEP)
    for _ in range(_NEAR):
        if not found or found[0].is_junction:
            break
        found = found[0].next(_STEP)
    if not found or not found[0].is_junction:
        raise NoRoomError("a lane that comes to its junction does not lead through it")
    return found


def _to_the_exit(inside: carla.Waypoint) -> list[carla.Waypoint]:
    """Along one lane of a junction, to the first waypoint outside."""
    way = [inside]
    while way[-1].is_junction:
        following = way[-1].next(_STEP)
        if not following or len(way) > _LONGEST:
            raise NoRoomError("a lane ends inside its junction")
        way.append(following[0])
    return way


def _side(degrees: float) -> str:
    degrees %= 360.0
    return next((name for least, greatest, name in _SIDES if least < degrees <= greatest), "same")


def _turned(degrees: float) -> float:
    return (degrees + 180.0) % 360.0 - 180.0
