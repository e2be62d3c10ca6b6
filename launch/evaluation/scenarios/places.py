"""Places on and beside a lane, in CARLA's world frame (metres, degrees). Nothing here asks the server."""

from __future__ import annotations

import carla

ON_THE_ROAD = (carla.LaneType.Driving, carla.LaneType.Parking)
_STEP = 1.0  # m


def ahead(waypoint: carla.Waypoint, distance: float) -> carla.Waypoint:
    """The waypoint that many metres down its lane, or the last before a junction or the lane's end."""
    gone = 0.0
    while gone < distance:
        following = waypoint.next(_STEP)
        if not following or following[0].is_junction:
            break
        waypoint, gone = following[0], gone + _STEP
    return waypoint


def outermost(waypoint: carla.Waypoint, side: float, until: tuple[carla.LaneType, ...]) -> carla.Waypoint:
    """The last lane of one of the types ``until`` that is reached by going to a side (1 right, -1 left)."""
    while True:
        neighbour = waypoint.get_right_lane() if side > 0 else waypoint.get_left_lane()
        if neighbour is None or neighbour.lane_type not in until:
            return waypoint
        waypoint = neighbour


def sidewalk(waypoint: carla.Waypoint, side: float) -> carla.Waypoint:
    """The sidewalk at a side of the road, or the outermost lane where it has none."""
    reached = waypoint
    while reached.lane_type != carla.LaneType.Sidewalk:
        neighbour = reached.get_right_lane() if side > 0 else reached.get_left_lane()
        if neighbour is None:
            break
        reached = neighbour
    return reached


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


def _xyz(vector: carla.Vector3D) -> tuple[float, float, float]:
    return vector.x, vector.y, vector.z
