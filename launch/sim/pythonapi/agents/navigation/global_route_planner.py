"""Shortest routes over a map, with a command at every waypoint."""

from __future__ import annotations

import bisect
from itertools import pairwise

import carla
import networkx

from .lane_graph import CHANGE_SAMPLES, LaneGraph, LaneKey
from .road_option import RoadOption, option_of_turn, turn_between

__all__ = ["GlobalRoutePlanner", "RoadOption"]

_SAME_PLACE = 0.1  # of the resolution; a lane's last sample can coincide with the next one's first

Trace = list[tuple[carla.Waypoint, RoadOption]]


class GlobalRoutePlanner:
    """Finds the shortest way between two places of a map.

    Args:
        wmap: the map.
        sampling_resolution: metres between the waypoints of a route.

    Raises:
        ValueError: a resolution that is not positive.
    """

    def __init__(self, wmap: carla.Map, sampling_resolution: float) -> None:
        if not sampling_resolution > 0:
            raise ValueError(f"sampling_resolution is {sampling_resolution}; give metres above 0, such as 2.0")
        self._wmap = wmap
        self._sampling_resolution = float(sampling_resolution)
        self.setup()

    def setup(self) -> None:
        """Read the map anew. The constructor has done it; programs written for CARLA before 0.9.12 call it again."""
        self._lanes = LaneGraph(self._wmap, self._sampling_resolution)

    def trace_route(self, origin: carla.Location, destination: carla.Location) -> Trace:
        """The route from the lane nearest to ``origin`` to the lane nearest to ``destination``.

        In a junction every waypoint carries LEFT, RIGHT or STRAIGHT; a lane change is two waypoints that carry
        CHANGELANELEFT or CHANGELANERIGHT, one in each lane; the others carry LANEFOLLOW. As with CARLA's own planner, a
        destination behind the origin in the same lane section is not driven to: the route is the origin's waypoint.

        Raises:
            ValueError: a place that is not on the map.
            networkx.NetworkXNoPath: no way leads there.
        """
        path = self._path(origin, destination)
        trace: Trace = []
        index = self._lanes.lanes[path[0]].nearest(origin)
        stop_at = self._lanes.lanes[path[-1]].nearest(destination)
        for number, key in enumerate(path):
            lane = self._lanes.lanes[key]
            option = self._turn(path, number) if lane.in_junction else RoadOption.LANEFOLLOW
            following = path[number + 1] if number + 1 < len(path) else None
            change = self._change(key, following)
            last = stop_at if following is None else len(lane.waypoints) - 1
            if change is not None:
                last = self._leave_at(key, following, index)
            for waypoint in lane.waypoints[index : max(last, index) + 1]:
                self._append(trace, waypoint, option)
            index = 0
            if change is not None:
                index = self._change_lane(trace, following, change)
        return trace

    def abstract_route_plan(self, origin: carla.Location, destination: carla.Location) -> list[RoadOption]:
        """The commands of the route in order, one for each lane section and each lane change on the way."""
        path = self._path(origin, destination)
        options = []
        for number, key in enumerate(path):
            in_junction = self._lanes.lanes[key].in_junction
            options.append(self._turn(path, number) if in_junction else RoadOption.LANEFOLLOW)
            change = self._change(key, path[number + 1]) if number + 1 < len(path) else None
            options += [] if change is None else [change]
        return options

    def _path(self, origin: carla.Location, destination: carla.Location) -> list[LaneKey]:
        start, goal = self._locate(origin, "origin"), self._locate(destination, "destination")
        try:
            return self._lanes.path(start, self._lanes.lanes[start].nearest(origin), goal)
        except networkx.NetworkXNoPath:
            raise networkx.NetworkXNoPath(
                f"no way leads from ({origin.x:.1f}, {origin.y:.1f}) on lane {start} to ({destination.x:.1f}, "
                f"{destination.y:.1f}) on lane {goal}; check driving directions and that the roads are connected"
            ) from None

    def _locate(self, location: carla.Location, what: str) -> LaneKey:
        waypoint = self._wmap.get_waypoint(location)
        if waypoint is None:
            raise ValueError(f"{what} ({location.x:.1f}, {location.y:.1f}, {location.z:.1f}) is near no driving lane")
        return self._lanes.add_loose(waypoint)

    def _change(self, key: LaneKey, following: LaneKey | None) -> RoadOption | None:
        """The lane change between two consecutive lanes of a path; None where one simply leads into the other."""
        return None if following is None else self._lanes.graph.edges[key, following]["option"]

    def _leave_at(self, key: LaneKey, following: LaneKey, index: int) -> int:
        """Sample at which a lane is left sideways: the next that the markings allow, else at once."""
        allowed = self._lanes.lanes[key].beside[following][1]
        place = bisect.bisect_left(allowed, index)
        return allowed[place] if place < len(allowed) else index

    def _change_lane(self, trace: Trace, following: LaneKey, change: RoadOption) -> int:
        """Put the two waypoints of a lane change on the trace; the sample of the new lane that comes next."""
        waypoint, _ = trace[-1]
        trace[-1] = (waypoint, change)
        other = self._lanes.lanes[following]
        arrival = min(other.nearest(waypoint.transform.location) + CHANGE_SAMPLES, len(other.waypoints) - 1)
        trace.append((other.waypoints[arrival], change))
        return arrival

    def _append(self, trace: Trace, waypoint: carla.Waypoint, option: RoadOption) -> None:
        """Lengthen the trace, unless it ends at this very place already."""
        if trace:
            gap = trace[-1][0].transform.location.distance(waypoint.transform.location)
            if gap < _SAME_PLACE * self._sampling_resolution:
                return
        trace.append((waypoint, option))

    def _turn(self, path: list[LaneKey], number: int) -> RoadOption:
        """LEFT, RIGHT or STRAIGHT: how the junction turns that lane ``number`` of the path lies in."""
        lanes = [self._lanes.lanes[key] for key in path]
        first = last = number
        while first > 0 and lanes[first - 1].in_junction:
            first -= 1
        while last + 1 < len(lanes) and lanes[last + 1].in_junction:
            last += 1
        yaws = [waypoint.transform.rotation.yaw for lane in lanes[first : last + 1] for waypoint in lane.waypoints]
        if first > 0:
            yaws.insert(0, lanes[first - 1].waypoints[-1].transform.rotation.yaw)
        if last + 1 < len(lanes):
            yaws.append(lanes[last + 1].waypoints[0].transform.rotation.yaw)
        return option_of_turn(sum(turn_between(before, after) for before, after in pairwise(yaws)))
