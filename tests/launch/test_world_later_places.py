"""Town03 of 2019 by the road ids of its later edition: the places evaluators ask for, and that nothing else changes.

LINKVLA_TOWNS, a folder of CARLA's .xodr files, lets the tests of Town03 itself run.
"""

from __future__ import annotations

import os
from collections import Counter
from pathlib import Path

import carla
import pytest

from linkvla.launch.sim.world.later_places import Edition, JunctionBorder, Label, Marker, with_later_places
from linkvla.launch.sim.world.missing_signals import has_signals, with_signals
from linkvla.launch.sim.world.spawn_points import spawn_points
from linkvla.launch.sim.world.town_loader import SHIPPED, load_town

# As background_activity.py of scenario_runner and Bench2Drive names them: road, lane, s.
ROUNDABOUT = [(1100, -5, 16.6), (1624, -5, 25.3), (1655, -5, 8.3), (1772, 3, 16.2), (1206, -5, 5.9)]
GAS_STATION = [(1031, -1, 11.3), (100, -1, 18.8), (1959, -1, 22.7)]
RENAMED = {1100: 526, 1624: 833, 1655: 686, 1206: 595, 100: 104}


def _lane(point: carla.Waypoint, was: dict[int, int]) -> tuple:
    place = point.transform.location
    return (
        was.get(point.road_id, point.road_id),
        point.lane_id,
        *(round(v, 3) for v in (point.s, place.x, place.y, place.z)),
    )


def _topology(town_map: carla.Map, was: dict[int, int]) -> Counter:
    return Counter((_lane(start, was), _lane(end, was)) for start, end in town_map.get_topology())


def _beyond(point: carla.Waypoint, was: dict[int, int]) -> list[list[tuple]]:
    return [sorted(_lane(other, was) for other in found) for found in (point.next(2.0), point.previous(2.0))]


def _same_but_for_labels(old: carla.Map, new: carla.Map, later: dict[int, int]) -> None:
    """Every lane where it was, with the same lanes before and after it."""
    was = {new_id: old_id for old_id, new_id in later.items()}
    assert _topology(new, was) == _topology(old, {})
    for point in old.generate_waypoints(4.0):
        twin = new.get_waypoint_xodr(later.get(point.road_id, point.road_id), point.lane_id, point.s)
        assert twin is not None and _lane(twin, was) == _lane(point, {})
        assert _beyond(twin, was) == _beyond(point, {})


def _far_apart(town_map: carla.Map) -> tuple[carla.Junction, carla.Junction]:
    """Two junctions that no road joins: one may become part of the other."""
    found: dict[int, carla.Junction] = {}
    around: dict[int, set[int]] = {}
    for pair in town_map.get_topology():
        for inside, outside in (pair, pair[::-1]):
            if inside.is_junction and not outside.is_junction:
                found[inside.junction_id] = inside.get_junction()
                around.setdefault(inside.junction_id, set()).add(outside.road_id)
    ids = sorted(found)
    first, second = next((a, b) for a in ids for b in ids if a < b and not around[a] & around[b])
    return found[first], found[second]


def test_labels_borders_and_markers_leave_every_lane_as_it_was():
    xodr = (SHIPPED / "Maple.xodr").read_text(encoding="utf-8")
    old = carla.Map("Town03", xodr)
    kept, gone = _far_apart(old)
    inner = next(start for start, _ in old.get_topology() if start.get_junction() and start.junction_id == gone.id)
    edition = Edition(
        borders=(JunctionBorder(kept.id, junctions=(gone.id,)),),
        labels=(Label(inner.road_id, gone.id, 70001),),
        markers=(Marker(70002, kept.id, 2, (0.0, 0.0), 0.5, 20.0),),
    )
    new = carla.Map("Town03", with_later_places("Town03", xodr, edition))
    _same_but_for_labels(old, new, {inner.road_id: 70001})
    assert new.get_waypoint_xodr(70001, inner.lane_id, inner.s).junction_id == kept.id
    marker = new.get_waypoint_xodr(70002, 2, 19.0)
    assert marker.junction_id == kept.id and marker.lane_type == carla.LaneType.NONE
    ways = len(
        new.get_waypoint_xodr(70001, inner.lane_id, inner.s).get_junction().get_waypoints(carla.LaneType.Driving)
    )
    assert ways == sum(len(junction.get_waypoints(carla.LaneType.Driving)) for junction in (kept, gone))


