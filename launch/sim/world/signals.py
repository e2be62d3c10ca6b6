"""From OpenDRIVE signals to places in the world: the lanes that a light or sign governs, its lamps, its trigger box.

Conventions (CARLA's): a traffic light's x axis lies ACROSS the lanes that it governs, so its yaw is the direction of
travel plus 90 degrees; its trigger box has half_x across and half_y along the lanes. A stop sign's yaw is the direction
of travel.
"""

from __future__ import annotations

import math
import zlib
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from linkvla.launch.sim.world.lanes import (
    angle_between,
    before_junction,
    is_driving,
    lane_end,
    right_edge_offset,
    stop_line,
    straight_exit,
)
from linkvla.launch.sim.world.opendrive import RoadFile, SignalRecord
from linkvla.launch.sim.world.pose import Box, Pose
from linkvla.launch.sim.world.town import StopLine, StopSignSite, TrafficLightSite

if TYPE_CHECKING:
    import carla

TRAFFIC_LIGHT, STOP_SIGN, YIELD_SIGN = "1000001", "206", "205"
SETBACK_SEARCH = 15.0  # m before the junction in which a painted line belongs to it
KERB_CLEARANCE = 0.7  # m from the carriageway's edge to a pole
BRAKING = 8.0  # m/s^2, sizes the trigger box so that a car at the speed limit can still stop in it
FARTHEST_HEAD = 27.0  # m from a stop line to lamps across the junction; further ones are too small for a camera


def variation(sign_id: str, salt: str) -> float:
    """A number in 0..1 that depends on the sign only, the same in every process."""
    return zlib.crc32(f"{salt}:{sign_id}".encode()) / 0xFFFFFFFF


def _lanes_of(record: SignalRecord, town_map: carla.Map) -> list[carla.Waypoint]:
    """Driving-lane waypoints at the record's position."""
    lanes: Sequence[int] | None = record.lanes
    if lanes is None:
        if record.orientation not in "+-":
            return []
        sign = -1 if record.orientation == "+" else 1
        lanes = [sign * number for number in range(1, 9)]
    found = (town_map.get_waypoint_xodr(record.road_id, lane, record.s) for lane in lanes)
    return [waypoint for waypoint in found if is_driving(waypoint)]


def _painted_line(end: carla.Waypoint, roads: RoadFile, town_map: carla.Map) -> carla.Waypoint:
    """The lane point at a painted stop line shortly before ``end``, or ``end``."""
    for item in roads.stop_line_objects:
        same_side = item.t * end.lane_id >= 0.0 or abs(item.t) < 0.5
        ahead = (end.s - item.s) * (1.0 if end.lane_id < 0 else -1.0)
        if item.road_id == end.road_id and same_side and 0.0 < ahead < SETBACK_SEARCH:
            painted = town_map.get_waypoint_xodr(end.road_id, end.lane_id, item.s)
            if is_driving(painted):
                return painted
    return end


def governed_stops(records: Sequence[SignalRecord], roads: RoadFile, town_map: carla.Map) -> list[carla.Waypoint]:
    """Where traffic has to stop for one sign: one waypoint per governed driving lane, the busiest approach only.

    A record inside a junction governs the lanes that lead into its connecting road; a record before the junction stands
    at its own stop line.
    """
    stops: dict[tuple[int, int], carla.Waypoint] = {}
    for record in records:
        for waypoint in _lanes_of(record, town_map):
            if waypoint.is_junction:
                ends = [_painted_line(lane_end(item), roads, town_map) for item in before_junction(waypoint)]
            else:
                ends = [waypoint]
            for end in ends:
                stops.setdefault((end.road_id, end.lane_id), end)
    groups: list[list[carla.Waypoint]] = []
    for stop in stops.values():
        for group in groups:
            location, first = stop.transform.location, group[0].transform.location
            near = math.hypot(location.x - first.x, location.y - first.y) < 25.0
            if near and angle_between(stop.transform.rotation.yaw, group[0].transform.rotation.yaw) < 45.0:
                group.append(stop)
                break
        else:
            groups.append([stop])
    return max(groups, key=len) if groups else []


