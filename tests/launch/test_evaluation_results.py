"""Scores by hand-computed examples, the leaderboard's result file, the ledger and the tables."""

import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from linkvla.agent.settings import AgentSettings
from linkvla.launch.evaluation import records, scores
from linkvla.launch.evaluation.evaluate_settings import EvaluateSettings, free_threads
from linkvla.launch.evaluation.facts import Infraction
from linkvla.launch.evaluation.ledger import Ledger
from linkvla.launch.evaluation.records import RouteRecord, Timing, route_status, sort_events
from linkvla.launch.evaluation.results import results_document
from linkvla.launch.evaluation.route_file import RouteSpec
from linkvla.launch.evaluation.summary import EvaluationSummary, events_text, markdown_table, rich_table
from linkvla.launch.evaluation.supervisor.work_queue import SAVE_PLACE
from linkvla.launch.json_file import write_json
from linkvla.model.interface.errors import ConfigurationError


def record(route_id="1", completion=100.0, events=(), failure="", **others):
    factor = scores.penalty(events)
    return RouteRecord(
        route_id=f"RouteScenario_{route_id}_rep0",
        town="Maple",
        status=route_status(completion, len(events), failure),
        infractions=sort_events(events),
        score_route=completion,
        score_penalty=factor,
        score_composed=scores.composed(completion, factor),
        route_length=500.0,
        duration_game=80.0,
        duration_system=100.0,
        save_name=f"RouteScenario_{route_id}_rep0_Maple",
        **others,
    )


def event(kind, percentage=None):
    return Infraction(kind, f"{kind} happened", percentage)


OUTSIDE = Infraction(
    "outside_route_lanes",
    "Agent went outside its route lanes for about 50.0 meters (10.0% of the completed route)",
    10.0,
)


class TestScores:
    @pytest.mark.parametrize(
        ("kinds", "expected"),
        [
            ([], 1.0),
            (["collisions_pedestrian"], 0.5),
            (["collisions_vehicle"], 0.6),
            (["collisions_layout"], 0.65),
            (["red_light"], 0.7),
            (["stop_infraction"], 0.8),
            (["red_light", "red_light", "stop_infraction"], 0.7 * 0.7 * 0.8),
            (["min_speed_infractions", "route_dev", "vehicle_blocked", "route_timeout"], 1.0),
        ],
    )
    def test_penalty(self, kinds, expected):
        assert scores.penalty([event(kind) for kind in kinds]) == pytest.approx(expected)

    def test_outside_lanes_by_percentage(self):
        assert scores.penalty([OUTSIDE, event("red_light")]) == pytest.approx(0.9 * 0.7)

    def test_composed(self):
        assert scores.composed(80.0, 0.42) == pytest.approx(33.6)

    @given(st.lists(st.sampled_from(scores.INFRACTION_KINDS), max_size=20), st.floats(0, 100))
    def test_score_is_within_its_range(self, kinds, completion):
        assert 0.0 <= scores.composed(completion, scores.penalty([event(kind) for kind in kinds])) <= 100.0

    def test_success(self):
        assert record(events=[event("min_speed_infractions")]).success
        assert not record(events=[event("red_light")]).success
        assert not record(completion=90.0, failure=records.AGENT_BLOCKED).success

    def test_deviation_divides_by_one_less_than_the_total(self):
        assert scores.standard_deviation([100.0, 50.0], 2) == pytest.approx(35.3553, abs=1e-4)
        assert scores.standard_deviation([100.0], 1) == 0.0


@pytest.mark.parametrize(
    ("percent", "events", "failure", "status"),
    [
        (100.0, 0, "", "Perfect"),
        (100.0, 3, "", "Completed"),
        (100.0, 1, records.AGENT_CRASHED, "Completed"),
        (40.0, 0, "", "Failed"),
        (40.0, 0, records.AGENT_CRASHED, "Failed - Agent crashed"),
    ],
)
def test_status(percent, events, failure, status):
    assert route_status(percent, events, failure) == status


