"""The formulas: penalties by three rules, comfortness, passes over seeds, which runs may be put together."""

from __future__ import annotations

import hashlib
import json
import math
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import carla
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from linkvla.agent.metric_info import FILE_NAME, MetricInfoFile
from linkvla.agent.recorder import FILE_NAME as RECORD
from linkvla.launch.evaluation import scores
from linkvla.launch.evaluation.agent_host import motion
from linkvla.launch.evaluation.facts import Infraction
from linkvla.launch.evaluation.records import RouteRecord
from linkvla.launch.evaluation.route_file import RouteSpec, ScenarioSpec
from linkvla.launch.evaluation.scores import COSTS, FACTORS, INFRACTION_KINDS, Rules
from linkvla.launch.evaluation.scoring.benchmark_scores import MEASURES, measure, score_runs
from linkvla.launch.evaluation.scoring.comfort import read_metric_info, route_comfort
from linkvla.launch.evaluation.scoring.document import scores_document
from linkvla.launch.evaluation.scoring.merged import write_merged
from linkvla.launch.evaluation.scoring.rescore import rescored
from linkvla.launch.evaluation.scoring.route_scores import RouteScore
from linkvla.launch.evaluation.scoring.steering import read_steering, steering_change
from linkvla.launch.json_file import write_json
from linkvla.model.interface.errors import ConfigurationError, DataError

events = st.lists(
    st.builds(
        lambda kind, share: Infraction(kind, f"({share}% of the completed route)", share),
        st.sampled_from(INFRACTION_KINDS),
        st.floats(0.0, 100.0).map(lambda value: round(value, 2)),
    ),
    max_size=8,
)


@given(events, st.sampled_from(Rules), st.randoms())
def test_a_penalty_is_a_factor_and_the_order_of_events_means_nothing(happened, rules, random):
    factor = scores.penalty(happened, rules)
    shuffled = list(happened)
    random.shuffle(shuffled)
    assert 0.0 <= factor <= 1.0
    assert scores.penalty(shuffled, rules) == pytest.approx(factor)


@given(events, events, st.sampled_from(Rules))
def test_more_events_never_raise_a_score(happened, more, rules):
    assert scores.penalty([*happened, *more], rules) <= scores.penalty(happened, rules) + 1e-12


@given(events)
def test_how_the_rules_compare(happened):
    bench, two, two_one = (scores.penalty(happened, rules) for rules in Rules)
    assert two <= bench + 1e-12  # only minimum speed makes the difference
    outside = [event for event in happened if event.kind == "outside_route_lanes"]
    share = scores.penalty(outside, Rules.LEADERBOARD_2_1)
    others = [COSTS[event.kind] for event in happened if event.kind in COSTS]
    slow = [0.4 * (1 - event.percentage / 100) for event in happened if event.kind == "min_speed_infractions"]
    assert two_one == pytest.approx(share / (1 + sum(others) + sum(slow)))
    assert two_one >= share * math.prod(1 / (1 + cost) for cost in [*others, *slow]) - 1e-12  # milder than a product


def test_factors_and_costs_of_single_events():
    for kind in FACTORS:
        event = [Infraction(kind, "")]
        assert scores.penalty(event) == scores.penalty(event, Rules.LEADERBOARD_2_0) == FACTORS[kind]
        assert scores.penalty(event, Rules.LEADERBOARD_2_1) == pytest.approx(1 / (1 + COSTS[kind]))
    slow = [Infraction("min_speed_infractions", "", 50.0)]
    assert [scores.penalty(slow, rules) for rules in Rules] == pytest.approx([1.0, 0.85, 1 / 1.2])


def record(messages: dict[str, list[str]], penalty: float = 1.0, done: float = 100.0, save_name: str = "x"):
    infractions = {kind: messages.get(kind, []) for kind in INFRACTION_KINDS}
    return RouteRecord(
        "RouteScenario_1_rep0", "Town01", "Completed", infractions, done, penalty, done * penalty, 100.0, 9.0, 9.0,
        save_name=save_name,
    )  # fmt: skip


