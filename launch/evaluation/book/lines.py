"""Drives through a town, metre by metre, with what a scenario may ask of the road there."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import carla
import numpy as np

from linkvla.agent.navigation.road_graph import RoadGraph
from linkvla.launch.evaluation.scenarios.junctions import Crossroads
from linkvla.launch.evaluation.scenarios.places import sidewalk
from linkvla.launch.evaluation.scenarios.scenery import NoRoomError
from linkvla.launch.sim.world.town import Town

STRAIGHT_ON = 35.0  # degrees that a way through a junction may turn and be straight on
_STEP = 1.0  # m
_START_SPACING = 11.0  # m between the places where drives may begin

LEFT = ("same", "opposite", "none")
"""What may be to the left of a lane: a driving lane of the same or the opposite direction, or neither."""

ARMS = ("left", "right", "opposite")
"""Sides from which others may come to a junction."""

RIGHT = ("driving", "parking", "shoulder", "sidewalk", "other")
"""What may be to the right of a lane."""


class Beside(NamedTuple):
    """What a lane has beside it."""

    left: str  # one of LEFT
    right: str  # one of RIGHT
    paved: bool  # whether there is a sidewalk on the right


class Crossing(NamedTuple):
    """A way through a junction."""

    entry: int  # index of the last waypoint before it
    leave: int  # index of the first waypoint behind it
    control: str  # what the ego has there: "signal", "stop", "yield" or "none"
    turn: str  # "left", "straight" or "right"
    arms: frozenset[str]  # from where others may come: "left", "right", "opposite"


@dataclass(frozen=True)
class Line:
    """A drive along lanes without lane changes: N waypoints, a metre apart."""

    town: str
    waypoints: Sequence[carla.Waypoint]
    inside: np.ndarray  # (N,) bool: in a junction
    yaw: np.ndarray  # (N,) degrees, without jumps
    beside: Sequence[Beside]  # N
    crossings: Sequence[Crossing]

    @cached_property
    def until_junction(self) -> np.ndarray:
        """(N,) metres from each waypoint to the next junction or the line's end; 0 in a junction."""
        return run_lengths(~self.inside)

    @cached_property
    def since_junction(self) -> np.ndarray:
        """(N,) metres from the last junction or the line's beginning to each waypoint; 0 in a junction."""
        return run_lengths(~self.inside[::-1])[::-1]


def run_lengths(good: np.ndarray) -> np.ndarray:
    """(N,) for each place, how many places from it on are good without interruption."""
    bad = np.append(np.flatnonzero(~good), len(good))
    places = np.arange(len(good))
    return bad[np.searchsorted(bad, places)] - places


class Surveyor:
    """Draws lines through one town.

    Args:
        town: loaded.
        seed: of the lines.
    """

    def __init__(self, town: Town, seed: str) -> None:
        self.name, self.roads = town.name, RoadGraph(town.map)
        self._chance = random.Random(f"{seed}-{town.name}")
        self._starts = [point for point in town.map.generate_waypoints(_START_SPACING) if not point.is_junction]
        self._controls = _controls(town)
        self._beside: dict[tuple[int, int, int], Beside] = {}
        self._sides: dict[tuple[int, int], frozenset[str]] = {}

    def line(self, metres: float) -> Line:
        """A drive from anywhere, turning by chance; shorter where a lane ends blindly."""
        waypoints = [self._chance.choice(self._starts)]
        while len(waypoints) <= metres and (onward := waypoints[-1].next(_STEP)):
            waypoints.append(self._chance.choice(onward))
        inside = np.array([point.is_junction for point in waypoints])
        yaw = np.degrees(np.unwrap(np.radians([point.transform.rotation.yaw for point in waypoints])))
        beside = [self._beside_of(point) for point in waypoints]
        return Line(self.name, waypoints, inside, yaw, beside, self._crossings(waypoints, inside, yaw))

    def _beside_of(self, point: carla.Waypoint) -> Beside:
        key = (point.road_id, point.section_id, point.lane_id)
        if key not in self._beside:
            paved = sidewalk(point, 1.0)[0].lane_type == carla.LaneType.Sidewalk
            self._beside[key] = Beside(_left_of(point), _right_of(point), paved)
        return self._beside[key]

    def _crossings(self, waypoints: Sequence[carla.Waypoint], inside: np.ndarray, yaw: np.ndarray) -> list[Crossing]:
        edges = np.diff(inside.astype(int))
        entries, leaves = np.flatnonzero(edges == 1), np.flatnonzero(edges == -1) + 1
        found = []
        for entry in entries:
            later = leaves[leaves > entry]
            if not len(later):
                break
            leave = int(later[0])
            before = waypoints[entry]
            angle = float(yaw[leave] - yaw[entry])
            found.append(
                Crossing(
                    int(entry),
                    leave,
                    self._controls.get((before.road_id, before.lane_id), "none"),
                    "straight" if abs(angle) < STRAIGHT_ON else "right" if angle > 0 else "left",
                    self._arms(before),
                )
            )
        return found

    def _arms(self, entry: carla.Waypoint) -> frozenset[str]:
        key = (entry.road_id, entry.lane_id)
        if key not in self._sides:
            self._sides[key] = frozenset(side for side in ARMS if _anyone_from(side, entry))
        return self._sides[key]


def _anyone_from(side: str, entry: carla.Waypoint) -> bool:
    try:
        return bool(Crossroads(entry).entries_from(side))
    except NoRoomError:
        return False


def _controls(town: Town) -> dict[tuple[int, int], str]:
    """Light or sign by the (road, lane) that it governs."""
    found = {(line.road_id, line.lane_id): sign.kind for sign in town.stop_signs for line in sign.stop_lines}
    found.update({(line.road_id, line.lane_id): "signal" for light in town.traffic_lights for line in light.stop_lines})
    return found


def _left_of(point: carla.Waypoint) -> str:
    neighbour = point.get_left_lane()
    if neighbour is None or neighbour.lane_type != carla.LaneType.Driving:
        return "none"
    return "same" if neighbour.lane_id * point.lane_id > 0 else "opposite"


def _right_of(point: carla.Waypoint) -> str:
    neighbour = point.get_right_lane()
    kind = "" if neighbour is None else str(neighbour.lane_type).lower()
    return kind if kind in RIGHT else "other"
