"""The scenario book: what may be written, and that what is drawn can be driven, played and drawn again."""

from __future__ import annotations

import random
from functools import cache
from pathlib import Path

import carla
import pytest

from linkvla.agent.navigation.road_graph import trace_route
from linkvla.launch.evaluation.benchmarks import SHIPPED
from linkvla.launch.evaluation.book.command import RoutesSettings, write
from linkvla.launch.evaluation.book.entries import read_book
from linkvla.launch.evaluation.book.lines import Surveyor
from linkvla.launch.evaluation.book.mixes import read_mix
from linkvla.launch.evaluation.book.places import LanePlace
from linkvla.launch.evaluation.book.values import read_value
from linkvla.launch.evaluation.book.weather import read_skies
from linkvla.launch.evaluation.route_file import RouteSpec, read_routes
from linkvla.launch.evaluation.scenarios.director import PLAYED
from linkvla.launch.evaluation.scenarios.script import Script
from linkvla.launch.sim.towns.layouts import HELD_OUT, TRAINING
from linkvla.launch.sim.world.town_loader import load_town
from linkvla.model.interface.errors import ConfigurationError

SHIPPED_FILES = {"training": "training_scenarios", "heldout": "heldout_scenarios"}
SHIPPED_ROUTES = [
    pytest.param(route, id=f"{stem}-{route.id}")
    for stem in SHIPPED_FILES.values()
    for route in read_routes(SHIPPED / f"{stem}.xml")
]


@cache
def town_map(name: str) -> carla.Map:
    return load_town(name).map


def draw(path: Path, **options: object) -> list[RouteSpec]:
    assert write(RoutesSettings(out=path, **options))
    return read_routes(path)


@pytest.mark.parametrize(
    ("raw", "low", "high"),
    [({"between": [40, 60]}, 40, 60), ({"between": [0.2, 0.5], "step": 0.1}, 0.2, 0.5), (7, 7, 7)],
)
def test_numbers_stay_in_their_range_and_reach_both_ends(raw, low, high):
    chance = random.Random(1)
    drawn = [float(read_value("it", raw).draw(chance)["value"]) for _ in range(300)]
    assert (min(drawn), max(drawn)) == (low, high)


def test_an_interval_has_drawn_ends_and_a_word_is_one_of_those_allowed():
    chance = random.Random(2)
    interval = read_value("it", {"from": [10, 20], "to": [30, 40]}).draw(chance)
    assert 10 <= float(interval["from"]) <= 20 and 30 <= float(interval["to"]) <= 40
    assert {read_value("it", {"one_of": ["a", "b"]}).draw(chance)["value"] for _ in range(50)} == {"a", "b"}


@pytest.mark.parametrize(
    "raw",
    [
        {"between": [3, 1]},
        {"right_lane": 9000},
        {"right_lane": 0},
        {"one_of": []},
        {"from": [1, 9], "to": [5, 6]},
        [1, 2, 3],
        None,
        True,
    ],
)
def test_a_value_that_makes_no_sense_is_refused(raw):
    with pytest.raises(ConfigurationError, match="it"):
        read_value("it", raw)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("Accident: {lane: {left: up}}", "left must be of same, opposite, none"),
        ("Accident: {lane: {}, junction: {}}", "either lane"),
        ("Accident: {parameters: {}}", "either lane"),
        ("Accident: {junction: {turns: left}}", "unknown turns"),
        ("Accident: {lane: {}, parameters: {distance: [1]}}", "distance must be"),
        ("- Accident", "must hold a table"),
        ("Accident: {", "not valid YAML"),
        ("Accident: " + "[" * 20000, "not valid YAML"),
    ],
)
def test_a_book_that_makes_no_sense_is_refused_with_its_reason(tmp_path, text, message):
    (tmp_path / "book.yaml").write_text(text)
    with pytest.raises(ConfigurationError, match=message):
        read_book(tmp_path / "book.yaml")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{count: 3}", "no scenarios"),
        ("{scenarios: {Accident: 1}, colour: red}", "unknown colour"),
        ("{scenarios: {Accident: 0}}", "shares above 0"),
        ("{scenarios: {Accident: 1}, count: 0}", "count must be"),
        ("{scenarios: {Accident: 1}, several: 2}", "several must be"),
        ("{scenarios: {Accident: 1}, length: [10, 20]}", "length must be"),
    ],
)
def test_a_mix_that_makes_no_sense_is_refused_with_its_reason(tmp_path, text, message):
    (tmp_path / "mine.yaml").write_text(text)
    with pytest.raises(ConfigurationError, match=message):
        read_mix(str(tmp_path / "mine.yaml"))


def test_unknown_scenarios_skies_and_mixes_are_named_with_those_there_are(tmp_path):
    out = tmp_path / "routes.xml"
    for options, message in (
        ({"types": ("Earthquake",)}, "no scenario Earthquake.*ParkedObstacle"),
        ({"types": ("Accident",), "weather": ("hail",)}, "no weather hail.*noon"),
        ({"mix": "paradise"}, "no mix is called 'paradise'.*training"),
        ({}, "say what to draw"),
    ):
        with pytest.raises(ConfigurationError, match=message):
            write(RoutesSettings(out=out, **options))
    assert not out.exists()


def test_the_same_seed_draws_the_same_file_and_another_another(tmp_path):
    options = {"types": ("ParkedObstacleTwoWays",), "towns": ("Maple",), "count": 3}
    texts = []
    for number, seed in enumerate((4, 4, 5)):
        draw(tmp_path / f"{number}.xml", seed=seed, **options)
        texts.append((tmp_path / f"{number}.xml").read_text())
    assert texts[0] == texts[1] != texts[2]


