"""The shipped towns and routes: sound road networks, routes on the road, scripts that reproduce their output."""

from __future__ import annotations

import json
import math
import xml.etree.ElementTree as ElementTree
from functools import cache

import carla
import pytest

from linkvla.launch.sim.towns import author, check, layout, routes
from linkvla.launch.sim.towns.layouts import HELD_OUT, LAYOUTS, TRAINING

SIGNALS = {"1000001", "206", "205"}


@cache
def _town(name: str) -> carla.Map:
    return carla.Map(name, (author.DATA / f"{name}.xodr").read_text(encoding="utf-8"))


def _routes(stem: str) -> list[ElementTree.Element]:
    return ElementTree.parse(routes.ROUTES / f"{stem}.xml").getroot().findall("route")


def _points(route: ElementTree.Element) -> list[carla.Location]:
    found = route.findall("waypoints/position")
    return [carla.Location(*(float(point.get(axis, "nan")) for axis in "xyz")) for point in found]


ALL_ROUTES = [
    pytest.param(route, id=f"{stem}-{route.get('id')}")
    for stem in ("heldout", "training", "smoke")
    for route in _routes(stem)
]


def test_twelve_towns_to_train_on_and_two_held_out() -> None:
    assert list(TRAINING) == [
        "Aspen", "Birch", "Cedar", "Dogwood", "Elm", "Fir", "Ginkgo", "Hazel", "Ironwood", "Juniper", "Kauri", "Larch",
    ]  # fmt: skip
    assert list(HELD_OUT) == ["Maple", "Nutmeg"]
    shipped = {path.name for path in author.DATA.iterdir()}
    assert shipped == {f"{name}{kind}" for name in LAYOUTS for kind in (".xodr", ".buildings.json")}


@pytest.mark.parametrize("name", LAYOUTS)
def test_town_is_sound(name: str) -> None:
    """No dead ends, gaps, kinks, overlaps; signals before junctions; left, straight and right turns; crosswalks."""
    town = _town(name)
    assert check.faults(town) == []
    assert len(town.get_topology()) >= 60
    assert (author.DATA / f"{name}.xodr").stat().st_size < 500_000


@pytest.mark.parametrize("name", LAYOUTS)
def test_nobody_may_change_into_the_oncoming_lane(name: str) -> None:
    for waypoint in _town(name).generate_waypoints(20.0):
        if waypoint.is_junction:
            continue
        for side, neighbour in ((carla.LaneChange.Left, waypoint.get_left_lane()),
                                (carla.LaneChange.Right, waypoint.get_right_lane())):  # fmt: skip
            if waypoint.lane_change in (side, carla.LaneChange.Both):
                assert neighbour is not None
                assert neighbour.lane_id * waypoint.lane_id > 0
                assert neighbour.lane_type == carla.LaneType.Driving


@pytest.mark.parametrize("name", LAYOUTS)
def test_every_lane_into_a_signalised_junction_has_its_light(name: str) -> None:
    """A junction has either a light for every entering lane, one controller per approach, or no light."""
    root = ElementTree.parse(author.DATA / f"{name}.xodr").getroot()
    town = _town(name)
    lit = {
        (landmark.road_id, lane)
        for landmark in town.get_all_landmarks_of_type("1000001")
        for first, last in landmark.get_lane_validities()
        for lane in range(first, last + 1)
    }
    by_junction: dict[int, list[bool]] = {}
    for before, inside in town.get_topology():
        if inside.is_junction and not before.is_junction:
            by_junction.setdefault(inside.junction_id, []).append((before.road_id, before.lane_id) in lit)
    assert all(len(set(lights)) == 1 for lights in by_junction.values())
    signalised = {junction for junction, lights in by_junction.items() if lights[0]}
    controlled = [control.get("signalId") for control in root.iter("control")]
    assert len(controlled) == len(set(controlled)) == len(town.get_all_landmarks_of_type("1000001"))
    assert {
        int(item.get("id", "-1")) for item in root.findall("junction") if item.find("controller") is not None
    } == signalised


def test_the_towns_hold_what_a_driver_has_to_meet() -> None:
    kinds = dict.fromkeys(SIGNALS, 0)
    lanes, widths, steepest = set(), set(), 0.0
    for name in LAYOUTS:
        town = _town(name)
        for landmark in town.get_all_landmarks():
            kinds[landmark.type] = kinds.get(landmark.type, 0) + 1
        for waypoint in town.generate_waypoints(25.0):
            lanes.add(abs(waypoint.lane_id) if not waypoint.is_junction else 1)
            widths.add(round(waypoint.lane_width, 2))
            steepest = max(steepest, abs(math.remainder(waypoint.transform.rotation.pitch, 360.0)))
    assert kinds["1000001"] >= 100 and kinds["206"] >= 60 and kinds["205"] >= 8
    assert lanes == {1, 2, 3}
    assert min(widths) >= 3.0 - 1e-3 and max(widths) <= 3.75 + 1e-3 and len(widths) >= 5
    assert math.degrees(math.atan(0.03)) < steepest < math.degrees(math.atan(0.07))


