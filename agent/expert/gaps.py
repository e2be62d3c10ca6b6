"""Is there room in the traffic beside for where the ego wants to be? Pure geometry over forecasts."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from linkvla.agent.expert.planner import EGO_HALF_LENGTH
from linkvla.agent.expert.surroundings import Nature, Other

HORIZON = 25.0  # s
_STEP = 0.25  # s
TIMES = np.arange(0.0, HORIZON, _STEP)  # s
_PULL_AWAY = 1.6  # m/s^2, how fast the ego gains speed on its way
_WALKING = 1.2  # m/s
_ONCOMING_ROOM = 9.0  # m in front of the ego, at all times
_ONCOMING_LEAST = 3.0  # m/s, the slower the longer the ego has waited; who stands on the other side may drive off
_LEADING_ROOM, _LEADING_BRAKE = 3.0, 2.5  # m and m/s^2, behind who drives ahead in the lane that is entered
_FOLLOWING_ROOM, _REACTION = 2.0, 0.6  # m and s, of who comes from behind in it
_STANDING, _STANDING_ROOM = 0.2, 1.0  # m/s and m, of who stands in it
_SIDE_ROOM = 0.4  # m between the ego and those who pass it
_POLITE, _INSISTING, _PER_SECOND = 1.5, 4.0, 0.15  # m/s^2, what is asked of followers at first, at last, and between


def insistence(waited: float) -> float:
    """How hard (m/s^2) those from behind may have to brake for an ego that has waited for so long (s)."""
    return min(_INSISTING, _POLITE + _PER_SECOND * waited)


def ego_trip(arc: float, speed: float, wish: float) -> np.ndarray:
    """(n,) m along the route at ``TIMES``: from ``speed`` to ``wish`` (m/s), then on."""
    change = _PULL_AWAY if wish >= speed else -_PULL_AWAY
    duration = abs(wish - speed) / _PULL_AWAY
    within = np.minimum(TIMES, duration)
    return arc + speed * within + 0.5 * change * within**2 + wish * (TIMES - within)


def creeping(trip: np.ndarray, until: float) -> np.ndarray:
    """The trip at a walking pace up to ``until`` (m along the route), and from there on as from its beginning."""
    crawl = trip[0] + _WALKING * TIMES
    there = int(np.searchsorted(crawl, until))
    return np.concatenate([crawl[:there], until + trip - trip[0]])[: len(TIMES)]


def reached(trip: np.ndarray, place: float, speed: float) -> float | None:
    """Where the ego is (m along the route) when it gets to something at ``place`` that moves on at ``speed`` (m/s).

    None where it does not get there in time.
    """
    lead = trip - (place + speed * TIMES)
    found = np.flatnonzero(lead >= 0.0)
    if not len(found):
        return None
    index = int(found[0])
    if index == 0:
        return float(trip[0])
    share = lead[index - 1] / (lead[index - 1] - lead[index])
    return float(trip[index - 1] + share * (trip[index] - trip[index - 1]))


def is_free(
    trip: np.ndarray,
    taken: tuple[float, float],
    sides: tuple[float, float],
    others: Iterable[Other],
    follower_brake: float,
) -> bool:
    """Whether nobody else needs the place while the ego is there.

    Args:
        trip: (n,) m, see ``ego_trip``.
        taken: from where to where along the route the ego is out of its lane, m.
        sides: what it takes up there, m to the right of the route (left side, right side).
        others: without the obstacle itself and without who follows the ego in its own lane.
        follower_brake: m/s^2, the most that may be asked of who comes from behind.
    """
    inside = (trip > taken[0]) & (trip < taken[1])
    if not inside.any():
        return True
    for other in others:
        aside = other.right <= sides[0] - _SIDE_ROOM or other.left >= sides[1] + _SIDE_ROOM
        if aside or other.nature is Nature.WALKER:
            continue
        if other.nature in (Nature.PARKED, Nature.PROP):
            fits = other.last < taken[0] - EGO_HALF_LENGTH or other.first > taken[1] + EGO_HALF_LENGTH
        elif other.same_way:
            fits = _same_way_fits(trip, inside, other, follower_brake)
        else:
            fits = _oncoming_fits(trip, inside, other, _ONCOMING_LEAST * _POLITE / follower_brake)
        if not fits:
            return False
    return True


def _oncoming_fits(trip: np.ndarray, inside: np.ndarray, other: Other, least: float) -> bool:
    way = min(other.speed, -least) * TIMES
    meets = (other.first + way < trip + EGO_HALF_LENGTH + _ONCOMING_ROOM) & (other.last + way > trip - EGO_HALF_LENGTH)
    return not (meets & inside).any()


def _same_way_fits(trip: np.ndarray, inside: np.ndarray, other: Other, follower_brake: float) -> bool:
    entry = int(np.flatnonzero(inside)[0])
    ego_speed = np.gradient(trip, TIMES)
    first = other.first + other.speed * TIMES[entry]
    if first > trip[entry]:  # drives ahead of the ego
        closing = max(0.0, ego_speed[entry] - other.speed)
        gap = first - (trip[entry] + EGO_HALF_LENGTH)
        return gap > _LEADING_ROOM + closing**2 / (2.0 * _LEADING_BRAKE)
    follower = np.maximum(0.0, other.speed - follower_brake * np.maximum(0.0, TIMES - _REACTION))
    gap = trip - EGO_HALF_LENGTH - (other.last + np.cumsum(follower) * _STEP)
    matched = np.flatnonzero(inside & (follower <= ego_speed))
    until = matched[0] + 1 if len(matched) else len(TIMES)  # from then on it can stay behind
    room = _STANDING_ROOM if other.speed < _STANDING else _FOLLOWING_ROOM
    return bool((gap[entry:until] > room).all())
