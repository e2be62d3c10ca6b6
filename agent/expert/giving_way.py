"""Crossing traffic: who will be where the ego wants to cross, and when; go through a gap, or wait before the place.

The ego's way is looked at as a whole, with the acceleration that its engine has, until its tail has left the others'
way. So it waits with a run-up, passes right behind one, and is away before the next. Whoever has waited for long is
content with a smaller gap. That others brake for it is not counted on.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from linkvla.agent.expert.planner import EGO_HALF_LENGTH, TICK, Leader
from linkvla.agent.expert.road_users import EGO_HALF_WIDTH, Traffic, forecast, placed_on
from linkvla.agent.navigation.dense_route import DenseRoute

_INTERVAL = 0.1  # s
_TIMES = _INTERVAL * np.arange(80)  # s, the moments that are looked at
ACCELERATION, _BRAKE = 6.0, 6.0  # m/s^2, of an ego that makes haste
_REACHED = 0.95  # of the speed that is wished for; the last part takes long
_SEEN = 70.0  # m from the ego
_MOVING = 0.5  # m/s
_LEVEL = 4.0  # m of height
_ACROSS = 0.35  # sine of the angle to the route
_ALONG = 0.7  # cosine of it; who is before the ego and drives so is followed
_BESIDE = 0.5  # m that the corridor is wider than the ego on either side
_COMMITTED = 2.0  # m/s^2; one who would need to brake harder to stop before the place will not
_ONCOMING = -0.5  # cosine of the angle to the ego
_WAITS_BEFORE = 4.0  # m from the place to the rear end of what the ego would stop behind: a run-up
_BEHIND_LEADER = 1.0  # m
_WAITING = 1.0  # m/s
_PATIENCE = 12.0  # s until the smallest room will do
_SLOW = 8.0  # m/s; slower, it is safer to clear a place than to stop in it


class _Room(NamedTuple):
    """What is left free around others: metres on all sides, and seconds that they may be early or late."""

    metres: float
    seconds: float


_AT_FIRST, _AT_LAST, _UNDER_WAY = _Room(0.8, 0.5), _Room(0.25, 0.05), _Room(0.15, 0.0)


class _Way(NamedTuple):
    """The way of one who crosses."""

    index: int  # in ``Traffic.rows``
    place: float  # m along the route, where it begins to be in the way


class GivingWay:
    """Decides tick by tick, for one route: ``look``, then ``leaders``."""

    def __init__(self) -> None:
        self._ways: list[_Way] = []
        self._waited = 0.0  # s
        self._under_way = False

    def look(self, route: DenseRoute, arc: float, traffic: Traffic) -> None:
        """Find those who cross, and mark them as ``awaited``: they lead nobody.

        Args:
            route: the line that is driven.
            arc: m along it, of the ego's centre.
            traffic: everybody.
        """
        self._ways = _ways_across(route, arc, traffic)
        traffic.awaited[[way.index for way in self._ways]] = True
        if not self._ways:
            self._waited, self._under_way = 0.0, False

    def leaders(
        self, route: DenseRoute, arc: float, speed: float, traffic: Traffic, wish: np.ndarray, blocks: Sequence[Leader]
    ) -> list[Leader]:
        """Where to wait for those who cross, as standing leaders; none where the ego gets through between them.

        Args:
            route: the line that is driven.
            arc: m along it, of the ego's centre.
            speed: m/s, of the ego.
            traffic: everybody, as in ``look``.
            wish: (n,) m/s, how fast the ego would like to be at each sample of the route.
            blocks: all else that the ego stays behind.
        """
        if not self._ways:
            return []
        rows = traffic.rows[[way.index for way in self._ways]]
        trip = _haste(route, arc, speed, wish, blocks)
        eased = min(1.0, self._waited / _PATIENCE)
        room = _Room(*(first + eased * (last - first) for first, last in zip(_AT_FIRST, _AT_LAST)))
        met = _meets(route, trip, rows, _UNDER_WAY if self._under_way else room)
        self._under_way = not met.any()
        if self._under_way:
            return []
        # Whoever stands where somebody will come, as it seems, has patience before driving into their way for that.
        may_clear = speed >= _WAITING or self._waited >= _PATIENCE
        if may_clear and speed < _SLOW and _meets(route, _stop(arc, speed), rows, _UNDER_WAY).any():
            return []
        self._waited += TICK if speed < _WAITING else 0.0
        return [Leader(way.place - _WAITS_BEFORE, 0.0) for way, meets in zip(self._ways, met) if meets]


def _haste(route: DenseRoute, arc: float, speed: float, wish: np.ndarray, blocks: Sequence[Leader]) -> np.ndarray:
    """(k,) m along the route, where the ego's centre is at each of ``_TIMES`` with the acceleration that it has."""
    trip, place = np.empty(len(_TIMES)), arc
    for step in range(len(_TIMES)):
        trip[step] = place
        wanted = _REACHED * float(np.interp(place, route.arc, wish))
        speed = min(speed + ACCELERATION * _INTERVAL, max(speed - _BRAKE * _INTERVAL, wanted))
        place += speed * _INTERVAL
    for block in blocks:
        behind = block.arc_of_rear + block.speed * _TIMES - EGO_HALF_LENGTH - _BEHIND_LEADER
        trip = np.minimum(trip, np.maximum(behind, arc))
    return trip


