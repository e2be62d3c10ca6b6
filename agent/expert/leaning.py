"""Room within the own lane for those who come over its edge: oncoming cars across the line, doors that may open."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from linkvla.agent.expert.detour import Detour, WayPast, Whose, beside_from, beside_until, ramp_length
from linkvla.agent.expert.gaps import reached
from linkvla.agent.expert.road_users import EGO_HALF_WIDTH
from linkvla.agent.expert.surroundings import Nature, Other

_FROM_ONCOMING, _FROM_DOORS = 0.5, 0.9  # m between the ego and their sides, if the lane is wide enough
_LOOKED_AHEAD = 60.0  # m
_LEAST = 0.15  # m, not worth a movement
_ALONG = -0.95  # cosine: coming along its lane, or out of it in a bend, not turning across the ego's
_ACROSS = 0.3  # m beside the ego, where an oncoming car is in the way; the same ones hold it as leaders


def lean(others: Iterable[Other], arc: float, trip: np.ndarray, speed: float, lane_width: float) -> Detour | None:
    """A detour within the lane away from the first who needs room there; None where nobody does.

    Args:
        others: ascending by their near ends.
        arc: m along the route, of the ego's centre.
        trip: (n,) m, see ``gaps.ego_trip``.
        speed: m/s, the ego's.
        lane_width: m.
    """
    free = max(0.0, 0.5 * lane_width - EGO_HALF_WIDTH)
    for other in others:
        if other.last < arc or other.first > arc + _LOOKED_AHEAD:
            continue
        wanted = _wanted(other)
        shift = max(-free, min(free, wanted))
        if abs(shift) < _LEAST:
            continue
        speed_along = min(other.speed, 0.0)
        first = reached(trip, beside_from(other.first), speed_along)
        last = reached(trip, beside_until(other.last), speed_along)
        if first is not None and last is not None:
            ramp = ramp_length(shift, speed)
            return Detour(WayPast(shift, Whose.OWN), max(arc, first - ramp), max(first, arc + 1.0), last, last + ramp)
    return None


def _wanted(other: Other) -> float:
    """Metres to the right of the route where the ego would leave it the room it needs."""
    if other.nature is Nature.PARKED and other.middle > EGO_HALF_WIDTH:
        return min(0.0, other.left - _FROM_DOORS - EGO_HALF_WIDTH)
    oncoming = other.nature is Nature.DRIVING and other.along < _ALONG and other.middle < -EGO_HALF_WIDTH
    if oncoming and other.right > -EGO_HALF_WIDTH - _ACROSS:
        return other.right + _FROM_ONCOMING + EGO_HALF_WIDTH
    return 0.0