class TestDocument:
    def document(self):
        entries = [record("1"), record("2", 50.0, [event("red_light"), OUTSIDE], records.AGENT_BLOCKED)]
        return results_document(entries, 4, ["sensor.camera.rgb", "sensor.other.imu", "sensor.camera.rgb"])

    def test_shape(self):
        document = self.document()
        assert list(document) == ["_checkpoint", "entry_status", "eligible", "sensors", "values", "labels"]
        assert list(document["_checkpoint"]) == ["global_record", "progress", "records"]
        assert document["sensors"] == ["carla_camera", "carla_imu"]
        assert len(document["values"]) == len(document["labels"]) == 15
        assert all(isinstance(value, str) for value in document["values"])
        first = document["_checkpoint"]["records"][1]
        assert set(first) == {
            *("index", "route_id", "status", "num_infractions", "infractions", "scores", "meta"),
            *("scenario_name", "weather_id", "save_name", "town_name"),
        }
        assert list(first["infractions"]) == [
            *("collisions_layout", "collisions_pedestrian", "collisions_vehicle", "red_light", "stop_infraction"),
            *("outside_route_lanes", "min_speed_infractions", "yield_emergency_vehicle_infractions"),
            *("scenario_timeouts", "route_dev", "vehicle_blocked", "route_timeout"),
        ]
        assert first["scores"] == {"score_route": 50.0, "score_penalty": 0.63, "score_composed": 31.5}
        assert set(first["meta"]) == {"route_length", "duration_game", "duration_system"}
        assert first["index"] == 1
        json.dumps(document)

    def test_global_record(self):
        overall = self.document()["_checkpoint"]["global_record"]
        assert (overall["index"], overall["route_id"], overall["status"]) == (-1, -1, "Failed")
        assert overall["scores_mean"]["score_composed"] == pytest.approx((100.0 + 31.5) / 4)
        # driven: 0.5 km and 0.25 km
        assert overall["infractions"]["red_light"] == pytest.approx(1 / 0.75, abs=1e-3)
        assert overall["infractions"]["outside_route_lanes"] == 0.05  # km outside
        assert overall["meta"]["total_length"] == 1000.0
        assert overall["meta"]["exceptions"] == [["RouteScenario_2_rep0", 1, "Failed - Agent got blocked"]]

    def test_entry_status(self):
        assert self.document()["entry_status"] == "Started"
        finished = results_document([record()], 1)
        assert (finished["entry_status"], finished["eligible"]) == ("Finished", True)
        crashed = results_document([record(completion=1.0, failure=records.SIMULATION_CRASHED)], 1)
        assert (crashed["entry_status"], crashed["eligible"]) == ("Crashed", False)

    def test_empty(self):
        assert results_document([], 3)["_checkpoint"]["progress"] == [0, 3]


def test_write_is_all_or_nothing(tmp_path):
    path = tmp_path / "deep" / "results.json"
    write_json(path, {"a": 1})
    with pytest.raises(TypeError):
        write_json(path, {"a": object()})
    assert json.loads(path.read_text()) == {"a": 1}
    assert [item.name for item in path.parent.iterdir()] == ["results.json"]


def test_record_round_trip():
    one = record("7", 30.0, [event("red_light")], records.AGENT_CRASHED, timing=Timing(10, 0.5, 1.0, {"tick": 5.0}))
    assert RouteRecord.from_leaderboard(one.to_leaderboard(), one.timing) == one
    assert one.timing.real_time_ratio == 0.5


