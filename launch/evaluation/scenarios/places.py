"""Places on and beside a lane, in CARLA's world frame (metres, degrees). Nothing here asks the server."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator

import carla

ON_THE_ROAD = (carla.LaneType.Driving, carla.LaneType.Parking)
_STEP, _APART = 1.0, 2.0  # m


def ahead(waypoint: carla.Waypoint, distance: float) -> carla.Waypoint:
    """The waypoint that many metres down its lane, or the last before a junction or the lane's end."""
    return _along(waypoint, distance, carla.Waypoint.next)


def behind(waypoint: carla.Waypoint, distance: float) -> carla.Waypoint:
    """The waypoint that many metres up its lane, or the first after a junction or the lane's beginning."""
    return _along(waypoint, distance, carla.Waypoint.previous)


def _along(
    waypoint: carla.Waypoint, distance: float, step: Callable[[carla.Waypoint, float], list[carla.Waypoint]]
) -> carla.Waypoint:
    gone = 0.0
    while gone < distance:
        reached = step(waypoint, _STEP)
        if not reached or reached[0].is_junction:
            break
        waypoint, gone = reached[0], gone + _STEP
    return waypoint


def flat_line(last: carla.Waypoint, reach: float) -> list[tuple[float, float]]:
    """Places (x, y; m, world) in the middle of a lane, from ``last`` so many metres up it, one every two metres."""
    waypoint, found = last, []
    for _ in range(math.ceil(reach / _APART)):
        place = waypoint.transform.location
        found.append((place.x, place.y))
        before = waypoint.previous(_APART)
        if not before:
            break
        waypoint = before[0]
    return found


def outermost(waypoint: carla.Waypoint, side: float, until: tuple[carla.LaneType, ...]) -> tuple[carla.Waypoint, float]:
    """The last lane of one of the types ``until`` that is reached by going to a side (1 right, -1 left).

    Returns:
        It, and the side that leads on outwards in its own frame.
    """
    *_, last = itertools.takewhile(lambda lane: lane[0].lane_type in until, to_the_side(waypoint, side))
    return last


def sidewalk(waypoint: carla.Waypoint, side: float) -> tuple[carla.Waypoint, float]:
    """The sidewalk at a side of the road, or the outermost lane where it has none; returns as ``outermost``."""
    last = waypoint, side
    for last in to_the_side(waypoint, side):
        if last[0].lane_type == carla.LaneType.Sidewalk:
            break
    return last


def to_the_side(waypoint: carla.Waypoint | None, side: float) -> Iterator[tuple[carla.Waypoint, float]]:
    """The lanes from here outwards. Left and right are as a lane drives: across the middle they change places."""
    while waypoint is not None:
        yield waypoint, side
        neighbour = waypoint.get_right_lane() if side > 0 else waypoint.get_left_lane()
        if neighbour is not None and neighbour.lane_id * waypoint.lane_id < 0:
            side = -side
        waypoint = neighbour


def same_way(one: carla.Waypoint, other: carla.Waypoint) -> bool:
    """Whether two lanes are of one road and one direction."""
    return one.road_id == other.road_id and one.lane_id * other.lane_id > 0


def lanes_beside(waypoint: carla.Waypoint) -> list[carla.Waypoint]:
    """The lanes of the same direction there, from the middle of the road outwards, with its own."""

    def alike(lane: tuple[carla.Waypoint, float]) -> bool:
        return lane[0].lane_type == carla.LaneType.Driving and same_way(lane[0], waypoint)

    left, right = (
        [lane for lane, _ in itertools.takewhile(alike, to_the_side(waypoint, side))] for side in (-1.0, 1.0)
    )
    return [*left[:0:-1], *right]


def shifted(
    waypoint: carla.Waypoint, right: float, up: float = 0.0, turned: float = 0.0, forward: float = 0.0
) -> carla.Transform:
    """A pose relative to a lane's centre.

    Args:
        waypoint: where.
        right, up, forward: m, in the lane's frame.
        turned: degrees, clockwise seen from above.
    """
    pose = waypoint.transform
    aside, along = pose.get_right_vector(), pose.get_forward_vector()
    place = pose.location + carla.Location(
        right * aside.x + forward * along.x,
        right * aside.y + forward * along.y,
        right * aside.z + forward * along.z + up,
    )
    return carla.Transform(place, carla.Rotation(pose.rotation.pitch, pose.rotation.yaw + turned, pose.rotation.roll))


def is_before(place: carla.Location, pose: carla.Transform) -> bool:
    """Whether a place is before a pose rather than behind it, as the pose looks."""
    along, offset = pose.get_forward_vector(), place - pose.location
    return along.x * offset.x + along.y * offset.y > 0.0