@pytest.mark.parametrize("name", ["Maple", "Town03", "Town03_Opt"])
def test_other_road_files_stay_as_they_are(name):
    xodr = (SHIPPED / "Maple.xodr").read_text(encoding="utf-8")
    assert with_later_places(name, xodr) is xodr


@pytest.fixture(scope="module")
def town03() -> tuple[carla.Map, carla.Map]:
    """The map of 2019 with its lights, and the town as it is loaded."""
    folder = Path(os.environ.get("LINKVLA_TOWNS", ""))
    file = folder / "Town03.xodr"
    if "LINKVLA_TOWNS" not in os.environ or not file.is_file() or has_signals(xodr := file.read_text(encoding="utf-8")):
        pytest.skip("LINKVLA_TOWNS names no folder with the Town03.xodr of 2019")
    old = carla.Map("Town03", with_signals(xodr, carla.Map("Town03", xodr)))
    return old, load_town("Town03", [folder]).map


@pytest.mark.parametrize(("places", "count"), [(ROUNDABOUT, 5), (GAS_STATION, 3)])
def test_the_places_lie_in_the_right_junctions(town03, places, count):
    _, town_map = town03
    found = [town_map.get_waypoint_xodr(*place) for place in places]
    assert all(point is not None and point.is_junction for point in found)
    assert len({point.junction_id for point in found}) == count
    for point in found:
        ways = point.get_junction().get_waypoints(carla.LaneType.Driving)
        assert min(point.transform.location.distance(way[0].transform.location) for way in ways) < 20.0
        assert (point.lane_type == carla.LaneType.Driving) == (point.road_id in RENAMED)


def _leave(point: carla.Waypoint, forwards: bool) -> tuple[int, int]:
    """The lane on which one gets out of a junction, in steps as the evaluators walk."""
    while point.is_junction:
        point = (point.next(0.2) if forwards else point.previous(0.2))[0]
    return point.road_id, point.lane_id


@pytest.mark.parametrize(
    ("places", "entered_by", "left_by"),
    [(ROUNDABOUT, {37, 26, 93, 79}, {16, 27, 17, 55}), (GAS_STATION, {34, 76, 78}, {34, 76, 78})],
)
def test_taken_together_they_are_entered_by_their_arms_alone(town03, places, entered_by, left_by):
    """Lanes from one of the junctions straight into the next do not count, as in ``_add_junctions_topology``."""
    _, town_map = town03
    ways = [
        way
        for place in places
        for way in town_map.get_waypoint_xodr(*place).get_junction().get_waypoints(carla.LaneType.Driving)
    ]
    entries, exits = ({_leave(way[side], bool(side)) for way in ways} for side in (0, 1))
    assert {road for road, _ in entries - exits} == entered_by
    assert {road for road, _ in exits - entries} == left_by


def test_the_roads_signals_and_spawn_points_of_town03_stay_where_they_are(town03):
    old, new = town03
    _same_but_for_labels(old, new, {old_id: later for later, old_id in RENAMED.items()})
    assert _landmarks(new) == _landmarks(old)
    assert [str(point) for point in spawn_points(new)] == [str(point) for point in spawn_points(old)]


def _landmarks(town_map: carla.Map) -> list[tuple[str, str]]:
    return sorted((landmark.id, str(landmark.transform)) for landmark in town_map.get_all_landmarks())