def _trigger(pose: Pose, stops: Sequence[StopLine], length: float, across_is_x: bool) -> Box:
    """The area of the governed lanes up to their stop lines, ``length`` metres long, in the frame of ``pose``."""
    corners = []
    for stop in stops:
        yaw = math.radians(stop.yaw)
        forward, right = np.array([math.cos(yaw), math.sin(yaw)]), np.array([-math.sin(yaw), math.cos(yaw)])
        line = np.array([stop.x, stop.y])
        for along in (-length, 0.0):
            corners += [[*(line + forward * along + right * side * stop.width), stop.z] for side in (-0.45, 0.45)]
    local = (np.array(corners) - pose.location()) @ pose.rotation_matrix()
    low, high = local.min(axis=0), local.max(axis=0)
    centre, half = (low + high) / 2.0, (high - low) / 2.0
    if not across_is_x:  # leaderboard criteria test sign boxes with world-aligned axes: keep them square
        half[:2] = max(half[0], half[1])
    return Box(float(centre[0]), float(centre[1]), float(centre[2]) + 1.0, float(half[0]), float(half[1]), 1.5)


def _pole_foot(stop: carla.Waypoint, ahead: float) -> Pose:
    """A pole on the right of the carriageway, ``ahead`` metres beyond a lane point; yaw = direction of travel."""
    offset = right_edge_offset(stop) + KERB_CLEARANCE
    pose = _pose_of(stop)
    x, y, _ = Pose(pose.x, pose.y, pose.z, yaw=pose.yaw).transform(np.array([ahead, offset, 0.0]))
    return Pose(float(x), float(y), pose.z, yaw=pose.yaw)


def _pose_of(waypoint: carla.Waypoint) -> Pose:
    location, rotation = waypoint.transform.location, waypoint.transform.rotation
    return Pose(location.x, location.y, location.z, rotation.pitch, rotation.yaw, rotation.roll)


def _clear_of_lanes(foot: Pose, town_map: carla.Map) -> Pose:
    """Move a pole to the right until it stands in no driving lane."""
    import carla

    moved = foot.copy()
    for _ in range(8):
        location = carla.Location(x=moved.x, y=moved.y, z=moved.z)
        nearest = town_map.get_waypoint(location, project_to_road=True, lane_type=carla.LaneType.Driving)
        if nearest is None:
            return moved
        centre = nearest.transform.location
        gap = math.hypot(centre.x - moved.x, centre.y - moved.y) - nearest.lane_width / 2.0
        if gap > 0.35:
            return moved
        x, y, _ = moved.transform(np.array([0.0, 0.75, 0.0]))
        moved = Pose(float(x), float(y), moved.z, yaw=moved.yaw)
    return moved


def _light_site(sign_id: str, stops: list[carla.Waypoint], roads: RoadFile, town_map: carla.Map) -> TrafficLightSite:
    """Place one light; what is not in the file (housing, height, side) follows from the sign id."""
    lines = tuple(stop_line(stop) for stop in stops)
    rightmost = min(stops, key=right_edge_offset)
    housing = (0, 1, 2, 0)[int(variation(sign_id, "housing") * 3.999)]
    exit_point = straight_exit(rightmost) if housing != 1 and variation(sign_id, "side") < 0.4 else None
    if exit_point is not None and _distance(rightmost, exit_point) < FARTHEST_HEAD:
        foot = _pole_foot(exit_point, 1.0)
        foot.yaw = rightmost.transform.rotation.yaw
    else:
        near = 1.0 + 1.5 * variation(sign_id, "near") if housing == 1 else 3.0 + 2.5 * variation(sign_id, "near")
        foot = _pole_foot(rightmost, near)
    foot = _clear_of_lanes(foot, town_map)
    travel = lines[0].yaw
    lateral = np.mean([[line.x, line.y, line.z] for line in lines], axis=0)
    right = np.array([-math.sin(math.radians(travel)), math.cos(math.radians(travel)), 0.0])
    location = foot.location()
    if housing == 1:
        height = 3.5 + 0.6 * variation(sign_id, "height")
        head = location - right * 0.25
    else:
        height = 4.6 + 0.9 * variation(sign_id, "height")
        head = location + right * float(np.clip((lateral - location) @ right, -14.0, -0.5))
    pose = Pose(foot.x, foot.y, foot.z, yaw=_wrap(travel + 90.0))
    controller = roads.controller_of.get(sign_id, f"sign-{sign_id}")
    speed = roads.speed_limit(lines[0].road_id, stops[0].s) / 3.6
    room = min(_lane_room(stop) for stop in stops)
    length = float(np.clip(2.0 + speed * speed / (2.0 * BRAKING), 6.0, 14.0))
    return TrafficLightSite(
        sign_id=sign_id,
        pose=pose,
        head=Pose(float(head[0]), float(head[1]), foot.z + height, yaw=_wrap(travel)),
        controller=controller,
        junction_id=roads.junction_of_controller.get(controller, _junction_ahead(stops[0])),
        stop_lines=lines,
        trigger=_trigger(pose, lines, max(3.0, min(length, room)), across_is_x=True),
        housing=housing,
    )