def _stop(arc: float, speed: float) -> np.ndarray:
    times = np.minimum(_TIMES, speed / _BRAKE)
    return arc + speed * times - 0.5 * _BRAKE * times**2


def _ways_across(route: DenseRoute, arc: float, traffic: Traffic) -> list[_Way]:
    """Vehicles whose way, kept up as it is, leads across the route ahead."""
    x, y, height, heading = route.at(arc)[:4]
    rows = traffic.rows
    chosen = [
        index
        for index, kind in enumerate(traffic.kinds)
        if kind == "vehicle"
        and math.hypot(rows[index, 6], rows[index, 7]) > _MOVING
        and math.hypot(rows[index, 0] - x, rows[index, 1] - y) < _SEEN
        and abs(rows[index, 2] - height) < _LEVEL
    ]
    if not chosen:
        return []
    rows = rows[chosen]
    poses = forecast(rows, _TIMES)
    arcs, offsets = placed_on(route, rows, arc, arc + _SEEN, poses)
    turned = poses[2] - np.interp(arcs[:, :, -1], route.arc, route.yaw_rad)
    inside = (np.abs(offsets) < EGO_HALF_WIDTH + _BESIDE) & (arcs > arc + EGO_HALF_LENGTH)
    found = []
    for index, row, where, within, angle in zip(chosen, rows, arcs, inside, turned):
        times = np.flatnonzero(within.any(axis=1))
        if not len(times) or (times[0] == 0 and math.cos(angle[0]) > _ALONG):
            continue
        leaves = times[0] == 0 and len(times) < len(_TIMES)
        if not leaves and not (np.abs(np.sin(angle[times])) > _ACROSS).any():
            continue
        # One that comes towards the ego has the right of way where the ego turns; others may wait, while they can.
        turns = math.cos(row[3] - heading) < _ONCOMING and route.is_junction[route.index_at(where[within].min())]
        braked = math.hypot(row[6], row[7]) / (2.0 * _INTERVAL * max(int(times[0]), 1))  # v^2 / 2d with d = v t
        if turns or braked > _COMMITTED:
            found.append(_Way(index, float(where[within].min())))
    return found


def _meets(route: DenseRoute, trip: np.ndarray, rows: np.ndarray, room: _Room) -> np.ndarray:
    """(n,): whether the ego on its ``trip`` comes nearer to each of ``rows`` than the room that is left."""
    x, y, yaw = (np.interp(trip, route.arc, along) for along in (route.x, route.y, route.yaw_rad))
    others_x, others_y, heading = forecast(rows, _TIMES)
    dx, dy = others_x - x, others_y - y
    half_length = (rows[:, 4] + room.seconds * np.hypot(rows[:, 6], rows[:, 7]))[:, None]
    half_width = rows[:, 5, None]
    ego_length, ego_width = EGO_HALF_LENGTH + room.metres, EGO_HALF_WIDTH + room.metres
    cosine, sine = np.abs(np.cos(heading - yaw)), np.abs(np.sin(heading - yaw))
    # Two boxes are apart where they are so along any of their four axes.
    gaps = (
        np.abs(dx * np.cos(yaw) + dy * np.sin(yaw)) - ego_length - half_length * cosine - half_width * sine,
        np.abs(dy * np.cos(yaw) - dx * np.sin(yaw)) - ego_width - half_length * sine - half_width * cosine,
        np.abs(dx * np.cos(heading) + dy * np.sin(heading)) - half_length - ego_length * cosine - ego_width * sine,
        np.abs(dy * np.cos(heading) - dx * np.sin(heading)) - half_width - ego_length * sine - ego_width * cosine,
    )
    return (np.maximum.reduce(gaps) < 0.0).any(axis=1)
