"""Crossing traffic: who will be where the ego wants to cross, and when; go through a gap, or wait before the place.

The ego's way is looked at as a whole, from its nose entering the others' way to its tail leaving it. So it waits with
a run-up before it, and does not stop in the middle.
"""

from __future__ import annotations

import math

import numpy as np

from linkvla.agent.expert.planner import EGO_HALF_LENGTH, Leader
from linkvla.agent.expert.road_users import EGO_HALF_WIDTH, Traffic, forecast, frenet, outlines
from linkvla.agent.navigation.dense_route import DenseRoute

STEPS = 32  # of 0.25 s that are looked ahead
_INTERVAL = 0.25  # s
_SEEN = 70.0  # m from the ego
_MOVING = 0.5  # m/s
_LEVEL = 4.0  # m of height
_ACROSS = 0.35  # sine of the angle to the route
_MARGIN = 0.5  # m that the corridor is wider than the ego on either side
_ROOM = 0.8  # m before and behind the ego
_SLACK, _SLACK_GOING = 1, 0  # steps that either may be early or late, for an ego that waits and for one that goes
_GOING = 1.5  # m/s
_WAITS_BEFORE = 4.0  # m from the place to the rear end of what the ego would stop behind: a run-up
_COMMITTED = 2.0  # m/s^2; one who would need to brake harder to stop before the place will not
_ONCOMING = -0.5  # cosine of the angle to the ego
_HARDEST = 6.0  # m/s^2, of the ego
_SLOW = 8.0  # m/s; slower, it is safer to clear a place than to stop in it


def giving_way(route: DenseRoute, arc: float, speed: float, traffic: Traffic, outlook: np.ndarray) -> list[Leader]:
    """Where to wait for crossing vehicles, as standing leaders; none where the ego gets through between them.

    Args:
        route: the line that is driven.
        arc: m along it, of the ego's centre.
        speed: m/s, of the ego.
        traffic: everybody.
        outlook: (STEPS,) m along the route, where the ego's centre will be every 0.25 s if it does not give way.
    """
    slack = _SLACK_GOING if speed > _GOING else _SLACK
    steps = np.arange(STEPS)
    early = outlook[np.maximum(steps - slack, 0)] - EGO_HALF_LENGTH - _ROOM
    late = outlook[np.minimum(steps + slack, STEPS - 1)] + EGO_HALF_LENGTH + _ROOM
    stopped = arc + EGO_HALF_LENGTH + speed * speed / (2.0 * _HARDEST)
    found = []
    for places in _ways_across(route, arc, traffic):
        first = float(np.nanmin(places))
        if speed < _SLOW and stopped > first:
            continue
        if ((places > early[:, None]) & (places < late[:, None])).any():
            found.append(Leader(first - _WAITS_BEFORE, 0.0))
    return found


def _ways_across(route: DenseRoute, arc: float, traffic: Traffic) -> list[np.ndarray]:
    """For each vehicle whose way, kept up as it is, leads across the route ahead: (STEPS, 9) m along it, or NaN."""
    x, y, height, heading = route.at(arc)[:4]
    rows = traffic.rows
    chosen = [
        index
        for index, kind in enumerate(traffic.kinds)
        if kind == "vehicle"
        and not traffic.leading[index]
        and math.hypot(rows[index, 6], rows[index, 7]) > _MOVING
        and math.hypot(rows[index, 0] - x, rows[index, 1] - y) < _SEEN
        and abs(rows[index, 2] - height) < _LEVEL
    ]
    if not chosen:
        return []
    rows = rows[chosen]
    places_x, places_y, headings = forecast(rows, STEPS)
    first = max(0, int(np.searchsorted(route.arc, arc)) - 1)
    last = min(len(route), int(np.searchsorted(route.arc, arc + _SEEN)) + 1)
    yaw = np.ascontiguousarray(route.yaw_rad, float)
    flat = [side.ravel() for side in outlines(rows, places_x, places_y, headings)]
    placed = frenet(route.arc, route.x, route.y, yaw, first, last, *flat)
    arcs, offsets = (one.reshape(len(rows), STEPS, -1) for one in placed)
    across = np.abs(np.sin(headings - np.interp(arcs[:, :, -1], route.arc, yaw))) > _ACROSS
    inside = (np.abs(offsets) < EGO_HALF_WIDTH + _MARGIN) & across[:, :, None] & (arcs > arc + EGO_HALF_LENGTH)
    found = []
    for row, where, within in zip(rows, arcs, inside):
        times = np.flatnonzero(within.any(axis=1))
        if not len(times):
            continue
        # One that comes towards the ego has the right of way where the ego turns; others may wait, while they can.
        turns = math.cos(row[3] - heading) < _ONCOMING and route.is_junction[route.index_at(where[within].min())]
        braked = math.hypot(row[6], row[7]) / (2.0 * _INTERVAL * (int(times[0]) + 1))  # v^2 / 2d with d = v t
        if turns or braked > _COMMITTED:
            found.append(np.where(within, where, np.nan))
    return found