class TestLedger:
    def test_resumes(self, tmp_path):
        ledger = Ledger(tmp_path / "routes", {"seed": 1})
        kept = record("1", timing=Timing(5, 0.25, 0.5, {}), error="boom")
        ledger.put(kept)
        again = Ledger(tmp_path / "routes", {"seed": 1})
        assert again.get("RouteScenario_1_rep0") == kept
        assert again.get("RouteScenario_2_rep0") is None

    def test_crashed_simulations_are_driven_again_and_known_until_then(self, tmp_path):
        crashed = record("1", 3.0, failure=records.SIMULATION_CRASHED)
        Ledger(tmp_path, {}).put(crashed)
        again = Ledger(tmp_path, {})
        assert again.get(crashed.route_id).gave_up
        assert not again.finished(crashed.route_id)
        again.put(record("1"))
        assert Ledger(tmp_path, {}).finished(crashed.route_id)

    def test_sees_what_another_shard_has_finished(self, tmp_path):
        mine, theirs = Ledger(tmp_path, {}), Ledger(tmp_path, {})
        theirs.put(record("1"))
        mine.refresh()
        assert mine.finished("RouteScenario_1_rep0")

    def test_refuses_another_evaluation(self, tmp_path):
        Ledger(tmp_path, {"seed": 1, "agent": "expert"}).put(record())
        with pytest.raises(ConfigurationError, match="different: seed"):
            Ledger(tmp_path, {"seed": 2, "agent": "expert"})

    def test_goes_on_after_packages_have_changed_and_keeps_what_each_record_was_made_with(self, tmp_path):
        Ledger(tmp_path, {"seed": 1}, {"torch": "1.0"}).put(record("1"))
        after = Ledger(tmp_path, {"seed": 1}, {"torch": "2.0"})
        assert after.finished("RouteScenario_1_rep0")
        after.put(record("2"))
        kept = [json.loads(path.read_text())["packages"]["torch"] for path in sorted(tmp_path.glob("*.json"))]
        assert kept == ["1.0", "2.0"]

    def test_refuses_a_damaged_record(self, tmp_path):
        (tmp_path / "x.json").write_text("{")
        with pytest.raises(ConfigurationError, match=r"x\.json is not a route record"):
            Ledger(tmp_path, {})


class TestTables:
    def summary(self):
        entries = (
            record("1"),
            record("2", 50.0, [event("red_light"), event("red_light"), OUTSIDE], "Agent got blocked"),
        )
        return EvaluationSummary(tuple(replace(r, timing=Timing(100, 5.0, 10.0)) for r in entries), 2)

    def test_means(self):
        summary = self.summary()
        assert summary.driving_score == pytest.approx((100.0 + 50.0 * 0.49 * 0.9) / 2)
        assert summary.completed == 50.0
        assert summary.success_rate == 50.0
        assert summary.route_completion == 75.0
        assert summary.real_time_ratio == 0.5

    def test_missing_routes_count_as_zero(self):
        assert EvaluationSummary((record(),), 4).driving_score == 25.0
        assert EvaluationSummary((), 4).driving_score == 0.0

    def test_events_text(self):
        assert events_text(self.summary().records[1]) == "red light x2, off lane"
        assert events_text(record(events=[event("min_speed_infractions")])) == ""

    def test_markdown(self):
        text = markdown_table(self.summary(), "linkvla evaluate --routes r.xml", ["Driver: expert."])
        assert text.startswith("`linkvla evaluate --routes r.xml`\n\nDriver: expert.\n\n| route | status |")
        assert text.count("\n| ") == 5
        assert "| all 2 |" in text

    def test_terminal_table(self):
        assert rich_table(self.summary(), "title").row_count == 3


