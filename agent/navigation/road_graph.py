"""Routes over a ``carla.Map``: shortest way through keypoints, one sample per metre, each with a navigation command.

Works on the map alone (online or offline) and needs neither a server nor CARLA's ``agents`` package.
"""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import carla
import networkx
import numpy as np

from linkvla.agent.navigation.dense_route import DenseRoute
from linkvla.agent.navigation.lane_changes import blend_lane_changes
from linkvla.agent.navigation.lane_table import LaneKey, LaneTable
from linkvla.agent.navigation.plan_formats import downsample, to_global_plans
from linkvla.model.interface.errors import RouteError
from linkvla.model.interface.types import Command

__all__ = ["DenseRoute", "RoadGraph", "downsample", "to_global_plans", "trace_route"]

_LANE_CHANGE_COST = 40.0  # m of detour that one lane change is worth
_OFFSET_COST = 5.0  # m of detour per metre between a keypoint and a lane centre
_FARTHEST_KEYPOINT = 5.0  # m from a lane centre; beyond, the keypoint is not on the road
_SETTLE_BEFORE_CHANGE = 5  # samples driven in a lane before it is left
_SHORTEST_CHANGE_LANE = 15  # samples; shorter lanes are not changed from
_SHORTEST_CHANGE = 10  # samples that must be left of the new lane
_MOST_RETRIES = 8  # lane changes without room that a search may meet
_STRAIGHT_ON = math.radians(35.0)  # turning less than this in a junction is straight on
_BACKWARDS_TOLERANCE = 2  # samples that consecutive keypoints may step back along a lane

_cache: OrderedDict[int, RoadGraph] = OrderedDict()


@dataclass(frozen=True)
class _Place:
    """A keypoint on a lane."""

    lane: LaneKey
    index: int
    cost: float


@dataclass
class _Piece:
    """A stretch of one lane: samples start..stop, both included."""

    lane: LaneKey
    start: int
    stop: int


