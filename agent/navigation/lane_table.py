"""The lanes of a ``carla.Map`` sampled every metre, section by section."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field

import carla
import numpy as np
from scipy.spatial import cKDTree

from linkvla.agent.navigation.dense_route import slope
from linkvla.agent.navigation.posted_speeds import road_speeds

LaneKey = tuple[int, int, int]
"""(road id, lane section id, lane id)"""

_STEP = 1.0  # m
_LONGEST_SECTION = 20_000  # samples; guards against a map whose sections never end


@dataclass
class Lane:
    """One lane of one section. Arrays (n,), world frame, metres and radians, in driving direction."""

    key: LaneKey
    x: np.ndarray
    y: np.ndarray
    z: np.ndarray
    yaw: np.ndarray
    pitch: np.ndarray
    is_junction: np.ndarray  # bool
    lane_width: np.ndarray
    speed_limit: np.ndarray  # m/s or NaN
    left_allowed: np.ndarray  # bool: a change to the left lane is allowed here
    right_allowed: np.ndarray
    left: LaneKey | None  # neighbouring driving lane of the same direction
    right: LaneKey | None
    successors: list[LaneKey] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.x)

    @property
    def length(self) -> float:
        """Metres, up to the start of the successor."""
        return float(len(self.x)) * _STEP


class LaneTable:
    """All driving lanes of a map, by key."""

    def __init__(self, carla_map: carla.Map) -> None:
        self.carla_map = carla_map
        self._speeds = road_speeds(carla_map.to_opendrive())
        successors: dict[LaneKey, list[LaneKey]] = defaultdict(list)
        starts: dict[LaneKey, carla.Waypoint] = {}
        for begin, after in carla_map.get_topology():
            if begin.lane_type == carla.LaneType.Driving:
                starts.setdefault(_key(begin), begin)
                # A dead end is paired with its own last waypoint, which is no successor.
                if after.lane_type == carla.LaneType.Driving and _key(after) != _key(begin):
                    successors[_key(begin)].append(_key(after))
                    starts.setdefault(_key(after), after)
        self._lanes = {key: self._sample(key, start) for key, start in starts.items()}
        for key, lane in self._lanes.items():
            lane.successors = [other for other in dict.fromkeys(successors[key]) if other in self._lanes]
            lane.left = lane.left if lane.left in self._lanes else None
            lane.right = lane.right if lane.right in self._lanes else None
        self._index()

    def __getitem__(self, key: LaneKey) -> Lane:
        return self._lanes[key]

    def __iter__(self) -> Iterator[LaneKey]:
        return iter(self._lanes)

    def gap(self, first: LaneKey, second: LaneKey) -> float:
        """A lower bound in metres of the way from the start of one lane to the start of another."""
        a, b = self._lanes[first], self._lanes[second]
        return max(0.0, math.hypot(a.x[0] - b.x[0], a.y[0] - b.y[0]) - 8.0) * 0.9

    def near(self, point: tuple[float, ...], radius: float) -> list[tuple[LaneKey, int, float]]:
        """Lanes within ``radius`` of (x, y, z): (key, nearest sample, lateral distance in metres), nearest first."""
        # Half a sample of slack along the lane; height only separates bridges from what they cross.
        best: dict[LaneKey, tuple[int, float]] = {}
        for row in self._tree.query_ball_point(point[:2], radius + _STEP):
            key, index = self._keys[self._owner[row]], int(self._sample_index[row])
            lane = self._lanes[key]
            dx, dy = point[0] - lane.x[index], point[1] - lane.y[index]
            along = math.cos(lane.yaw[index]) * dx + math.sin(lane.yaw[index]) * dy
            aside = abs(-math.sin(lane.yaw[index]) * dx + math.cos(lane.yaw[index]) * dy)
            if abs(along) > 2.5 * _STEP or (len(point) > 2 and abs(point[2] - lane.z[index]) > 4.0):
                continue
            gap = math.hypot(aside, max(0.0, abs(along) - 0.5 * _STEP))
            if gap <= radius and (key not in best or gap < best[key][1]):
                best[key] = (index, gap)
        return sorted(((key, *found) for key, found in best.items()), key=lambda item: item[2])

    def _sample(self, key: LaneKey, start: carla.Waypoint) -> Lane:
        """Walk a lane from its first waypoint to the end of its section."""
        waypoint, waypoints = start, []
        while waypoint is not None and len(waypoints) < _LONGEST_SECTION:
            waypoints.append(waypoint)
            waypoint = next((one for one in waypoint.next(_STEP) if _key(one) == key), None)
        rows, changes = [], []
        for waypoint in waypoints:
            place = waypoint.transform
            here, turn = place.location, place.rotation
            rows.append((here.x, here.y, here.z, math.radians(turn.yaw), turn.pitch, waypoint.lane_width))
            allowed = waypoint.lane_change
            changes.append(
                (
                    allowed in (carla.LaneChange.Left, carla.LaneChange.Both),
                    allowed in (carla.LaneChange.Right, carla.LaneChange.Both),
                )
            )
        middle = waypoints[len(waypoints) // 2]
        sides = _same_way(middle, middle.get_left_lane()), _same_way(middle, middle.get_right_lane())
        table, flags = np.array(rows), np.array(changes)
        count = len(rows)
        return Lane(
            key, table[:, 0], table[:, 1], table[:, 2], np.unwrap(table[:, 3]), slope(table[:, 4]),
            np.full(count, start.is_junction), table[:, 5], np.full(count, self._speeds.get(key[0], math.nan)),
            flags[:, 0], flags[:, 1], sides[0], sides[1],
        )  # fmt: skip

    def _index(self) -> None:
        """A search tree over all samples of all lanes."""
        self._keys = list(self._lanes)
        lanes = list(self._lanes.values())
        self._owner = np.concatenate([np.full(len(lane), number) for number, lane in enumerate(lanes)])
        self._sample_index = np.concatenate([np.arange(len(lane)) for lane in lanes])
        self._tree = cKDTree(np.concatenate([np.stack([lane.x, lane.y], axis=1) for lane in lanes]))


def _key(waypoint: carla.Waypoint) -> LaneKey:
    return waypoint.road_id, waypoint.section_id, waypoint.lane_id


def _same_way(waypoint: carla.Waypoint, neighbour: carla.Waypoint | None) -> LaneKey | None:
    """The neighbour's key where it is a driving lane of the same direction."""
    if neighbour is None or neighbour.lane_type != carla.LaneType.Driving:
        return None
    return _key(neighbour) if neighbour.lane_id * waypoint.lane_id > 0 else None
