"""The lanes of a map, sampled, as a directed graph: a node per lane section."""

from __future__ import annotations

from dataclasses import dataclass, field

import carla
import networkx
import numpy as np

from .road_option import RoadOption

LaneKey = tuple[int, int, int]
"""(road id, lane section id, lane id)"""

CHANGE_SAMPLES = 5  # samples that a lane change goes forward
_CHANGE_COST = 5.0  # m of detour that one lane change is worth
_CRAMPED_COST = 40.0  # the same where the lane is too short, or too much of it driven, to go forward meanwhile
_MOST_SAMPLES = 20_000  # guards against a lane whose waypoints never end


@dataclass
class Lane:
    """One lane of one section, sampled in driving direction."""

    waypoints: list[carla.Waypoint]
    places: np.ndarray  # (n, 3) m, world frame
    in_junction: bool
    beside: dict[LaneKey, tuple[RoadOption, list[int]]] = field(default_factory=dict)
    """Lanes that may be changed to: by which command, and from which samples the markings allow it."""

    def nearest(self, location: carla.Location) -> int:
        """Number of the sample nearest to a location."""
        return int(np.argmin(((self.places - (location.x, location.y, location.z)) ** 2).sum(axis=1)))


def lane_key(waypoint: carla.Waypoint) -> LaneKey:
    """Which lane section a waypoint lies on."""
    return waypoint.road_id, waypoint.section_id, waypoint.lane_id


class LaneGraph:
    """Every lane of a map's topology.

    Args:
        carla_map: the map.
        resolution: metres between samples.
    """

    def __init__(self, carla_map: carla.Map, resolution: float) -> None:
        self._resolution = resolution
        self.lanes: dict[LaneKey, Lane] = {}
        self.graph = networkx.DiGraph()
        links = []
        for begin, after in carla_map.get_topology():
            self._add(begin)
            # A lane that ends nowhere is paired with its own last waypoint: that is no successor.
            if lane_key(after) != lane_key(begin):
                self._add(after)
                links.append((lane_key(begin), lane_key(after)))
        for begin, after in links:
            self.graph.add_edge(begin, after, cost=self._length(begin), option=None)
        for key, lane in self.lanes.items():
            for other, (option, _) in lane.beside.items():
                if other in self.lanes and not self.graph.has_edge(key, other):
                    cost = self._change_cost(key, 0)
                    self.graph.add_edge(key, other, cost=cost, option=option)

    def add_loose(self, waypoint: carla.Waypoint) -> LaneKey:
        """Take a lane in that the topology leaves out (such as one that starts at nothing); its key.

        Its continuation is found by going on from its end.
        """
        key = lane_key(waypoint)
        if key not in self.lanes:
            start = waypoint
            for _ in range(_MOST_SAMPLES):
                before = [one for one in start.previous(self._resolution) if lane_key(one) == key]
                if not before:
                    break
                start = before[0]
            self._add(start)
            for after in self.lanes[key].waypoints[-1].next(self._resolution):
                if lane_key(after) in self.lanes and lane_key(after) != key:
                    self.graph.add_edge(key, lane_key(after), cost=self._length(key), option=None)
        return key

    def path(self, origin: LaneKey, index: int, destination: LaneKey) -> list[LaneKey]:
        """Lanes of the shortest way from sample ``index`` of one lane to another lane, both included.

        Raises networkx.NetworkXNoPath where there is none.
        """
        if origin == destination:
            return [origin]
        goal = self.lanes[destination].places[0]

        def at_least(key: LaneKey, _: LaneKey) -> float:
            return max(0.0, float(np.linalg.norm(self.lanes[key].places[0] - goal)) - 10.0 * _CHANGE_COST)

        def cost(before: LaneKey, _: LaneKey, edge: dict) -> float:
            beside_origin = before[:2] == origin[:2] and edge["option"] is not None
            return self._change_cost(before, index) if beside_origin else edge["cost"]

        return networkx.astar_path(self.graph, origin, destination, heuristic=at_least, weight=cost)

    def _add(self, start: carla.Waypoint) -> None:
        key = lane_key(start)
        if key in self.lanes:
            return
        waypoints = [start]
        while len(waypoints) < _MOST_SAMPLES:
            following = [one for one in waypoints[-1].next(self._resolution) if lane_key(one) == key]
            if not following:
                break
            waypoints.append(following[0])
        spots = [waypoint.transform.location for waypoint in waypoints]
        lane = Lane(waypoints, np.array([(spot.x, spot.y, spot.z) for spot in spots]), start.is_junction)
        if not lane.in_junction:
            for number, waypoint in enumerate(waypoints):
                _note_changes(lane, number, waypoint)
        self.lanes[key] = lane
        self.graph.add_node(key)

    def _change_cost(self, key: LaneKey, index: int) -> float:
        """Metres that a change out of a lane is worth, from sample ``index`` on."""
        room = len(self.lanes[key].waypoints) - index
        return _CHANGE_COST if room > CHANGE_SAMPLES else _CRAMPED_COST

    def _length(self, key: LaneKey) -> float:
        return len(self.lanes[key].waypoints) * self._resolution


def _note_changes(lane: Lane, number: int, waypoint: carla.Waypoint) -> None:
    """Enter the neighbours that a sample's markings open."""
    sides = (
        (carla.LaneChange.Left, RoadOption.CHANGELANELEFT, waypoint.get_left_lane),
        (carla.LaneChange.Right, RoadOption.CHANGELANERIGHT, waypoint.get_right_lane),
    )
    allowed = waypoint.lane_change
    for side, option, neighbour in sides:
        if allowed not in (side, carla.LaneChange.Both):
            continue
        other = neighbour()
        if other is None or other.lane_type != carla.LaneType.Driving or other.road_id != waypoint.road_id:
            continue
        if other.lane_id * waypoint.lane_id > 0:  # same driving direction
            lane.beside.setdefault(lane_key(other), (option, []))[1].append(number)
