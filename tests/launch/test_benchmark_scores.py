"""Scores of result folders: what they are, and what becomes of folders that the official tools cannot take."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from typer.testing import CliRunner

from linkvla.launch.cli import app
from linkvla.launch.evaluation.route_file import RouteSpec, ScenarioSpec, read_routes
from linkvla.launch.evaluation.scoring.abilities import ABILITIES
from linkvla.launch.evaluation.scoring.benchmark_scores import ABILITY_MEAN, BenchmarkScores, score_runs
from linkvla.launch.evaluation.scoring.document import scores_document
from linkvla.launch.evaluation.scoring.merged import write_merged
from linkvla.launch.evaluation.scoring.published import RESULTS
from linkvla.model.interface.errors import ConfigurationError, DataError

HELD_OUT = Path(__file__).resolve().parents[2] / "launch" / "evaluation" / "routes" / "heldout.xml"
ROUTES = [
    ("100", "Town01", "Accident"),
    ("101", "Town01", "ParkingExit"),
    ("102", "Town02", "HardBreakRoute"),
    ("103", "Town02", "InvadingTurn"),
    ("104", "Town03", "T_Junction"),
]


def specs(routes: Sequence[tuple[str, str, str]] = ROUTES) -> list[RouteSpec]:
    return [RouteSpec(number, town, (), (), (ScenarioSpec(f"{kind}_1", kind, ""),)) for number, town, kind in routes]


@pytest.fixture
def makes(result_sets):
    return result_sets(1)


@pytest.fixture
def folder(tmp_path: Path, makes, write_shards) -> Path:
    """A complete set: two successes, a collision, a failure, a red light."""
    records = [
        makes.record(ROUTES[0], "Perfect"),
        makes.record(ROUTES[1], "Completed"),
        makes.record(ROUTES[2], "Completed", collisions_vehicle=1),
        makes.record(ROUTES[3], "Failed - Agent got blocked", vehicle_blocked=1),
        makes.record(ROUTES[4], "Completed", red_light=1),
    ]
    makes.write_metrics(tmp_path / "results", records)
    return write_shards(tmp_path / "results", records, shards=2)


def measures(result: BenchmarkScores) -> dict:
    (one,) = result.passes
    return dict(one.measures)


def test_the_groups_of_a_small_set(folder):
    result = score_runs([folder], specs())
    (one,) = result.passes
    done = one.drive.records["103"].score_route
    assert measures(result)["driving_score"] == pytest.approx((100 + 100 + 60 + done + 70) / 5)
    assert measures(result)["success_rate"] == pytest.approx(40.0)
    assert measures(result)["route_completion"] == pytest.approx((400 + done) / 5)
    assert one.abilities["Overtaking"] == one.abilities["Merging"] == 100.0
    assert one.abilities["Emergency_Brake"] == one.abilities["Give_Way"] == one.abilities["Traffic_Signs"] == 0.0
    assert one.abilities[ABILITY_MEAN] == pytest.approx(40.0)
    assert 0.0 <= measures(result)["comfortness"] <= 100.0
    assert result.by_town()["Town01"].measures["success_rate"].mean == 100.0
    assert result.by_scenario()["HardBreakRoute"].measures["driving_score"].mean == pytest.approx(60.0)


def test_routes_without_a_result_count_as_zero_and_are_named(folder):
    whole = score_runs([folder], specs())
    more = score_runs([folder], specs([*ROUTES, ("900", "Town09", "Accident")]))
    assert measures(more)["driving_score"] == pytest.approx(measures(whole)["driving_score"] * 5 / 6)
    assert more.passes[0].abilities["Overtaking"] == 50.0  # the official tool would say 100
    assert more.passes[0].drive.missing == ("900",)
    assert any("900" in note and "missing" in note for note in more.notes)


def test_records_of_unexpected_routes_do_not_count_and_are_named(folder):
    result = score_runs([folder], specs(ROUTES[:4]))
    assert result.passes[0].drive.extra == ("RouteScenario_104_rep0",)
    assert result.passes[0].driven == 4
    assert any("RouteScenario_104_rep0" in note for note in result.notes)


def test_stray_files_beside_the_shards_are_left_out_and_named(folder):
    before = measures(score_runs([folder], specs()))
    (folder / "merged_ability.json").write_text('{"Overtaking": 0.5, "mean": 0.5, "crashed": []}')
    (folder / "settings.json").write_text('{"port": 2000}')
    (folder / "list.json").write_text("[1, 2]")
    write_merged(score_runs([folder], specs()), folder / "merged.json")
    (folder / ".shard_00.json.x").write_text("{")
    result = score_runs([folder], specs())
    assert measures(result) == before
    assert any("settings.json" in note for note in result.notes)
    assert any("list.json" in note for note in result.notes)


def test_a_merged_file_alone_gives_the_same_scores(folder, tmp_path):
    result = score_runs([folder], specs())
    (file,) = write_merged(result, tmp_path / "elsewhere" / "merged.json")
    for source in (file, file.parent):
        again = score_runs([source], specs(), metric_folders=[folder])
        assert measures(again) == pytest.approx(measures(result))
    assert json.loads(file.read_text())["eval num"] == 5


@pytest.mark.parametrize("elsewhere", [False, True])
def test_a_route_with_two_records_is_refused(folder, tmp_path, write_shards, makes, elsewhere):
    place = tmp_path / "more" if elsewhere else folder
    place.mkdir(exist_ok=True)
    twice = write_shards(tmp_path / "twice", [makes.record(ROUTES[0])]) / "shard_00.json"
    (place / "shard_99.json").write_bytes(twice.read_bytes())
    with pytest.raises(
        ConfigurationError, match=r"RouteScenario_100_rep0.*shard_00.json.*shard_99.json.*--each-a-seed"
    ):
        score_runs([folder, place] if elsewhere else [folder], specs())


BROKEN: dict[str, Callable[[dict], None]] = {
    "no scores": lambda record: record.pop("scores"),
    "no number": lambda record: record["scores"].update(score_composed="high"),
    "not finite": lambda record: record["scores"].update(score_route=float("nan")),
    "no status": lambda record: record.update(status=None),
    "no id": lambda record: record.update(route_id=17),
    "infractions as a list": lambda record: record.update(infractions=["red_light"]),
    "infractions as numbers": lambda record: record["infractions"].update(red_light=3),
    "messages as a text": lambda record: record["infractions"].update(red_light="ran a light"),
    "no meta": lambda record: record.update(meta=[]),
}


@pytest.mark.parametrize("damage", BROKEN.values(), ids=BROKEN)
def test_damaged_records_are_named(folder, damage):
    file = folder / "shard_01.json"
    document = json.loads(file.read_text())
    damage(document["_checkpoint"]["records"][1])
    file.write_text(json.dumps(document))
    with pytest.raises(DataError, match=r"shard_01.json, record 1 is not a route record"):
        score_runs([folder], specs())


@pytest.mark.parametrize("text", ["", '{"_checkpoint": {"rec', "\x00\xff", "[" * 100_000])
def test_a_file_that_was_cut_short_is_named(folder, text):
    (folder / "shard_09.json").write_text(text)
    with pytest.raises(DataError, match=r"shard_09.json cannot be read as JSON"):
        score_runs([folder], specs())


def test_a_place_without_results_is_named(tmp_path):
    for place in (tmp_path / "nowhere", tmp_path):
        with pytest.raises(ConfigurationError, match=r"run folder|holds no results"):
            score_runs([place], specs())
    (tmp_path / "file.json").write_text("{}")
    with pytest.raises(ConfigurationError, match="no list of records"):
        score_runs([tmp_path / "file.json"], specs())


def test_an_evaluation_that_has_not_finished_a_route_scores_zero(tmp_path, write_shards):
    result = score_runs([write_shards(tmp_path / "results", [])], specs())
    assert measures(result)["driving_score"] == 0.0
    assert len(result.passes[0].drive.missing) == 5
    assert measures(result)["efficiency"] is None


METRICS: dict[str, str | None] = {
    "missing": None,
    "two frames": json.dumps({str(k): {"acceleration": [0, 0, 0], "angular_velocity": [0, 0, 0],
                                       "forward_vector": [1, 0, 0], "right_vector": [0, 1, 0]} for k in range(2)}),
    "empty": "{}",
    "cut short": '{"0": {"accel',
    "another kind": "[1, 2, 3]",
    "a key is missing": '{"0": {"acceleration": [0, 0, 0]}}',
    "text for numbers": json.dumps({str(k): {"acceleration": "fast", "angular_velocity": [0, 0, 0],
                                             "forward_vector": "ab", "right_vector": "ab"} for k in range(9)}),
}  # fmt: skip


@pytest.mark.parametrize("content", METRICS.values(), ids=METRICS)
def test_routes_without_usable_metrics_are_left_out_of_comfortness_and_named(folder, content):
    (file,) = folder.glob("RouteScenario_102_*/metric_info.json")
    file.unlink()
    others = measures(score_runs([folder], specs([route for route in ROUTES if route[0] != "102"])))["comfortness"]
    if content is not None:
        file.write_text(content)
    result = score_runs([folder], specs())
    assert measures(result)["comfortness"] == pytest.approx(others)
    assert any("comfortness is without 1 of 5 routes" in note and note.endswith("102") for note in result.notes)


def test_names_in_a_record_lead_to_no_other_folder(folder, tmp_path):
    file = folder / "shard_00.json"
    document = json.loads(file.read_text())
    record = document["_checkpoint"]["records"][0]
    (folder / record["save_name"]).rename(tmp_path / "outside")
    record["save_name"] = "../outside"
    file.write_text(json.dumps(document))
    assert any("comfortness is without 1" in note for note in score_runs([folder], specs()).notes)


SPEEDS: dict[str, tuple[list[str], float | None]] = {
    "too large": (["Average speed is 1000.01% of the surrounding traffic's one"], None),
    "no number": (["somewhat slow"], None),
    "none": ([], None),
    "at the limit": (["Average speed is 1000.0% of the surrounding traffic's one"], 1000.0),
    "whole numbers": (["Average speed is 100% of the surrounding traffic's one", "is 50% of"], 75.0),
}


@pytest.mark.parametrize(("messages", "expected"), SPEEDS.values(), ids=SPEEDS)
def test_efficiency_of_odd_messages(tmp_path, makes, write_shards, messages, expected):
    record = makes.record(ROUTES[0])
    record["infractions"]["min_speed_infractions"] = messages
    result = score_runs([write_shards(tmp_path / "results", [record])], specs(ROUTES[:1]))
    assert measures(result)["efficiency"] == expected
    assert any("efficiency is without 1 of 1" in note for note in result.notes) == (expected is None)


def test_abilities_that_no_route_asks_for_have_no_score(tmp_path, makes, write_shards):
    result = score_runs([write_shards(tmp_path / "results", [makes.record(ROUTES[0])])], specs(ROUTES[:1]))
    assert result.abilities["Overtaking"].mean == result.abilities[ABILITY_MEAN].mean == 100.0
    assert [name for name, value in result.abilities.items() if value is None] == list(ABILITIES)[1:]


def sign_routes(stop_short: bool) -> list[RouteSpec]:
    """A held-out route as a traffic-sign route; cut before its first junction if ``stop_short``."""
    route = read_routes(HELD_OUT)[0]
    points = route.keypoints[:2] if stop_short else route.keypoints
    return [RouteSpec("104", route.town, points, (), (ScenarioSpec("T_Junction_1", "T_Junction", ""),))]


@pytest.mark.parametrize(
    ("done", "infraction", "shown"),
    [(99.0, "collisions_vehicle", 100.0), (1.0, "collisions_vehicle", 0.0), (99.0, "red_light", 0.0)],
)
def test_a_failed_route_may_have_heeded_its_sign(tmp_path, makes, write_shards, done, infraction, shown):
    record = makes.record(ROUTES[4], "Failed", **{infraction: 1})
    record["scores"]["score_route"] = done
    result = score_runs([write_shards(tmp_path / "results", [record])], sign_routes(stop_short=False))
    assert result.abilities["Traffic_Signs"].mean == shown
    assert measures(result)["success_rate"] == 0.0


def test_a_route_without_a_junction_is_never_past_it(tmp_path, makes, write_shards):
    record = makes.record(ROUTES[4], "Failed")
    result = score_runs([write_shards(tmp_path / "results", [record])], sign_routes(stop_short=True))
    assert result.abilities["Traffic_Signs"].mean == 0.0
    assert any("104 has no junction" in note for note in result.notes)


def test_a_town_without_a_map_is_named(tmp_path, makes, write_shards, monkeypatch):
    monkeypatch.delenv("CARLA_ROOT", raising=False)
    record = makes.record(ROUTES[4], "Failed")
    routes = [RouteSpec("104", "Town99", ((0, 0, 0), (9, 0, 0)), (), (ScenarioSpec("T", "T_Junction", ""),))]
    result = score_runs([write_shards(tmp_path / "results", [record])], routes)
    assert any("map of Town99 is not at hand" in note and "104" in note for note in result.notes)


def test_records_of_the_leaderboard_take_town_and_scenario_from_the_route_file(tmp_path, makes, write_shards):
    record = makes.record(ROUTES[0])
    for key in ("town_name", "scenario_name", "save_name", "weather_id"):
        del record[key]
    result = score_runs([write_shards(tmp_path / "results", [record])], specs(ROUTES[:1]))
    assert result.by_town()["Town01"].driven == 1
    assert result.abilities["Overtaking"].mean == 100.0


def test_the_command(folder, tmp_path):
    routes = tmp_path / "routes.xml"
    lines = [
        f'<route id="{number}" town="{town}"><waypoints><position x="0" y="0" z="0"/><position x="9" y="0" z="0"/>'
        f'</waypoints><scenarios><scenario name="{kind}_1" type="{kind}"/></scenarios></route>'
        for number, town, kind in [*ROUTES, ("900", "Town09", "Accident")]
    ]
    routes.write_text(f"<routes>{''.join(lines)}</routes>")
    merged = tmp_path / "merged.json"
    base = ["score", str(folder), "--routes", str(routes)]
    ran = CliRunner().invoke(app, [*base, "--merged", str(merged), "--json"])
    assert ran.exit_code == 1  # route 900 is missing
    document = json.loads(ran.stdout)
    assert document == json.loads(json.dumps(scores_document(score_runs([folder], read_routes(routes)))))
    assert document["measures"]["driving_score"]["mean"] == pytest.approx(
        json.loads(merged.read_text())["driving score"]
    )
    ran = CliRunner().invoke(app, [*base, "--subset", "100-104"])
    assert ran.exit_code == 0
    assert "HardBreakRoute" in ran.stdout and "Town03" in ran.stdout and "Overtaking" in ran.stdout
    ran = CliRunner().invoke(app, [*base, "--markdown", "--scoring", "2.1"])
    assert "| Accident | 2 |" in ran.stdout and "scored 2.1" in ran.stdout


def test_published_results_agree_with_themselves():
    assert {"LinkVLA", "SimLingo", "LEAD"} <= {row.system for row in RESULTS}
    for row in RESULTS:
        if row.abilities is not None:
            values = vars(row.abilities).values()
            assert row.ability_mean == pytest.approx(sum(values) / 5, abs=0.02), row.system
