"""Who or what is in the way of an agent: vehicles and walkers ahead, red lights."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator

import carla
from shapely.geometry import MultiPoint, Polygon

from ..tools.hints import ObstacleDetectionResult
from ..tools.misc import compute_distance, get_trafficlight_trigger_location, is_within_distance
from .road_option import RoadOption

Plan = Iterable[tuple[carla.Waypoint, RoadOption]]

NOTHING = ObstacleDetectionResult(False, None, -1)
_LONGEST_BODY = 20.0  # m between the middles of two touching vehicles, at most


class TrafficLightWatch:
    """Knows which traffic light the ego stands before, and remembers it while it is red."""

    def __init__(self, carla_map: carla.Map) -> None:
        self._map = carla_map
        self._stops: dict[int, carla.Waypoint] = {}
        self._held: carla.TrafficLight | None = None

    def red_ahead(
        self, lights: Iterable[carla.TrafficLight], ego: carla.Transform, max_distance: float
    ) -> carla.TrafficLight | None:
        """The red light within ``max_distance`` (m) whose lane we drive on, in our direction; None without one."""
        if self._held is not None:
            if self._held.state == carla.TrafficLightState.Red:
                return self._held
            self._held = None
        here = self._map.get_waypoint(ego.location)
        for light in lights:
            stop = self._stop_of(light)
            if compute_distance(stop.transform.location, ego.location) > max_distance:
                continue
            if stop.road_id != here.road_id or _dot(here, stop) < 0:
                continue
            if light.state != carla.TrafficLightState.Red:
                continue
            if is_within_distance(stop.transform, ego, max_distance, [0, 90]):
                self._held = light
                return light
        return None

    def _stop_of(self, light: carla.TrafficLight) -> carla.Waypoint:
        if light.id not in self._stops:
            self._stops[light.id] = self._map.get_waypoint(get_trafficlight_trigger_location(light))
        return self._stops[light.id]


def obstacle_in_lane(
    ego: carla.Vehicle,
    extent: carla.Vector3D,
    others: Iterable[carla.Actor],
    carla_map: carla.Map,
    ahead: carla.Waypoint,
    max_distance: float,
    angles: tuple[float, float],
    lane_offset: int = 0,
) -> ObstacleDetectionResult:
    """The first of ``others`` that is on our lane now or where the plan leads next.

    Args:
        ego: us.
        extent: half our length and width, m.
        others: whom to look at; we are skipped.
        carla_map: the map.
        ahead: waypoint a few steps along the plan.
        max_distance: m, from bumper to bumper.
        angles: degrees (lowest, highest) between our heading and the way to them.
        lane_offset: look at a neighbouring lane: lanes to the left (negative) or right.
    """
    pose = ego.get_transform()
    here = carla_map.get_waypoint(pose.location, lane_type=carla.LaneType.Any)
    shift = lane_offset if here.lane_id < 0 else -lane_offset  # ids grow to the left of the road's direction
    lanes = {(here.road_id, here.lane_id - shift), (ahead.road_id, ahead.lane_id - shift)}
    front = _end(pose, extent.x)
    for other in _near(ego, others, max_distance + _LONGEST_BODY):
        place = other.get_transform()
        waypoint = carla_map.get_waypoint(place.location, lane_type=carla.LaneType.Any)
        if waypoint is None or (waypoint.road_id, waypoint.lane_id) not in lanes:
            continue
        box = _box(other)
        if box is None:
            continue
        rear = _end(place, -box.extent.x)
        if is_within_distance(rear, front, max_distance, angles):
            return ObstacleDetectionResult(True, other, place.location.distance(pose.location))
    return NOTHING


def obstacle_on_plan(
    ego: carla.Vehicle,
    extent: carla.Vector3D,
    others: Iterable[carla.Actor],
    plan: Plan,
    max_distance: float,
    offset: float = 0.0,
) -> ObstacleDetectionResult:
    """The nearest of ``others`` whose outline touches the strip that we are about to drive over.

    Args:
        ego: us.
        extent: half our length and width, m.
        others: whom to look at; we are skipped.
        plan: what is still to be driven.
        max_distance: length of the strip before our bumper, m.
        offset: metres right of the plan that are driven.
    """
    reach = max_distance + extent.x
    strip = _strip(ego.get_transform(), extent.y, plan, reach, offset)
    place = ego.get_location()
    hits = []
    for other in _near(ego, others, reach + _LONGEST_BODY):
        box = _box(other)
        if box is None:
            continue
        corners = box.get_world_vertices(other.get_transform())
        if strip.intersects(MultiPoint([(corner.x, corner.y) for corner in corners]).convex_hull):
            hits.append((other.get_location().distance(place), other))
    if not hits:
        return NOTHING
    distance, nearest = min(hits, key=lambda hit: hit[0])
    return ObstacleDetectionResult(True, nearest, distance)


def _near(ego: carla.Vehicle, others: Iterable[carla.Actor], radius: float) -> Iterator[carla.Actor]:
    """The others whose middle is within ``radius`` metres of ours."""
    place = ego.get_location()
    return (one for one in others if one.id != ego.id and one.get_location().distance(place) <= radius)


def _box(actor: carla.Actor) -> carla.BoundingBox | None:
    """An actor's box, asked from the simulator; None for one that was destroyed since the last tick."""
    try:
        return actor.bounding_box
    except RuntimeError:
        return None


def _strip(pose: carla.Transform, half: float, plan: Plan, length: float, offset: float) -> Polygon:
    """What a car of ``half`` a width covers from its pose along the plan, ``length`` metres from its middle."""
    middle = [(pose, 0.0)]
    for waypoint, _ in plan:
        if waypoint.transform.location.distance(pose.location) > length:
            break
        middle.append((waypoint.transform, offset))
    if len(middle) == 1:  # the next waypoint is farther: straight ahead
        middle.append((_end(pose, length), 0.0))
    left, right = [], []
    for point, shift in middle:
        side = point.get_right_vector()
        for edge, metres in ((left, shift - half), (right, shift + half)):
            edge.append((point.location.x + metres * side.x, point.location.y + metres * side.y))
    polygon = Polygon(left + right[::-1])
    return polygon if polygon.is_valid else polygon.buffer(0)


def _end(pose: carla.Transform, forward: float) -> carla.Transform:
    """A pose, ``forward`` metres on."""
    turn = math.radians(pose.rotation.yaw)
    location = pose.location + carla.Location(forward * math.cos(turn), forward * math.sin(turn))
    return carla.Transform(location, pose.rotation)


def _dot(first: carla.Waypoint, second: carla.Waypoint) -> float:
    return first.transform.get_forward_vector().dot(second.transform.get_forward_vector())
