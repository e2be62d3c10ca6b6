"""Which alternatives are safe, and the reason for refusing the others (SimLingo's rules, and one of ours).

Ours: driving over a stop line that holds the car is unsafe; the published rules leave that to the collision test.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from linkvla.agent.expert.planner import ExpertSettings
from linkvla.launch.collection.lanes import Lanes
from linkvla.launch.collection.sight import Neighbour, Sight
from linkvla.launch.collection.situation import Situation
from linkvla.launch.sim.physics.collision import BOX_SIZE
from linkvla.model.data.sample import DreamMode
from linkvla.model.interface.types import SPEED_WAYPOINT_INTERVAL, SPEED_WAYPOINTS
from linkvla.model.language.instructions import LaneKind, Order, Refusal

LIMIT = ExpertSettings().cruise_speed / ExpertSettings().speed_limit_share  # m/s; drawn routes have no posted one
_WALKER_NEAR = 10.0  # m
_WALKER_MARGIN = 0.5  # m added to a person's box
_STANDING = 0.5  # m/s: standing is always safe
_SLOWEST = 0.8  # of the limit or of the expert's speed: slower holds up the traffic
_OVER_LINE = 0.5  # m beyond a stop line
_TIMES = SPEED_WAYPOINT_INTERVAL * np.arange(1, SPEED_WAYPOINTS + 1)


@dataclass(frozen=True)
class Surroundings:
    """What the rules look at, the same for all alternatives of a frame."""

    speed: float  # m/s
    expert_speed: float  # m/s at the end of the expert's plan
    others: tuple[Neighbour, ...]  # those that can be seen
    boxes: np.ndarray  # (M, 10, BOX_SIZE): the others' boxes in the ego frame at t = 0.25..2.50 s
    line: float  # m from the front to the nearest stop line that holds the ego; infinite for none
    lanes: Lanes

    @classmethod
    def of(cls, situation: Situation, sight: Sight, lanes: Lanes, expert_speed: float) -> Surroundings:
        """Of one frame. Others keep their speed and direction."""
        others = tuple(n for n in sight.neighbours if n.seen)
        boxes = np.zeros((len(others), SPEED_WAYPOINTS, BOX_SIZE))
        for row, n in zip(boxes, others):
            margin = _WALKER_MARGIN if n.is_walker else 0.0
            row[:, 0] = n.x + n.speed * math.cos(n.yaw) * _TIMES
            row[:, 1] = n.y + n.speed * math.sin(n.yaw) * _TIMES
            row[:, 2:] = n.yaw, n.actor.half_extent[0] + margin, n.actor.half_extent[1] + margin, 0.0, 2.0
        lines = situation.held_by_lights() + situation.held_by_signs()
        gaps = [gap for gap in map(situation.gap_to, lines) if gap > -_OVER_LINE]
        return cls(situation.ego.speed, expert_speed, others, boxes, min(gaps, default=math.inf), lanes)

    @property
    def walker_near(self) -> bool:
        """Whether a pedestrian ahead is within 10 m."""
        return any(n.is_walker and n.x > 0 and n.gap < _WALKER_NEAR for n in self.others)


def verdict(order: Order, metres: float, touched: int, around: Surroundings) -> Refusal | None:
    """Why an alternative is refused; None: it is safe.

    Args:
        order: what was asked for.
        metres: how far it drives along its path in 2.5 s.
        touched: index into ``around.others`` of what it runs into, -1 for nothing.
        around: the frame's.
    """
    if order.mode is DreamMode.CRASH:
        walks = order.thing is not None and order.thing.noun == "pedestrian"
        return Refusal.PEDESTRIAN if walks else Refusal.CRASH
    if order.mode is DreamMode.LANE_CHANGE:
        refused = _lane_change(order, around.lanes)
        if refused is not None:
            return refused
    if touched >= 0:
        other = around.others[touched]
        if other.is_walker:
            return Refusal.PEDESTRIAN
        return Refusal.DYNAMIC_AGENT if other.is_vehicle else Refusal.CRASH
    refused = _speed(order, around)
    if refused is None and metres > around.line + _OVER_LINE:
        return Refusal.STOP_LINE
    return refused


def _lane_change(order: Order, lanes: Lanes) -> Refusal | None:
    if order.lane_kind is LaneKind.ONCOMING:
        return Refusal.ONCOMING_LANE
    if order.lane_kind is LaneKind.SIDEWALK:
        return Refusal.SIDEWALK
    allowed = lanes.may_change_left if order.side == "left" else lanes.may_change_right
    return None if allowed else Refusal.LANE_CHANGE_NOT_ALLOWED


def _speed(order: Order, around: Surroundings) -> Refusal | None:
    """The rules for the four modes that only change the speed."""
    mode, walker, expert = order.mode, around.walker_near, around.expert_speed
    if mode is DreamMode.FASTER:
        return Refusal.PEDESTRIAN if walker else Refusal.ABOVE_LIMIT if around.speed > 0.9 * LIMIT else None
    if mode is DreamMode.SLOWER:
        return Refusal.TOO_SLOW if around.speed < _SLOWEST * expert and not walker else None
    if mode not in (DreamMode.TARGET_SPEED, DreamMode.STOP):
        return None
    target = order.target_speed or 0.0
    if walker:
        return None if target < around.speed or target < _STANDING else Refusal.PEDESTRIAN
    if target > LIMIT:
        return Refusal.ABOVE_LIMIT
    near_expert = _SLOWEST * expert <= target <= (2.0 - _SLOWEST) * expert
    fast_enough = target >= _SLOWEST * min(around.speed, LIMIT)
    return None if target < _STANDING or near_expert or fast_enough else Refusal.TOO_SLOW