def speeds(*values: float) -> dict[str, list[str]]:
    return {"min_speed_infractions": [f"Average speed is {v}% of the surrounding traffic's one" for v in values]}


def test_bench2drives_twenty_stretches_weigh_like_the_leaderboards_four():
    uniform = record(speeds(*[50.0] * 21))
    assert rescored(uniform, Rules.LEADERBOARD_2_0).score_penalty == pytest.approx(0.85**4)
    assert rescored(uniform, Rules.LEADERBOARD_2_1).score_penalty == pytest.approx(1 / 1.8)
    assert rescored(uniform, Rules.BENCH2DRIVE) == uniform
    mixed = record(speeds(*[50.0] * 5, *[150.0] * 5, *[40.0, 160.0, 40.0, 160.0, 50.0], 60.0), done=78.0)
    factors = [0.85, 1 - 0.3 * 0.1]  # a fast stretch costs nothing, one that is not over does not count
    assert rescored(mixed, Rules.LEADERBOARD_2_0).score_penalty == pytest.approx(math.prod(factors))
    own = record(speeds(50.0, 80.0), save_name="")
    assert rescored(own, Rules.LEADERBOARD_2_0).score_penalty == pytest.approx(0.85 * 0.94)


def test_a_penalty_that_fits_its_messages_is_kept_to_the_digit():
    outside = "Agent went outside its route lanes for about 3.1 meters (12.35% of the completed route)"
    fitting = record({"outside_route_lanes": [outside]}, penalty=1 - 0.12345678)
    assert rescored(fitting, Rules.BENCH2DRIVE) is fitting
    strange = replace(fitting, score_penalty=0.5, score_composed=50.0)
    assert rescored(strange, Rules.BENCH2DRIVE).score_composed == pytest.approx(87.65)


def test_what_the_built_in_evaluator_measures_is_what_comfort_reads(tmp_path):
    """A car that faces +y and speeds up, leaning a little to its right, which is -x."""
    ego = SimpleNamespace(
        get_transform=lambda: carla.Transform(carla.Location(1.0, 2.0, 3.0), carla.Rotation(yaw=90.0)),
        get_acceleration=lambda: carla.Vector3D(-0.25, 1.5, 9.0),
        get_angular_velocity=lambda: carla.Vector3D(7.0, 8.0, 0.5),
    )
    file = MetricInfoFile(tmp_path / FILE_NAME)
    file.add(motion(ego))
    file.write()
    (row,) = read_metric_info(file.path)
    assert row == pytest.approx([-0.25, 1.5, 0.0, 1.0, -1.0, 0.0, 0.5], abs=1e-6)


frames = st.integers(1, 90)


def moving(forward: np.ndarray, yaw_rate: float = 0.0) -> np.ndarray:
    """Frames of a car that faces +x, with an acceleration ahead (m/s^2) and a yaw rate (deg/s)."""
    count = len(forward)
    return np.column_stack([
        forward, np.zeros(count), np.ones(count), np.zeros((count, 2)), np.ones(count), np.full(count, yaw_rate),
    ])  # fmt: skip


@pytest.mark.parametrize(
    ("acceleration", "yaw_rate", "comfortable"),
    [(0.0, 0.0, True), (2.39, 0.0, True), (2.41, 0.0, False), (-4.04, 0.0, True), (-4.06, 0.0, False),
     (0.0, 0.94, True), (0.0, 0.96, False), (0.0, 2 * math.pi, False)],
)  # fmt: skip
def test_limits_of_comfort(acceleration, yaw_rate, comfortable):
    """The yaw rate is in degrees per second and held against 0.95 radians: a turn of one degree is too much."""
    for count in (3, 6, 20, 40):
        assert route_comfort(moving(np.full(count, acceleration), yaw_rate)) == float(comfortable)