@pytest.mark.parametrize("name", LAYOUTS)
def test_buildings_stand_clear_of_the_road(name: str) -> None:
    town = _town(name)
    buildings = json.loads((author.DATA / f"{name}.buildings.json").read_text(encoding="utf-8"))
    assert len(buildings) >= 20
    for building in buildings:
        assert building["height"] > 2.0
        assert building["roof"] in ("flat", "gable")
        assert all(0 <= channel <= 255 for channel in building["colour"])
        for x, y in building["footprint"]:
            nearest = town.get_waypoint(carla.Location(x=x, y=y), lane_type=carla.LaneType.Driving)
            assert (
                math.hypot(nearest.transform.location.x - x, nearest.transform.location.y - y) > nearest.lane_width / 2
            )


@pytest.mark.parametrize("route", ALL_ROUTES)
def test_route_lies_on_driving_lanes_and_can_be_traced(route: ElementTree.Element) -> None:
    town = _town(route.get("town", ""))
    points = _points(route)
    waypoints = [town.get_waypoint(point, project_to_road=True, lane_type=carla.LaneType.Driving) for point in points]
    for point, waypoint in zip(points, waypoints):
        assert point.distance(waypoint.transform.location) < 1.0
        assert not waypoint.is_junction
    driven = 0.0
    for waypoint, target in zip(waypoints, points[1:]):
        steps = _steps_to(waypoint, target)
        assert steps is not None, f"no lane leads from {waypoint.transform.location} to {target}"
        driven += steps
    assert driven > 95.0 if driven < 250.0 else 300.0 <= driven <= 500.0


def _steps_to(waypoint: carla.Waypoint, target: carla.Location, most: int = 70) -> int | None:
    """Metres along the lanes to ``target``, without a lane change."""
    front = [waypoint]
    for steps in range(most):
        if any(item.transform.location.distance(target) < 0.75 for item in front):
            return steps
        front = [follower for item in front for follower in item.next(1.0)]
    return None


@pytest.mark.parametrize("route", ALL_ROUTES)
def test_route_starts_on_a_free_lane_and_has_weather_but_no_scenario(route: ElementTree.Element) -> None:
    start = _town(route.get("town", "")).get_waypoint(_points(route)[0])
    ahead = [start]
    for _ in range(20):
        ahead = [follower for item in ahead for follower in item.next(1.0)]
        assert not any(item.is_junction for item in ahead)
    scenarios = route.find("scenarios")
    assert scenarios is not None and len(scenarios) == 0
    weather = route.find("weathers/weather")
    assert weather is not None and weather.get("route_percentage") == "0"
    assert float(weather.get("sun_altitude_angle", "0")) >= 20.0
    assert all(hasattr(carla.WeatherParameters(), name) for name in weather.attrib if name != "route_percentage")


def test_route_files_hold_what_they_promise() -> None:
    heldout, training, smoke = _routes("heldout"), _routes("training"), _routes("smoke")
    assert 12 <= len(heldout) <= 14
    assert {route.get("town") for route in heldout} == set(HELD_OUT)
    assert heldout[0].get("town") == "Maple"
    assert {route.get("town") for route in training} == set(TRAINING)
    assert len(smoke) == 2


def test_layout_mistakes_are_named() -> None:
    with pytest.raises(layout.AuthoringError, match="lane width 4"):
        layout.Profile(width=4.0)
    town = layout.Layout("Test")
    town.node("a", 0, 0)
    with pytest.raises(layout.AuthoringError, match="no junction b"):
        town.road("a", "b", layout.Profile())


def test_author_names_the_towns_when_it_knows_none_of_that_name(capsys: pytest.CaptureFixture[str], tmp_path) -> None:
    assert author.main(["--out", str(tmp_path), "Atlantis"]) == 2
    assert "Aspen" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_author_reproduces_the_committed_town(tmp_path) -> None:
    pytest.importorskip("roadgen", reason="roadgen is installed only where towns are authored")
    assert author.main(["--out", str(tmp_path), "Aspen"]) == 0
    for kind in ("xodr", "buildings.json"):
        assert (tmp_path / f"Aspen.{kind}").read_bytes() == (author.DATA / f"Aspen.{kind}").read_bytes()


def test_route_script_reproduces_the_committed_routes(tmp_path) -> None:
    assert routes.main(["--out", str(tmp_path)]) == 0
    written = sorted(tmp_path.glob("*.xml"))
    assert [path.stem for path in written] == ["heldout", "scenarios", "smoke", "training"]
    for path in written:
        assert path.read_bytes() == (routes.ROUTES / path.name).read_bytes()


def test_the_routes_for_comparing_evaluators_are_beginnings_of_the_others() -> None:
    others = [
        (route.get("town"), _places(route)) for stem in ("heldout", "training", "scenarios") for route in _routes(stem)
    ]
    derived = _routes("parity")
    assert len(derived) >= 20
    for route in derived:
        own = _places(route)
        assert any(town == route.get("town") and places[: len(own)] == own for town, places in others), route.get("id")
        assert "BackgroundActivityParametrizer" in {scenario.get("type") for scenario in route.find("scenarios")}


def _places(route: ElementTree.Element) -> list[dict[str, str]]:
    return [place.attrib for place in route.find("waypoints")]