class RoadGraph:
    """Directed graph of the lanes of a map: a node per lane section, edges to successors and allowed neighbours."""

    def __init__(self, carla_map: carla.Map) -> None:
        self.lanes = LaneTable(carla_map)
        graph = networkx.DiGraph()
        graph.add_nodes_from(self.lanes)
        for key in self.lanes:
            lane = self.lanes[key]
            for successor in lane.successors:
                graph.add_edge(key, successor, cost=lane.length, change=False)
            if lane.is_junction[0] or len(lane) < _SHORTEST_CHANGE_LANE:
                continue
            for neighbour, allowed in ((lane.left, lane.left_allowed), (lane.right, lane.right_allowed)):
                if neighbour is not None and allowed.any() and not graph.has_edge(key, neighbour):
                    graph.add_edge(key, neighbour, cost=_LANE_CHANGE_COST, change=True)
        self.graph = graph

    @classmethod
    def of(cls, carla_map: carla.Map) -> RoadGraph:
        """The graph of a map, built once per map object (the last four are kept)."""
        key = id(carla_map)
        if key not in _cache:
            _cache[key] = cls(carla_map)  # its table holds the map, so the id cannot be reused while it is cached
            while len(_cache) > 4:
                _cache.popitem(last=False)
        _cache.move_to_end(key)
        return _cache[key]

    def trace(self, keypoints: Sequence[Sequence[float]]) -> DenseRoute:
        """The shortest driveable route through ``keypoints`` [(x, y, z), ...], world frame, metres.

        Raises:
            RouteError: a keypoint is off the road, or two keypoints are not connected.
        """
        places = self._choose_places([tuple(map(float, point[:3])) for point in keypoints])
        pieces: list[_Piece] = []
        for number, (start, goal) in enumerate(pairwise(places)):
            leg = self._leg(start, goal)
            if leg is None:
                raise RouteError(f"no way from keypoint {number} to keypoint {number + 1}")
            for piece in leg[1]:
                if pieces and pieces[-1].lane == piece.lane and piece.start <= pieces[-1].stop + 1:
                    pieces[-1].stop = max(pieces[-1].stop, piece.stop)
                else:
                    pieces.append(piece)
        return self._assemble(pieces)

    def _choose_places(self, keypoints: list[tuple[float, ...]]) -> list[_Place]:
        """One lane per keypoint such that the whole route is shortest (dynamic programming over candidates)."""
        if len(keypoints) < 2:
            raise RouteError(f"a route needs at least two keypoints, got {len(keypoints)}")
        layers = [self._candidates(number, point) for number, point in enumerate(keypoints)]
        best = [place.cost for place in layers[0]]
        history: list[list[int]] = []
        for number in range(1, len(layers)):
            costs, parents = [], []
            for place in layers[number]:
                options = []
                for index, before in enumerate(layers[number - 1]):
                    leg = self._leg(before, place) if math.isfinite(best[index]) else None
                    options.append(math.inf if leg is None else best[index] + leg[0])
                parent = int(np.argmin(options))
                costs.append(options[parent] + place.cost)
                parents.append(parent)
            if not np.isfinite(costs).any():
                raise RouteError(
                    f"no way from keypoint {number - 1} {_short(keypoints[number - 1])} to keypoint {number} "
                    f"{_short(keypoints[number])}; check their order and the driving direction of their lanes"
                )
            best = costs
            history.append(parents)
        chosen = [int(np.argmin(best))]
        for parents in reversed(history):
            chosen.append(parents[chosen[-1]])
        return [layer[index] for layer, index in zip(layers, reversed(chosen))]

    def _candidates(self, number: int, point: tuple[float, ...]) -> list[_Place]:
        """Lanes that a keypoint may mean: the nearest, and inside junctions those that overlap there."""
        found = self.lanes.near(point, _FARTHEST_KEYPOINT)
        if not found:
            raise RouteError(
                f"keypoint {number} {_short(point)} is not on a driving lane (none within {_FARTHEST_KEYPOINT:.0f} m); "
                "check the town and the coordinates"
            )
        nearest = found[0][2]
        return [_Place(key, index, gap * _OFFSET_COST) for key, index, gap in found if gap <= nearest + 1.2][:8]

    def _leg(self, start: _Place, goal: _Place) -> tuple[float, list[_Piece]] | None:
        """Cost (m) and pieces from one keypoint to the next, or None without a way."""
        if start.lane == goal.lane and goal.index >= start.index - _BACKWARDS_TOLERANCE:
            stop = max(goal.index, start.index)
            return float(stop - start.index), [_Piece(start.lane, start.index, stop)]
        excluded: set[tuple[LaneKey, LaneKey]] = set()
        while len(excluded) <= _MOST_RETRIES:
            path = self._shortest(start.lane, goal.lane, excluded)
            if path is None:
                return None
            pieces = self._pieces(path, start.index, goal, excluded)
            if pieces is not None:
                changes = sum(self.graph.edges[edge]["change"] for edge in pairwise(path))
                return changes * _LANE_CHANGE_COST + sum(piece.stop - piece.start for piece in pieces), pieces
        return None

    def _pieces(self, path: list[LaneKey], start: int, goal: _Place, excluded: set) -> list[_Piece] | None:
        """Cut the lanes of a path to what is driven of them; a change without room is put into ``excluded``."""
        pieces = [_Piece(path[0], start, start)]
        for lane, following in pairwise(path):
            piece = pieces[-1]
            piece.stop, begin = len(self.lanes[lane]) - 1, 0
            if self.graph.edges[lane, following]["change"]:
                place = self._change_at(piece, following, last=following == goal.lane)
                if place is None:
                    excluded.add((lane, following))
                    return None
                piece.stop, begin = place
            pieces.append(_Piece(following, begin, begin))
        last = pieces[-1]
        if goal.index < last.start:  # a change to a goal just beside: make it earlier, never drive back
            before = pieces[-2]
            shift = min(last.start - goal.index, before.stop - before.start)
            before.stop -= shift
            last.start -= shift
            # Keypoints side by side ask for a cramped change; after a junction there is another way.
            cramped = len(path) > 2 and before.stop - before.start < _SHORTEST_CHANGE
            if cramped or last.start - goal.index > _BACKWARDS_TOLERANCE:
                excluded.add((before.lane, last.lane))
                return None
        last.stop = max(goal.index, last.start)
        return pieces

    def _shortest(self, source: LaneKey, target: LaneKey, excluded: set) -> list[LaneKey] | None:
        """Lane sections from ``source`` to ``target``; where both are the same, once round the block."""

        def cost(first: LaneKey, second: LaneKey, edge: dict) -> float | None:
            return None if (first, second) in excluded else edge["cost"]

        if source != target:
            try:
                return networkx.astar_path(self.graph, source, target, heuristic=self.lanes.gap, weight=cost)
            except networkx.NetworkXNoPath:
                return None
        costs, paths = networkx.single_source_dijkstra(self.graph, source, weight=cost)
        closing = [lane for lane in self.graph.predecessors(source) if lane in costs and (lane, source) not in excluded]
        return [*paths[min(closing, key=costs.get)], source] if closing else None

    def _change_at(self, piece: _Piece, neighbour: LaneKey, last: bool) -> tuple[int, int] | None:
        """Samples (in this lane, in the neighbour) between which the change starts: soon, where the map allows it."""
        lane, other = self.lanes[piece.lane], self.lanes[neighbour]
        allowed = lane.left_allowed if lane.left == neighbour else lane.right_allowed
        places = np.flatnonzero(allowed)
        later = places[places >= piece.start + _SETTLE_BEFORE_CHANGE]
        if len(later) == 0:
            later = places[places >= piece.start]
        if len(later) == 0:
            return None
        index = int(later[0])
        beside = int(np.argmin(np.hypot(other.x - lane.x[index], other.y - lane.y[index])))
        if not last and len(other) - beside < _SHORTEST_CHANGE:
            return None
        return index, min(beside + 1, len(other) - 1)

    def _assemble(self, pieces: list[_Piece]) -> DenseRoute:
        """Arrays of the whole route, evenly sampled, with lane changes blended and commands assigned."""
        columns = {name: [] for name in ("x", "y", "z", "yaw", "pitch", "is_junction", "lane_width", "speed_limit")}
        change = []
        for number, piece in enumerate(pieces):
            lane = self.lanes[piece.lane]
            for name, parts in columns.items():
                parts.append(getattr(lane, name)[piece.start : piece.stop + 1])
            sideways = 0
            if number and pieces[number - 1].lane in (lane.left, lane.right):
                # coming from the lane on the left means changing to the right, and the other way round
                from_left = pieces[number - 1].lane == lane.left
                sideways = int(Command.CHANGE_LANE_RIGHT if from_left else Command.CHANGE_LANE_LEFT)
            change.append(np.concatenate([[sideways], np.zeros(piece.stop - piece.start, int)]))
        arrays = {name: np.concatenate(parts) for name, parts in columns.items()}
        arrays["yaw"] = np.unwrap(arrays["yaw"])
        spans = blend_lane_changes(arrays, np.concatenate(change))
        return _finish(arrays, spans)