def test_jerk_is_measured_as_if_frames_were_a_tenth_of_a_second_apart():
    """Accelerations that grow by 0.3 m/s^2 per frame: 3 m/s^3 to the tool, 6 m/s^3 in truth."""
    assert route_comfort(moving(-3.9 + 0.3 * np.arange(20))) == 1.0
    assert route_comfort(moving(-3.9 + 0.45 * np.arange(14))) == 0.0


def test_a_short_last_piece_does_not_count():
    calm, rough = np.zeros(20), np.full(20, 9.0)
    assert route_comfort(moving(np.concatenate([calm, rough[:19]]))) == 1.0
    assert route_comfort(moving(np.concatenate([calm, rough]))) == 0.5
    assert route_comfort(moving(rough[:2])) is None
    assert route_comfort(np.zeros((0, 7))) is None


@given(frames, st.floats(0.0, 20.0), st.integers(0, 2**32 - 1), st.booleans())
def test_comfort_is_a_share_of_pieces(count, size, seed, hole):
    rng = np.random.default_rng(seed)
    walk = rng.normal(0.0, 1.0, (count, 7)) * size
    if hole:
        walk[rng.integers(count), rng.integers(7)] = rng.choice([math.nan, math.inf])
    comfort = route_comfort(walk)
    if count < 3:
        assert comfort is None
    else:
        pieces = max(count // 20, 1)
        assert 0.0 <= comfort <= 1.0
        assert comfort * pieces == pytest.approx(round(comfort * pieces))


def drive_record(folder: Path, lines: list[dict]) -> Path:
    folder.mkdir(parents=True)
    header = {"format": "linkvla ticks", "version": 1}
    (folder / RECORD).write_text("".join(json.dumps(line) + "\n" for line in [header, *lines]))
    return folder / RECORD


def steered(steering, speed: float = 5.0, first: int = 0) -> list[dict]:
    return [{"tick": first + n, "speed": speed, "control": [0.5, value, 0.0]} for n, value in enumerate(steering)]


def test_steering_changes_count_while_the_car_moves_and_not_across_gaps(tmp_path):
    moving, standing, later = steered([0.0, 0.1, -0.1]), steered([0.9, -0.9], 0.4, 3), steered([0.5, 0.5], first=9)
    ticks = read_steering(drive_record(tmp_path / "a", [*moving, *standing, *later]))
    assert steering_change(ticks) == pytest.approx(100 * (0.1 + 0.2 + 0.0) / 3)
    assert steering_change(ticks[3:5]) is None
    assert steering_change(np.array([[0, 5.0, 0.0], [1, 5.0, math.nan]])) is None
    for broken in ({"tick": 0, "speed": 1.0}, {"tick": 0, "speed": 1.0, "control": [0.0]}):
        with pytest.raises(DataError, match="no steering"):
            read_steering(drive_record(tmp_path / str(len(broken)), [broken]))


route_scores = st.lists(
    st.builds(
        lambda done, penalty, efficiency, comfort, driven: RouteScore(
            "1", "T", "Accident", replace(record({}, penalty), score_route=done, score_composed=done * penalty)
            if driven else None, efficiency if driven else None, comfort if driven else None,
        ),
        st.floats(0, 100), st.floats(0, 1), st.none() | st.floats(0, 1000), st.none() | st.floats(0, 1), st.booleans(),
    ),
    min_size=1, max_size=30,
)  # fmt: skip


@given(route_scores, st.randoms())
def test_measures_are_bounded_and_the_order_of_routes_means_nothing(routes, random):
    values = measure(routes)
    shuffled = list(routes)
    random.shuffle(shuffled)
    other = measure(shuffled)
    for name in MEASURES:
        assert (values[name] is None) == (other[name] is None)
        if values[name] is not None:
            assert other[name] == pytest.approx(values[name])
            assert 0.0 <= values[name] <= {"efficiency": 1000.0, "infraction_penalty": 1.0}.get(name, 100.0) + 1e-9
    assert values["driving_score"] <= values["route_completion"] + 1e-9


ROUTES = [RouteSpec(str(n), "Town01", (), (), (ScenarioSpec("A_1", "Accident", ""),)) for n in range(4)]
HEADER = {"linkvla": "1", "evaluator": "builtin", "bench2drive": {"commit": "7ec25d1"}, "routes": "abc", "seed": 0}


def run_folder(
    folder: Path, makes, numbers, header: dict | None, status: str = "Completed", repetition: int = 0
) -> Path:
    for number in numbers:
        data = makes.record((str(number), "Town01", "Accident"), status, repetition)
        document = {"header": header, "record": data, "timing": {"ticks": 3}, "error": "", "attempts": []}
        write_json(folder / "routes" / f"{data['route_id']}.json", document)
    return folder


@pytest.fixture
def makes(result_sets):
    return result_sets(2)


def test_runs_of_several_seeds_are_passes_of_their_own(tmp_path, makes):
    runs = [
        run_folder(tmp_path / f"seed{seed}", makes, range(4), {**HEADER, "seed": seed}, status)
        for seed, status in enumerate(("Completed", "Completed", "Failed"))
    ]
    result = score_runs(runs, ROUTES)
    values = [one.measures["driving_score"] for one in result.passes]
    assert values[:2] == [100.0, 100.0] and values[2] < 100.0
    assert result.measures["driving_score"].mean == pytest.approx(sum(values) / 3)
    assert result.measures["driving_score"].spread == pytest.approx(np.std(values, ddof=1))
    assert [one.drive.label for one in result.passes] == ["seed 0", "seed 1", "seed 2"]
    files = write_merged(result, tmp_path / "merged.json")
    assert [file.name for file in files] == ["merged-1.json", "merged-2.json", "merged-3.json"]
    assert json.loads(files[1].read_text())["driving score"] == 100.0


def test_shards_and_repetitions(tmp_path, makes):
    first = run_folder(tmp_path / "a", makes, (0, 1), HEADER)
    second = run_folder(tmp_path / "b", makes, (2, 3), {**HEADER, "workers": 4, "gpu": "another"})
    (one,) = score_runs([first, second], ROUTES).passes
    assert one.driven == 4 and one.measures["driving_score"] == 100.0
    run_folder(first, makes, range(4), HEADER, "Failed", repetition=1)
    result = score_runs([first, second], ROUTES)
    assert [(each.drive.label, each.driven) for each in result.passes] == [("repetition 0", 4), ("repetition 1", 4)]
    assert result.measures["success_rate"].mean == 50.0


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"bench2drive": {"commit": "0000000"}}, "bench2drive.commit: 7ec25d1 and 0000000"),
        ({"routes": "def"}, "routes: abc and def"),
        ({"carla": "0.9.15"}, "carla: not there and 0.9.15"),
    ],
)
def test_unlike_runs_are_not_put_together(tmp_path, makes, change, named):
    first = run_folder(tmp_path / "a", makes, (0, 1), HEADER)
    second = run_folder(tmp_path / "b", makes, (2, 3), {**HEADER, **change})
    for each_a_seed in (False, True):
        with pytest.raises(ConfigurationError, match=named):
            score_runs([first, second], ROUTES, each_a_seed=each_a_seed)
    run_folder(first, makes, (2, 3), {**HEADER, **change})
    with pytest.raises(ConfigurationError, match=named):
        score_runs([first], ROUTES)


