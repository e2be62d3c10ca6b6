"""Out of the way of emergency vehicles. Pure geometry."""

from __future__ import annotations

from collections.abc import Iterable

from linkvla.agent.expert.carriageway import Cut
from linkvla.agent.expert.detour import Detour, WayPast, Whose, ramp_length
from linkvla.agent.expert.surroundings import Nature, Other

_HEARD = 70.0  # m behind the ego
_FASTER = 1.0  # m/s
_PAST = 10.0  # m ahead of the ego's middle, from where it is left behind
_STAYING = 2.0  # s of driving on in the other lane, renewed until the emergency vehicle is past


def emergency_behind(others: Iterable[Other], arc: float, speed: float, lane_width: float) -> Other | None:
    """An emergency vehicle with its lights on that comes up behind the ego in its lane.

    Args:
        others: everybody near the route.
        arc: m along the route, of the ego's centre.
        speed: m/s, the ego's.
        lane_width: m.
    """
    for other in others:
        behind = other.last < arc < other.last + _HEARD and abs(other.middle) < 0.5 * lane_width
        faster = other.same_way and other.speed > speed + _FASTER
        if other.nature is Nature.EMERGENCY and behind and faster:
            return other
    return None


def ways_aside(cut: Cut, arc: float, speed: float) -> list[Detour]:
    """Changes to lanes of the same direction that begin at ``arc`` (m along the route), the right one first."""
    found = []
    for beside in (cut.right, cut.left):
        if beside is not None and beside.same_way:
            ramp = ramp_length(beside.middle, speed)
            way = WayPast(beside.middle, Whose.SAME_WAY)
            found.append(staying_aside(Detour(way, arc, arc + ramp, arc, arc + ramp), arc + ramp, speed))
    return found


def staying_aside(detour: Detour, arc: float, speed: float) -> Detour:
    """The same detour, but back no sooner than a while after ``arc`` (m along the route)."""
    last = max(detour.last, arc + _STAYING * speed)
    return Detour(detour.way, detour.start, detour.first, last, last + ramp_length(detour.way.shift, speed))


def goes_on(cut: Cut | None, detour: Detour) -> bool:
    """Whether the lane that is driven aside in is still beside the route at ``cut``."""
    beside = None if cut is None else cut.left if detour.way.shift < 0.0 else cut.right
    return beside is not None and beside.same_way


def is_past(other: Other | None, arc: float) -> bool:
    """Whether an emergency vehicle has left the ego at ``arc`` (m along the route) behind, or is gone."""
    return other is None or other.first > arc + _PAST
