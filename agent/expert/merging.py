"""Fitting in between those who drive on a lane that runs into the ego's: each leads, or is let past, by its arrival.

Whoever will be first where the two lanes meet is driven behind as if it were already on the ego's lane, at the same
distance to that place. So the ego slides into a flow at the flow's speed instead of stopping before it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from linkvla.agent.expert.planner import EGO_HALF_LENGTH, Leader
from linkvla.agent.expert.tributaries import Tributary

_WATCHED = 60.0  # m to the merge, from the ego
_MOVING = 1.0  # m/s; who waits does not come first
_BESIDE = 1.5  # m between a vehicle and its lane's centre
_SAME_WAY = 0.6  # rad
_TURNED_IN = 0.3  # cosine of the angle to the route where the lane joins it
_LEVEL = 4.0  # m of height
_ROOM = 2.0  # m between the two where they meet
_PICK_UP = 2.0  # m/s^2, with which the ego reaches the speed of who comes behind it
_EASED = 0.4  # of the ego's way to the merge: how much shorter a gap may be that far away


class Merging:
    """Watches the lanes that run into one route."""

    def __init__(self, tributaries: Sequence[Tributary]) -> None:
        self._tributaries = list(tributaries)

    def leaders(self, rows: np.ndarray, arc: float, outlook: np.ndarray, interval: float) -> list[Leader]:
        """Those who will be first at a merge ahead, placed on the route.

        Args:
            rows: (n, 9) road users as in ``Traffic``.
            arc: m along the route, of the ego's centre.
            outlook: (k,) m along the route, where the ego would be after each ``interval`` seconds without them.
            interval: s.
        """
        found: list[Leader] = []
        moving = rows[np.hypot(rows[:, 6], rows[:, 7]) > _MOVING] if len(rows) else rows
        for tributary in self._tributaries:
            left = tributary.merge_arc - arc - EGO_HALF_LENGTH
            if not 0.0 < left < _WATCHED or not len(moving):
                continue
            for row, distance in _on_lane(tributary, moving):
                speed = math.hypot(row[6], row[7])
                if _comes_first(distance, row[4], speed, tributary.merge_arc, outlook, interval):
                    gap = left - distance - row[4] + _EASED * left
                    front = arc + EGO_HALF_LENGTH
                    # One that comes from further behind is waited for at the merge, not braked for at once.
                    found.append(Leader(front + gap, speed) if gap > 0.0 else Leader(tributary.merge_arc, 0.0))
        return found


def _on_lane(lane: Tributary, rows: np.ndarray) -> list[tuple[np.ndarray, float]]:
    """Those on a tributary, with the metres that their centres have left to the merge."""
    gaps = np.hypot(rows[:, None, 0] - lane.x, rows[:, None, 1] - lane.y)
    nearest = gaps.argmin(axis=1)
    found = []
    for row, index in zip(rows, nearest):
        along, aside = _relative(row, lane, index)
        follows = math.cos(row[3] - lane.yaw[index]) > math.cos(_SAME_WAY) and abs(row[2] - lane.z[index]) < _LEVEL
        # Who still has to turn into the lane may as well drive straight on: the ego gives way to those anyway.
        follows &= math.cos(row[3] - lane.merge_yaw) > _TURNED_IN
        if follows and abs(aside) < _BESIDE and abs(along) < 3.0:
            found.append((row, float(lane.distance[index] - along)))
    return found


def _relative(row: np.ndarray, lane: Tributary, index: int) -> tuple[float, float]:
    """Metres ahead of and to the right of a lane's sample."""
    dx, dy = row[0] - lane.x[index], row[1] - lane.y[index]
    cosine, sine = math.cos(lane.yaw[index]), math.sin(lane.yaw[index])
    return cosine * dx + sine * dy, cosine * dy - sine * dx


def _comes_first(
    distance: float, half_length: float, speed: float, merge_arc: float, outlook: np.ndarray, interval: float
) -> bool:
    """Whether an other is at the merge before the ego is out of its way there.

    Args:
        distance: m that the other's centre has left to the merge.
        half_length: m.
        speed: m/s, of the other.
        merge_arc: m along the route.
        outlook: (k,) m along the route, of the ego's centre.
        interval: s.
    """
    past = np.flatnonzero(outlook - EGO_HALF_LENGTH > merge_arc)
    if not len(past):  # not there within the outlook: who arrives meanwhile is first
        return distance < speed * interval * len(outlook)
    leaves = int(past[0])
    ego_speed = (outlook[leaves] - outlook[leaves - 1]) / interval if leaves else speed
    lost = max(0.0, speed - ego_speed) ** 2 / (2.0 * _PICK_UP)  # m that the other gains until the ego is as fast
    return distance - half_length - _ROOM - lost < speed * interval * (leaves + 1)
