"""Checks a town as the CARLA client sees it; used while authoring and by the tests."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator

import carla

STEP = 1.0  # m between successive waypoints
LARGEST_GAP = 0.2  # m, of their distance from STEP
LARGEST_KINK = 2.0  # degrees beyond what the sharpest allowed curve turns in a step
SHARPEST_RADIUS = 6.5  # m, lane centre


def _angle(first: carla.Waypoint, second: carla.Waypoint) -> float:
    return math.remainder(second.transform.rotation.yaw - first.transform.rotation.yaw, 360.0)


def _place(waypoint: carla.Waypoint) -> str:
    location = waypoint.transform.location
    return f"road {waypoint.road_id} lane {waypoint.lane_id} at ({location.x:.1f}, {location.y:.1f})"


def lane_faults(town: carla.Map, spacing: float = 5.0) -> Iterator[str]:
    """Dead ends, gaps and kinks of the driving lanes, sampled every ``spacing`` m."""
    for waypoint in town.generate_waypoints(spacing):
        followers = waypoint.next(STEP)
        if not followers:
            yield f"dead end: {_place(waypoint)}"
        for follower in followers:
            distance = waypoint.transform.location.distance(follower.transform.location)
            chord = abs(_angle(waypoint, follower))
            if abs(distance - STEP) > LARGEST_GAP:
                yield f"gap of {distance:.2f} m: {_place(waypoint)} to {_place(follower)}"
            if chord > LARGEST_KINK + math.degrees(STEP / SHARPEST_RADIUS):
                yield f"heading jumps by {chord:.1f} degrees: {_place(waypoint)}"
            if abs(math.remainder(follower.transform.rotation.pitch, 360.0)) > 4.0:
                yield f"steeper than 7 %: {_place(waypoint)}"
            if abs(waypoint.transform.location.z - follower.transform.location.z) > 0.1:
                yield f"step in height: {_place(waypoint)}"


def joint_faults(town: carla.Map) -> Iterator[str]:
    """Kinks at the joints of roads: the waypoints 5 cm before and after each joint must agree in heading and place."""
    for first, second in town.get_topology():
        for waypoint in (first, second):
            for before in waypoint.previous(0.05):
                if (
                    abs(_angle(before, waypoint)) > 2.0
                    or before.transform.location.distance(waypoint.transform.location) > 0.2
                ):
                    yield f"joint does not fit: {_place(waypoint)}"


def turns(town: carla.Map) -> Counter[str]:
    """How many junction movements go left, straight and right."""
    found: Counter[str] = Counter()
    for junction in _junctions(town):
        for entry, leave in junction.get_waypoints(carla.LaneType.Driving):
            angle = _angle(entry, leave)
            found["right" if angle > 35 else "left" if angle < -35 else "straight"] += 1
    return found


def _junctions(town: carla.Map) -> list[carla.Junction]:
    found = {}
    for first, _ in town.get_topology():
        if first.is_junction:
            found[first.junction_id] = first.get_junction()
    return list(found.values())


def overlap_faults(town: carla.Map) -> Iterator[str]:
    """Driving lanes of different roads, outside junctions, that come closer than 4 m (a lane and a kerb)."""
    cells: dict[tuple[int, int], list[carla.Waypoint]] = {}
    outside = [waypoint for waypoint in town.generate_waypoints(3.0) if not waypoint.is_junction]
    for waypoint in outside:
        location = waypoint.transform.location
        cells.setdefault((int(location.x // 8), int(location.y // 8)), []).append(waypoint)
    for waypoint in outside:
        x, y = waypoint.transform.location.x, waypoint.transform.location.y
        for near in (
            other for i in (-1, 0, 1) for j in (-1, 0, 1) for other in cells.get((int(x // 8) + i, int(y // 8) + j), [])
        ):
            close = near.transform.location.distance(waypoint.transform.location) < 4.0
            if close and near.road_id > waypoint.road_id:
                yield f"roads overlap: {_place(waypoint)} and {_place(near)}"


def signal_faults(town: carla.Map) -> Iterator[str]:
    """Lights and signs without lanes, or not at the end of a road that leads into a junction."""
    for landmark in town.get_all_landmarks():
        if landmark.type not in ("1000001", "206", "205"):
            continue
        validities = landmark.get_lane_validities()
        if not validities:
            yield f"signal {landmark.id} governs no lane"
        for lanes in validities:
            for lane in range(lanes[0], lanes[1] + 1):
                waypoint = town.get_waypoint_xodr(landmark.road_id, lane, landmark.s)
                if waypoint is None or waypoint.is_junction:
                    yield f"signal {landmark.id} stands in a junction or off its lane {lane}"
                elif not any(follower.is_junction for follower in waypoint.next(12.0)):
                    yield f"signal {landmark.id} is not within 12 m of its junction"


def faults(town: carla.Map) -> list[str]:
    """Everything wrong with a town, one line each; empty when it is sound."""
    found = [*lane_faults(town), *joint_faults(town), *overlap_faults(town), *signal_faults(town)]
    missing = {"left", "straight", "right"} - set(turns(town))
    if missing:
        found.append(f"no junction movement goes {' or '.join(sorted(missing))}")
    if not town.get_crosswalks():
        found.append("no crosswalk")
    return found
