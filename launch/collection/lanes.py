"""The lanes beside the ego's, from ``carla.Map``: which there are, how far off, and whether one may go there."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import islice

import carla

from linkvla.launch.collection.situation import Situation
from linkvla.launch.evaluation.scenarios.places import to_the_side
from linkvla.model.language.instructions import LaneKind

_MOST = 6  # lanes looked at on each side


@dataclass(frozen=True)
class SideLane:
    """One lane that is not the ego's."""

    kind: LaneKind
    side: str  # "left" or "right"
    lanes: int  # how many lanes over, from 1; counts driving lanes of our direction only
    offset: float  # m right of the ego's lane centre


@dataclass(frozen=True)
class Lanes:
    """The road at the ego's place."""

    count: int  # lanes in the ego's direction
    lane: int  # the ego's, from the left, from 1
    may_change_left: bool
    may_change_right: bool
    beside: tuple[SideLane, ...]


def lanes_at(situation: Situation) -> Lanes:
    """The lanes around the ego's place on its route."""
    x, y, z, _, _ = situation.route.at(situation.ego.arc)
    waypoint = situation.stage.town.map.get_waypoint(carla.Location(float(x), float(y), float(z)))
    left, right = _walk(waypoint, "left"), _walk(waypoint, "right")
    change = waypoint.lane_change
    both = change == carla.LaneChange.Both
    lane = 1 + sum(other.kind is LaneKind.LANE for other in left)
    return Lanes(
        count=lane + sum(other.kind is LaneKind.LANE for other in right),
        lane=lane,
        may_change_left=both or change == carla.LaneChange.Left,
        may_change_right=both or change == carla.LaneChange.Right,
        beside=(*left, *right),
    )


def _walk(waypoint: carla.Waypoint, side: str) -> list[SideLane]:
    """Lanes on one side, nearest first, as far as the road goes."""
    found: list[SideLane] = []
    sign = -1.0 if side == "left" else 1.0
    edge, lanes = waypoint.lane_width / 2.0, 0
    for current, _ in islice(to_the_side(waypoint, sign), 1, 1 + _MOST):
        kind = _kind(current, waypoint)
        lanes += kind is LaneKind.LANE
        if kind is not None:
            found.append(SideLane(kind, side, max(lanes, 1), sign * (edge + current.lane_width / 2.0)))
        edge += current.lane_width
    return found


def _kind(lane: carla.Waypoint, own: carla.Waypoint) -> LaneKind | None:
    """What a lane is to an instruction; None for shoulders, medians and the like, which only add to the distance."""
    if lane.lane_type == carla.LaneType.Driving:
        return LaneKind.LANE if lane.lane_id * own.lane_id > 0 else LaneKind.ONCOMING
    return {carla.LaneType.Parking: LaneKind.PARKING, carla.LaneType.Sidewalk: LaneKind.SIDEWALK}.get(lane.lane_type)