def test_options_override_a_mix(tmp_path):
    routes = draw(tmp_path / "r.xml", mix="heldout", towns=("Nutmeg",), weather=("night",), count=3, first_id=7)
    assert [route.id for route in routes] == ["7", "8", "9"]
    assert {route.town for route in routes} == {"Nutmeg"}
    assert all(weather.parameters["sun_altitude_angle"] < 0 for route in routes for weather in route.weathers)


def test_what_finds_no_place_is_said_and_nothing_is_written(tmp_path):
    book = tmp_path / "book.yaml"
    book.write_text("Accident: {lane: {left: same, after: 900}}")
    with pytest.raises(ConfigurationError, match="no place for Accident 2 in Maple"):
        write(RoutesSettings(out=tmp_path / "r.xml", types=("Accident",), towns=("Maple",), count=2, book=book))
    assert not (tmp_path / "r.xml").exists()


def test_lanes_are_told_apart_by_what_is_beside_them():
    surveyor = Surveyor(load_town("Maple"), "1")
    lines = [surveyor.line(300.0) for _ in range(6)]
    for line in lines:
        for spot in LanePlace(left=("opposite",), after=40.0).spots(line, {"distance": {"value": "20"}}):
            assert spot.end - spot.trigger == 60
            for point in line.waypoints[spot.trigger : spot.end + 1]:
                assert point.get_left_lane().lane_id * point.lane_id < 0 and not point.is_junction
        for crossing in line.crossings:
            assert not line.waypoints[crossing.entry].is_junction and line.waypoints[crossing.entry + 1].is_junction
            assert not line.waypoints[crossing.leave].is_junction and line.waypoints[crossing.leave - 1].is_junction
    assert {crossing.turn for line in lines for crossing in line.crossings} == {"left", "straight", "right"}
    assert {crossing.control for line in lines for crossing in line.crossings} >= {"signal", "stop"}


@pytest.mark.parametrize(("mix", "stem"), SHIPPED_FILES.items())
def test_the_shipped_mixes_hold_everything_that_is_played(mix, stem):
    routes = read_routes(SHIPPED / f"{stem}.xml")
    types = {scenario.type for route in routes for scenario in route.scenarios}
    assert types == set(read_mix(mix).scenarios)
    assert types <= set(PLAYED)
    assert {route.town for route in routes} == set(TRAINING if mix == "training" else HELD_OUT)
    assert len(routes) == read_mix(mix).count


def test_the_shipped_file_is_what_its_mix_draws(tmp_path):
    draw(tmp_path / "again.xml", mix="heldout")
    assert (tmp_path / "again.xml").read_text() == (SHIPPED / "heldout_scenarios.xml").read_text()


def test_a_place_on_the_right_lane_lies_beside_the_trigger(tmp_path):
    for route in draw(tmp_path / "r.xml", types=("HighwayCutIn",), count=4):
        script = Script.read(route.scenarios[0])
        begin, other = (
            town_map(route.town).get_waypoint(carla.Location(*place))
            for place in (script.trigger, script.place("other_actor_location"))
        )
        assert other.road_id == begin.road_id and other.lane_id * begin.lane_id > 0
        assert 4.0 < other.transform.location.distance(begin.transform.location) < 16.0
        inverse = begin.transform.get_inverse_matrix()
        place = other.transform.location
        across = sum(inverse[1][axis] * (place.x, place.y, place.z)[axis] for axis in range(3)) + inverse[1][3]
        assert 2.0 < across < 5.0


def test_a_place_on_a_right_lane_that_is_not_there_is_an_error_that_says_what_to_do(tmp_path):
    book = tmp_path / "book.yaml"
    book.write_text("HighwayCutIn: {lane: {right: [sidewalk, other]}, parameters: {p: {right_lane: 8}}}")
    with pytest.raises(ConfigurationError, match="right: driving"):
        draw(tmp_path / "r.xml", types=("HighwayCutIn",), towns=("Maple",), count=1, book=book)


@pytest.mark.parametrize("route", SHIPPED_ROUTES)
def test_a_shipped_route_begins_before_no_stop_line(route):
    waypoint = town_map(route.town).get_waypoint(carla.Location(*route.keypoints[0]))
    for _ in range(14):
        assert not waypoint.is_junction
        waypoint = waypoint.next(1.0)[0]


@pytest.mark.parametrize("route", SHIPPED_ROUTES)
def test_a_shipped_route_can_be_driven_and_its_triggers_lie_on_it(route):
    dense = trace_route(town_map(route.town), route.keypoints)
    assert 140.0 < dense.arc[-1] < 330.0
    arcs = []
    for spec in route.scenarios:
        x, y, _ = Script.read(spec).trigger
        distances = (dense.x - x) ** 2 + (dense.y - y) ** 2
        assert distances.min() < 1.0  # the leaderboard allows 2 m
        arcs.append(float(dense.arc[distances.argmin()]))
    at_start = route.scenarios[0].type == "ParkingExit"
    assert arcs == sorted(arcs) and (arcs[0] < 1.0 if at_start else arcs[0] > 9.0)


def test_every_sky_is_weather_that_carla_knows_and_night_is_dark():
    known = dir(carla.WeatherParameters())
    skies = read_skies()
    assert {"noon", "dusk", "night", "rain", "fog"} <= set(skies)
    assert all(name in known for sky in skies.values() for name in sky)
    assert skies["night"]["sun_altitude_angle"].most < 0 < skies["dusk"]["sun_altitude_angle"].least