def test_a_network_may_lie_in_another_folder(tmp_path, makes):
    networks = [{**HEADER, "checkpoint": place, "weights": "abc"} for place in ("/a", "/b")]
    first, second = (run_folder(tmp_path / str(k), makes, (k,), header) for k, header in enumerate(networks))
    assert score_runs([first, second], ROUTES).passes[0].driven == 2
    third = run_folder(tmp_path / "c", makes, (3,), {**networks[0], "weights": "def"})
    with pytest.raises(ConfigurationError, match="weights: abc and def"):
        score_runs([first, third], ROUTES)


def test_runs_without_a_header_are_taken_with_a_note(tmp_path, makes, write_shards):
    ours = run_folder(tmp_path / "a", makes, range(4), HEADER)
    theirs = write_shards(tmp_path / "b", [makes.record(("0", "Town01", "Accident"))])
    result = score_runs([ours, theirs], ROUTES, each_a_seed=True)
    assert len(result.passes) == 2
    assert any("no header" in note and str(theirs) in note for note in result.notes)


def test_a_run_knows_its_route_file(tmp_path, makes):
    file = tmp_path / "routes.xml"
    points = '<waypoints><position x="0" y="0" z="0"/><position x="9" y="0" z="0"/></waypoints>'
    routes = "".join(f'<route id="{n}" town="Town01">{points}</route>' for n in range(4))
    file.write_text(f"<routes>{routes}</routes>")
    header = {**HEADER, "routes": hashlib.sha256(file.read_bytes()).hexdigest()}
    folder = run_folder(tmp_path / "run", makes, (0, 1, 2), header)
    write_json(folder / "header.json", {**header, "route_file": str(file), "subset": ""})
    (one,) = score_runs([folder]).passes
    assert one.drive.missing == ("3",) and one.measures["driving_score"] == 75.0
    file.write_text(file.read_text() + "\n")  # another file now
    result = score_runs([folder])
    assert len(result.expected) == 3 and any("route file is not known" in note for note in result.notes)


