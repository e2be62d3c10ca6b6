"""Which stretch of the route is blocked by something that no patience moves away. Pure geometry."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from linkvla.agent.expert.road_users import EGO_HALF_WIDTH
from linkvla.agent.expert.surroundings import Nature, Other

_IN_THE_WAY = 0.3  # m wider than the ego on either side; the same things hold it as leaders
_LOOKED_AHEAD = 90.0  # m
_JOINED = 35.0  # m of free road between two obstacles that are too short to go back in
_KEEPS_RIGHT = 0.4  # m right of the lane's middle: a cyclist who leaves room to pass
_SLOW = 5.5  # m/s, a cyclist who is worth passing
_CLEARANCE = {Nature.PROP: 0.45, Nature.PARKED: 0.6, Nature.CYCLIST: 0.8}  # m between it and the ego's side


class Obstacle(NamedTuple):
    """A blocked stretch. Metres along the route and metres to its right; the sides include the room to be left."""

    first: float
    last: float
    left: float
    right: float
    speed: float  # m/s along the route, 0 for what stands
    members: frozenset[int]  # actor ids

    def at(self, seconds: float) -> tuple[float, float]:
        """Where it begins and ends by then, m along the route."""
        return self.first + self.speed * seconds, self.last + self.speed * seconds


def next_obstacle(others: Iterable[Other], arc: float) -> Obstacle | None:
    """The first blocked stretch ahead of or beside the ego at ``arc`` (m along the route).

    Standing props and vehicles with their hand brake on block; cars that wait at a light or in a queue do not. Cyclists
    who keep to the right block while they are slower than a car.

    Args:
        others: ascending by their near ends.
    """
    found: Obstacle | None = None
    for other in others:
        if other.last < arc or other.first > arc + _LOOKED_AHEAD or not _blocks(other):
            continue
        if found is not None and other.first > found.last + _JOINED:
            break
        found = _joined(found, other)
    return found


def _blocks(other: Other) -> bool:
    if other.nature not in _CLEARANCE:
        return False
    reach = EGO_HALF_WIDTH + _IN_THE_WAY
    if other.left >= reach or other.right <= -reach:
        return False
    if other.nature is Nature.CYCLIST:
        return other.middle > _KEEPS_RIGHT and other.same_way and other.speed < _SLOW
    return True


def _joined(found: Obstacle | None, other: Other) -> Obstacle:
    room = _CLEARANCE[other.nature]
    left, right, speed = other.left - room, other.right + room, max(other.speed, 0.0)
    if found is None:
        return Obstacle(other.first, other.last, left, right, speed, frozenset([other.number]))
    return Obstacle(
        min(found.first, other.first),
        max(found.last, other.last),
        min(found.left, left),
        max(found.right, right),
        max(found.speed, speed),
        found.members | {other.number},
    )