def _distance(first: carla.Waypoint, second: carla.Waypoint) -> float:
    return first.transform.location.distance(second.transform.location)


def _lane_room(stop: carla.Waypoint, most: float = 14.0) -> float:
    """Metres of nearly straight lane before a stop line, at most ``most``."""
    current, walked = stop, 0.0
    while walked < most:
        behind = [item for item in current.previous(1.0) if is_driving(item) and not item.is_junction]
        if not behind or angle_between(behind[0].transform.rotation.yaw, stop.transform.rotation.yaw) > 12.0:
            break
        current, walked = behind[0], walked + 1.0
    return walked


def _junction_ahead(stop: carla.Waypoint) -> int:
    """Id of the junction that a stop line leads into, or -1."""
    for distance in (0.6, 2.0, 5.0, 9.0, 15.0, 25.0):
        for ahead in stop.next(distance):
            if ahead.is_junction:
                return int(ahead.junction_id)
    return -1


def _wrap(yaw: float) -> float:
    return (yaw + 180.0) % 360.0 - 180.0


def traffic_light_sites(roads: RoadFile, town_map: carla.Map) -> tuple[TrafficLightSite, ...]:
    """All traffic lights that govern at least one driving lane, in the order of the file."""
    return tuple(
        _light_site(sign_id, stops, roads, town_map)
        for sign_id, records in _by_sign(roads, (TRAFFIC_LIGHT,)).items()
        if (stops := governed_stops(records, roads, town_map))
    )


def stop_sign_sites(roads: RoadFile, town_map: carla.Map) -> tuple[StopSignSite, ...]:
    """All stop and yield signs that govern at least one driving lane, in the order of the file."""
    sites = []
    for sign_id, records in _by_sign(roads, (STOP_SIGN, YIELD_SIGN)).items():
        stops = governed_stops(records, roads, town_map)
        if not stops:
            continue
        rightmost = min(stops, key=right_edge_offset)
        foot = _clear_of_lanes(_pole_foot(rightmost, 0.3), town_map)
        pose = Pose(foot.x, foot.y, foot.z, yaw=_wrap(foot.yaw))
        lines = tuple(stop_line(stop) for stop in stops)
        sites.append(
            StopSignSite(
                sign_id=sign_id,
                kind="stop" if records[0].kind == STOP_SIGN else "yield",
                pose=pose,
                stop_lines=lines,
                trigger=_trigger(pose, lines, 3.0, across_is_x=False),
            )
        )
    return tuple(sites)


def _by_sign(roads: RoadFile, kinds: tuple[str, ...]) -> dict[str, list[SignalRecord]]:
    grouped: dict[str, list[SignalRecord]] = {}
    for record in roads.signals:
        if record.kind in kinds:
            grouped.setdefault(record.sign_id, []).append(record)
    return grouped
