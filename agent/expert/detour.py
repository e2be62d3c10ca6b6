"""Ways past an obstacle and the shape of a detour. Pure geometry."""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import IntEnum
from typing import NamedTuple

import numpy as np

from linkvla.agent.expert.carriageway import Cut, Lane
from linkvla.agent.expert.obstacles import Obstacle
from linkvla.agent.expert.planner import EGO_HALF_LENGTH
from linkvla.agent.expert.road_users import EGO_HALF_WIDTH

_ALONG_ROOM = 1.0  # m kept before and behind an obstacle while beside it
_TIGHTEST = 7.0  # m, radius of a bend that can be driven at a walking pace
_SIDEWAYS = 1.8  # m/s^2, of a ramp
_EDGE_ROOM = 0.1  # m between the ego and the far edge of the lane that it borrows
_SQUEEZES = 0.25  # m of the room wanted that it does without where there is no more
_SHARE_IN, _SHARE_OUT = 0.2, 0.7  # of a ramp, where the ego enters another lane and has left it again


class Whose(IntEnum):
    """Whose room a way past takes, the better the smaller."""

    OWN = 0
    SAME_WAY = 1
    ONCOMING = 2


class WayPast(NamedTuple):
    """Metres to the right of the route, and whose lane that is."""

    shift: float
    lane: Whose


def ways_past(obstacle: Obstacle, cut: Cut) -> list[WayPast]:
    """All ways past an obstacle, the best first: the least foreign lane, then the smallest shift.

    The shift is the smallest that leaves the room wanted, but into a lane of the same direction it goes to its middle.
    """
    own = max(0.0, 0.5 * cut.own_width - EGO_HALF_WIDTH)
    found = []
    for sign, needed, beside in (
        (-1.0, EGO_HALF_WIDTH - obstacle.left, cut.left),
        (1.0, EGO_HALF_WIDTH + obstacle.right, cut.right),
    ):
        needed = max(needed, 0.0)
        if needed <= own:
            found.append(WayPast(sign * needed, Whose.OWN))
        elif beside is not None and needed <= _farthest(beside) + _SQUEEZES:
            needed = min(needed, _farthest(beside))
            if beside.same_way:
                found.append(WayPast(sign * max(needed, abs(beside.middle)), Whose.SAME_WAY))
            else:
                found.append(WayPast(sign * needed, Whose.ONCOMING))
    return sorted(found, key=lambda way: (way.lane, abs(way.shift)))


def _farthest(lane: Lane) -> float:
    """Metres to the side of the route that an ego can be in a lane beside it."""
    return abs(lane.middle) + 0.5 * lane.width - EGO_HALF_WIDTH - _EDGE_ROOM


def ramp_length(shift: float, speed: float) -> float:
    """Metres along the road in which ``shift`` metres sideways are comfortable at ``speed`` (m/s)."""
    return max(shortest_ramp(shift), drawn_out(shift, speed))


def drawn_out(shift: float, speed: float) -> float:
    """Metres along the road in which ``shift`` metres sideways are comfortable for whoever keeps ``speed`` (m/s)."""
    return speed * math.sqrt(6.0 * abs(shift) / _SIDEWAYS)


def shortest_ramp(shift: float) -> float:
    """Metres along the road in which ``shift`` metres sideways can be driven at all."""
    return max(4.0, math.sqrt(6.0 * abs(shift) * _TIGHTEST))


def beside_from(obstacle_first: float) -> float:
    """Where the ego has to be at the side by, m along the route, for an obstacle that begins there."""
    return obstacle_first - EGO_HALF_LENGTH - _ALONG_ROOM


def beside_until(obstacle_last: float) -> float:
    """Until where the ego has to be at the side, m along the route, for an obstacle that ends there."""
    return obstacle_last + EGO_HALF_LENGTH + _ALONG_ROOM


@dataclass(frozen=True)
class Detour:
    """A shift of the route, metres along it: out from ``start`` to ``first``, back from ``last`` to ``end``.

    ``begins_at``: m to the right of the route, where the ego is at the start if it is not yet back from another one.
    """

    way: WayPast
    start: float
    first: float
    last: float
    end: float
    begins_at: float = 0.0

    def offset(self, arcs: np.ndarray) -> np.ndarray:
        """(n,) m to the right of the route at each of ``arcs``."""
        out = _smooth((arcs - self.start) / max(self.first - self.start, 1e-3))
        back = _smooth((arcs - self.last) / max(self.end - self.last, 1e-3))
        return self.begins_at + (self.way.shift - self.begins_at) * out - self.way.shift * back

    @property
    def taken(self) -> tuple[float, float]:
        """From where to where the ego is in a lane that is not its own, m."""
        return (
            self.start + _SHARE_IN * (self.first - self.start),
            self.last + _SHARE_OUT * (self.end - self.last),
        )

    @property
    def sides(self) -> tuple[float, float]:
        """What the ego takes up at the side, m to the right of the route (its left side, its right side)."""
        return self.way.shift - EGO_HALF_WIDTH, self.way.shift + EGO_HALF_WIDTH


def _smooth(share: np.ndarray) -> np.ndarray:
    share = np.clip(share, 0.0, 1.0)
    return share * share * (3.0 - 2.0 * share)
