"""Who drives beside the ego's way and is about to enter it: lane changes of others and those who pull out."""

from __future__ import annotations

import math

import numpy as np

from linkvla.agent.expert.planner import EGO_HALF_LENGTH, Leader
from linkvla.agent.expert.road_users import EGO_HALF_WIDTH, placed_on
from linkvla.agent.navigation.dense_route import DenseRoute

_AHEAD = 90.0  # m of route that are looked at
_MARGIN = 0.3  # m that the corridor is wider than the ego on either side
_SIDEWAYS = 0.25  # m/s towards the route that are meant
_SOON = 2.2  # s until the corridor is entered
_NEAREST = 7.0  # m beside the route
_STEEPEST = 0.7  # sine of the angle to the route; beyond, it crosses
_LEVEL = 4.0  # m of height
_LEAST_GAP = 1.0  # m; one beside the ego is let in, not braked hard for


def cutting_in(route: DenseRoute, arc: float, rows: np.ndarray) -> list[Leader]:
    """Those about to enter the corridor ahead of the ego, as the leaders that they will be.

    Args:
        route: the line that is driven.
        arc: m along it, of the ego's centre.
        rows: (n, 9) vehicles as in ``Traffic``.
    """
    if not len(rows):
        return []
    arcs, offsets = placed_on(route, rows, arc, arc + _AHEAD)
    found = []
    for index in np.flatnonzero(np.isfinite(offsets).all(axis=1)):
        side = math.copysign(1.0, offsets[index, -1])
        room = float((side * offsets[index]).min()) - EGO_HALF_WIDTH - _MARGIN
        if not 0.0 < room < _NEAREST or arcs[index].max() < arc + EGO_HALF_LENGTH:
            continue
        heading = float(np.interp(arcs[index, -1], route.arc, route.yaw_rad))
        level = abs(float(np.interp(arcs[index, -1], route.arc, route.z)) - rows[index, 2]) < _LEVEL
        velocity_x, velocity_y = rows[index, 6:8]
        along = velocity_x * math.cos(heading) + velocity_y * math.sin(heading)
        inwards = side * (velocity_x * math.sin(heading) - velocity_y * math.cos(heading))
        turned = abs(math.sin(rows[index, 3] - heading))
        if level and along > 0.0 and turned < _STEEPEST and inwards > _SIDEWAYS and room / inwards < _SOON:
            rear = max(float(arcs[index].min()), arc + EGO_HALF_LENGTH + _LEAST_GAP)
            found.append(Leader(rear, float(along)))
    return found