def trace_route(carla_map: carla.Map, keypoints: Sequence[Sequence[float]]) -> DenseRoute:
    """The shortest driveable route through ``keypoints`` [(x, y, z), ...] (world frame, metres), one sample per metre.

    Lanes are changed only where the map allows it. In a junction each point carries LEFT, RIGHT or STRAIGHT by the
    angle turned in it; the points where a lane change begins and ends carry CHANGELANELEFT/RIGHT; others LANEFOLLOW.

    Raises:
        RouteError: fewer than two keypoints, one off the road, or two that are not connected.
    """
    return RoadGraph.of(carla_map).trace(keypoints)


def _finish(arrays: dict[str, np.ndarray], spans: list[tuple[int, int, int]]) -> DenseRoute:
    """Resample to one metre and assign commands; ``spans`` are (first, last, command) of the lane changes."""
    steps = np.hypot(np.diff(arrays["x"]), np.diff(arrays["y"]))
    keep = np.concatenate([[True], steps > 0.05])  # a lane's last sample can coincide with the next one's first
    old_arc = np.concatenate([[0.0], np.cumsum(steps)])
    length = float(old_arc[-1])
    if length < 2.0:
        raise RouteError(f"the route is only {length:.1f} m long; give keypoints at least 2 m apart")
    arc = np.linspace(0.0, length, round(length) + 1)
    source = old_arc[keep]
    smooth = {name: np.interp(arc, source, arrays[name][keep]) for name in ("x", "y", "z", "yaw", "pitch")}
    nearest = np.clip(np.searchsorted(source, arc + 1e-6, side="right") - 1, 0, len(source) - 1)
    held = {name: arrays[name][keep][nearest] for name in ("is_junction", "lane_width", "speed_limit")}
    command = junction_commands(smooth["yaw"], held["is_junction"])
    for first, last, option in spans:
        command[[int(np.argmin(np.abs(arc - old_arc[first]))), int(np.argmin(np.abs(arc - old_arc[last])))]] = option
    return DenseRoute(
        smooth["x"], smooth["y"], smooth["z"], smooth["yaw"], smooth["pitch"], command,
        held["is_junction"], held["lane_width"], held["speed_limit"],
    )  # fmt: skip


def junction_commands(yaw: np.ndarray, is_junction: np.ndarray) -> np.ndarray:
    """(n,) int: LANEFOLLOW outside junctions, the turn's command within each."""
    command = np.full(len(yaw), int(Command.LANE_FOLLOW))
    edges = np.flatnonzero(np.diff(np.concatenate([[0], is_junction.astype(int), [0]])))
    for first, stop in zip(edges[::2], edges[1::2]):
        turned = yaw[min(stop, len(yaw) - 1)] - yaw[max(first - 1, 0)]
        if abs(turned) < _STRAIGHT_ON:
            option = Command.STRAIGHT
        else:
            option = Command.RIGHT if turned > 0 else Command.LEFT  # yaw grows clockwise: y points right
        command[first:stop] = int(option)
    return command


def _short(point: Sequence[float]) -> str:
    """A point for messages."""
    return "(" + ", ".join(f"{value:.1f}" for value in point) + ")"