def test_the_metrics_of_a_run_are_found_beside_its_drives(tmp_path, makes, write_shards):
    """Where the built-in evaluator leaves them, and where Bench2Drive's agents do, in the folder of the route."""
    data = [makes.record((str(number), "Town01", "Accident")) for number in range(2)]
    run = run_folder(tmp_path / "run", makes, (0, 1), HEADER)
    write_json(run / "drives" / data[0]["route_id"] / "metric_info.json", makes.metrics(40))
    write_json(run / "drives" / data[1]["route_id"] / "any name" / "metric_info.json", makes.metrics(40))
    results = write_shards(tmp_path / "shards", data) / "shard_00.json"
    (run / "results.json").write_bytes(results.read_bytes())
    scores_of_run, scores_of_file = (score_runs([place], ROUTES[:2]) for place in (run, run / "results.json"))
    assert not any("comfortness" in note for note in scores_of_run.notes)
    assert scores_of_run.measures["comfortness"] == scores_of_file.measures["comfortness"]
    assert scores_of_run.measures["steering_change"] is None


def test_the_steering_of_a_run_is_read_where_it_was_recorded(tmp_path, makes):
    run = run_folder(tmp_path / "run", makes, range(3), HEADER)
    drive_record(run / "drives" / "RouteScenario_0_rep0", steered([0.0, 0.02, 0.0]))
    drive_record(run / "drives" / "RouteScenario_1_rep0", steered([0.0, 0.04, 0.0]))
    result = score_runs([run], ROUTES[:3])
    assert result.measures["steering_change"].mean == pytest.approx(3.0)
    assert any("steering change is without 1 of 3 routes" in note and note.endswith("2") for note in result.notes)
    (one,) = scores_document(result)["passes"]
    assert [route["steering_change"] for route in one["routes"]] == [pytest.approx(2.0), pytest.approx(4.0), None]


def test_a_route_that_was_begun_has_no_result_yet(tmp_path, makes):
    folder = run_folder(tmp_path / "run", makes, (0, 1), HEADER)
    write_json(folder / "routes" / "RouteScenario_2_rep0.json", {"header": HEADER, "record": None})
    result = score_runs([folder], ROUTES)
    assert result.passes[0].drive.missing == ("2", "3")
    assert any("RouteScenario_2_rep0.json has no record yet" in note for note in result.notes)