class TestSettings:
    def routes(self):
        return [RouteSpec(str(i), "Maple", ((0.0, 0.0, 0.0),) * 2) for i in range(2)]

    def test_tasks(self, tmp_path):
        settings = EvaluateSettings(tmp_path / "r.xml", seed=10, agent="expert", repetitions=2)
        tasks = settings.tasks(self.routes(), tmp_path)
        assert [task.route_id for task in tasks][:3] == [
            "RouteScenario_0_rep0",
            "RouteScenario_0_rep1",
            "RouteScenario_1_rep0",
        ]
        assert [task.seed for task in tasks] == [10, 11, 10, 11]
        assert len({task.folder for task in tasks}) == 4
        assert not any(task.record for task in tasks)
        recorded = EvaluateSettings(tmp_path / "r.xml", agent="expert", record=True).tasks(self.routes(), tmp_path)
        assert all(task.record for task in recorded)

    def test_devices_and_adapters_go_round(self, tmp_path):
        settings = EvaluateSettings(tmp_path / "r.xml", workers=3, devices=("cuda:1", "cuda:0"), adapters=(0, 2))
        assert [(slot.gpu, slot.adapter) for slot in settings.slots] == [(1, 0), (0, 2), (1, 0)]
        assert "device=cuda;" in settings.agent_config
        plain = EvaluateSettings(tmp_path / "r.xml", workers=2)
        assert [(slot.gpu, slot.adapter) for slot in plain.slots] == [(None, None)] * 2

    def test_a_record_goes_to_a_place_that_is_known_when_the_attempt_begins(self, tmp_path):
        settings = EvaluateSettings(tmp_path / "r.xml", record=True)
        assert f"record={SAVE_PLACE};" in settings.agent_config
        assert not any(task.record for task in settings.tasks(self.routes(), tmp_path))  # by the agent itself
        with pytest.raises(ConfigurationError, match="no-record"):
            settings.tasks(self.routes(), tmp_path / "a;b")

    def test_what_is_named_from_here_is_found_from_elsewhere(self, tmp_path, monkeypatch):
        monkeypatch.chdir(tmp_path)
        (tmp_path / "mine").mkdir()
        (tmp_path / "mine.py").touch()
        settings = EvaluateSettings(tmp_path / "r.xml", checkpoint="mine")
        assert settings.agent_config.startswith(f"{tmp_path}/mine;")
        (task, _) = EvaluateSettings(tmp_path / "r.xml", agent="mine.py").tasks(self.routes(), tmp_path)
        assert task.agent == f"{tmp_path}/mine.py"

    def test_a_probe_is_told_to_the_agent_and_to_who_reads_the_result(self, tmp_path):
        file = tmp_path / "r.xml"
        file.touch()
        settings = EvaluateSettings(file, probes=("no-commands", "black-frames"))
        assert AgentSettings.parse(settings.agent_config).probes == ("no-commands", "black-frames")
        assert settings.header()["probes"] == ["no-commands", "black-frames"]
        assert EvaluateSettings(file).header()["probes"] == []

    def test_options_for_an_agents_file_are_its_own(self, tmp_path):
        settings = EvaluateSettings(tmp_path / "r.xml", agent="mine.py", agent_options="weights.pt")
        assert settings.agent_config == "weights.pt"

    @pytest.mark.parametrize(
        "bad",
        [
            {"agent": "nobody"},
            {"repetitions": 0},
            {"workers": 0},
            {"threads": 0},
            {"checkpoint": "a;b"},
            {"probes": ("deaf",)},
            {"probes": ("black-frames",), "agent": "expert"},
            {"devices": ("tpu",)},
            {"devices": ("cpu", "cuda:0")},
        ],
    )
    def test_bad_settings(self, tmp_path, bad):
        with pytest.raises(ConfigurationError):
            EvaluateSettings(tmp_path / "r.xml", **bad)


def test_the_network_leaves_a_core_to_its_simulator(tmp_path):
    assert free_threads(1) >= 1
    assert free_threads(10_000) == 1
    assert EvaluateSettings(tmp_path / "r.xml", threads=3).agent_config == "linkvla-nano;device=cpu;threads=3"
    assert "threads=0" not in EvaluateSettings(tmp_path / "r.xml").agent_config
    assert EvaluateSettings(tmp_path / "r.xml", agent="expert").agent_config == ""
