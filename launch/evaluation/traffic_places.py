"""Where cars can come from around a route: the other arms of its junctions, the lanes beside its own. Map only."""

from __future__ import annotations

from dataclasses import dataclass

import carla

from linkvla.launch.evaluation.facts import RouteLine
from linkvla.launch.evaluation.scenarios.junctions import entries
from linkvla.launch.evaluation.scenarios.places import behind, same_way, to_the_side

ARM_LENGTH = 60.0  # m before its junction, at most, where a car of an arm appears
SHORTEST_ARM = 15.0  # m; from a shorter arm nobody comes, since he would appear in the junction


@dataclass(frozen=True)
class Arm:
    """A lane by which others come to a junction of the route."""

    place: carla.Waypoint  # where they appear
    length: float  # m, from there to the junction


@dataclass(frozen=True)
class JunctionOnRoute:
    """A junction that the route goes through."""

    entry: float  # m along the route
    exit: float  # likewise
    arms: tuple[Arm, ...]  # without the route's own road


def junctions_of(line: RouteLine, town: carla.Map) -> list[JunctionOnRoute]:
    """Those of a route that other roads lead to, in its order."""
    waypoints = [town.get_waypoint(carla.Location(*point)) for point in line.points.tolist()]
    found, first = [], None
    for index, waypoint in enumerate([*waypoints, None]):
        inside = waypoint is not None and waypoint.is_junction
        if first is not None and not (inside and waypoint.junction_id == waypoints[first].junction_id):
            if first > 0:  # nobody can be brought in time to the one that the route begins in
                arms = _arms(waypoints[first].get_junction(), waypoints[first - 1])
                found.append(JunctionOnRoute(float(line.arcs[first]), float(line.arcs[index - 1]), arms))
            first = None
        if inside and first is None:
            first = index
    return [junction for junction in found if junction.arms]


def _arms(junction: carla.Junction, own: carla.Waypoint) -> tuple[Arm, ...]:
    """The lanes that lead into a junction, in the order of their roads, without those of the way that is ``own``."""
    lanes = {(lane.road_id, lane.lane_id): lane for lane in entries(junction) if not same_way(lane, own)}
    arms = []
    for _, last in sorted(lanes.items()):
        place = behind(last, ARM_LENGTH)
        length = place.transform.location.distance(last.transform.location)
        if length >= SHORTEST_ARM:
            arms.append(Arm(place, length))
    return tuple(arms)


def oncoming(waypoint: carla.Waypoint) -> list[carla.Waypoint]:
    """The lanes of the same road that go the other way, from the middle outwards."""
    lanes = [lane for lane, _ in to_the_side(waypoint, -1.0) if lane.lane_type == carla.LaneType.Driving]
    return [lane for lane in lanes if not same_way(lane, waypoint)]
