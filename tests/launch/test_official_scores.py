"""Our scores beside those of the official tools, on the same files.

Needs the checkouts that BENCH2DRIVE_ROOT, LEADERBOARD_ROOT and SCENARIO_RUNNER_ROOT name, and an interpreter that has
their packages: EVALUATOR_PYTHON, or the one that runs the tests. LINKVLA_TOWNS, a folder of CARLA's .xodr files, lets
more routes fail that Traffic_Signs looks at.

As a script it compares on results of your own: ``python tests/launch/test_official_scores.py FOLDER ROUTES.xml``.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import pytest

from linkvla.launch.environment import PYTHON_API
from linkvla.launch.evaluation.records import RouteRecord
from linkvla.launch.evaluation.results import results_document
from linkvla.launch.evaluation.route_file import RouteSpec, read_routes
from linkvla.launch.evaluation.scores import Rules
from linkvla.launch.evaluation.scoring.abilities import ABILITIES, TRAFFIC_SIGNS
from linkvla.launch.evaluation.scoring.benchmark_scores import ABILITY_MEAN, score_runs
from linkvla.launch.evaluation.scoring.merged import write_merged
from linkvla.launch.evaluation.scoring.rescore import rescored
from linkvla.launch.evaluation.scoring.route_scores import scenario_type
from linkvla.launch.sim.world.town_loader import available_towns, town_file

pytestmark = pytest.mark.system

PYTHON = os.environ.get("EVALUATOR_PYTHON", sys.executable)
TOWNS = [Path(os.environ["LINKVLA_TOWNS"])] if "LINKVLA_TOWNS" in os.environ else []
OWN_ROUTES = Path(__file__).resolve().parents[2] / "launch" / "evaluation" / "routes" / "training.xml"
LIMIT_S = 240.0
EXACT = 1e-6
MERGE_DIVISOR = 220  # the merge tool's, whatever was to be driven; ours is the length of the list


def _checkout(variable: str) -> Path:
    folder = os.environ.get(variable)
    if not folder or not Path(folder).is_dir():
        pytest.skip(f"{variable} names no checkout")
    return Path(folder).resolve()


def _run(script: Path, *arguments: object, paths: list[Path], **variables: str) -> str:
    path = os.pathsep.join(filter(None, [*map(str, paths), os.environ.get("PYTHONPATH", "")]))
    settings = {**os.environ, "PYTHONPATH": path, "PYTHONDONTWRITEBYTECODE": "1", **variables}
    command = [PYTHON, str(script), *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=LIMIT_S, env=settings)
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout


def official_numbers(tools: Path, folder: Path, routes: Path, metrics: Path | None, carla_root: Path) -> dict:
    """What Bench2Drive's three tools say of a folder of checkpoint files. They write into it."""
    _run(tools / "merge_route_json.py", "-f", folder, paths=[])
    merged = json.loads((folder / "merged.json").read_text())
    numbers = {"driving_score": merged["driving score"], "success_rate": 100 * merged["success rate"]}
    numbers |= official_abilities(tools, folder / "merged.json", routes, carla_root)
    if metrics is not None:
        said = _run(tools / "efficiency_smoothness_benchmark.py", "-f", folder / "merged.json", "-m", metrics, paths=[])
        numbers["efficiency"] = float(re.search(r"Efficiency=(\S+)", said).group(1))
        numbers["comfortness"] = 100 * float(re.search(r"Smoothness=(\S+)", said).group(1))
    return numbers


def official_abilities(tools: Path, merged: Path, routes: Path, carla_root: Path) -> dict:
    """Nothing where an ability has no routes, which ends the tool."""
    try:
        _run(
            tools / "ability_benchmark.py", "-f", routes, "-r", merged,
            paths=[PYTHON_API], CARLA_ROOT=str(carla_root),
        )  # fmt: skip
    except AssertionError as error:
        if "ZeroDivisionError" in str(error):
            return {}
        raise
    abilities = json.loads(merged.with_name("merged_ability.json").read_text())
    return {name: 100 * abilities[name] for name in ABILITIES} | {ABILITY_MEAN: 100 * abilities["mean"]}


def our_numbers(folder: Path, routes: list[RouteSpec], metrics: Path | None, maps: list[Path]) -> dict:
    """The same of ours."""
    result = score_runs([folder], routes, metric_folders=[metrics] if metrics else (), towns=maps)
    (one,) = result.passes
    share = len(routes) / MERGE_DIVISOR
    numbers = {name: one.measures[name] * share for name in ("driving_score", "success_rate")}
    numbers.update({name: one.abilities[name] for name in (*ABILITIES, ABILITY_MEAN)})
    if metrics is not None:
        numbers.update({name: one.measures[name] for name in ("efficiency", "comfortness")})
    return numbers


def carla_root(folder: Path, maps: list[Path]) -> Path:
    """A folder that has maps where CARLA has them."""
    place = folder / "CarlaUE4" / "Content" / "Carla" / "Maps" / "OpenDrive"
    place.mkdir(parents=True)
    for town in available_towns(maps):
        (place / f"{town}.xodr").symlink_to(town_file(town, maps))
    return folder


def _tools() -> Path:
    tools = _checkout("BENCH2DRIVE_ROOT") / "tools"
    probe = subprocess.run([PYTHON, "-c", "import carla, networkx, scipy"], capture_output=True, text=True)
    if probe.returncode:
        pytest.skip(f"{PYTHON} cannot run them ({probe.stderr.strip()[-80:]}); name one that can in EVALUATOR_PYTHON")
    return tools


def _own_routes(folder: Path) -> Path:
    """220 routes on the towns that ship, whose scenarios are named after Bench2Drive's: all may fail."""
    kinds = sorted({kind for members in ABILITIES.values() for kind in members})
    routes = ElementTree.parse(OWN_ROUTES).getroot().findall("route")
    root = ElementTree.Element("routes")
    for number in range(220):
        source = routes[number % len(routes)]
        route = ElementTree.SubElement(root, "route", id=str(9000 + number), town=source.get("town"))
        route.append(source.find("waypoints"))
        kind = kinds[number % len(kinds)]
        ElementTree.SubElement(ElementTree.SubElement(route, "scenarios"), "scenario", name=f"{kind}_1", type=kind)
    file = folder / "own.xml"
    file.write_bytes(ElementTree.tostring(root))
    return file


@pytest.mark.parametrize("name", ["bench2drive220.xml", "bench2drive_0.0.4_val.xml", "own towns"])
def test_five_groups_equal_those_of_bench2drives_tools(name: str, tmp_path: Path, result_sets, write_shards):
    tools = _tools()
    file = _own_routes(tmp_path) if name == "own towns" else tools.parent / "leaderboard" / "data" / name
    if not file.is_file():
        pytest.skip(f"the checkout has no {name}")
    routes = read_routes(file)
    assert len(routes) == 220
    makes = result_sets(sum(map(ord, name)))
    maps_for = set(available_towns(TOWNS))
    records = [
        makes.random_record(
            (route.id, route.town, scenario_type(route)),
            may_fail=route.town in maps_for or scenario_type(route) not in ABILITIES[TRAFFIC_SIGNS],
        )
        for route in routes
    ]
    folder, metrics = write_shards(tmp_path / "results", records, shards=4), tmp_path / "metrics"
    makes.write_metrics(metrics, records)
    ours = our_numbers(folder, routes, metrics, TOWNS)
    theirs = official_numbers(tools, folder, file, metrics, carla_root(tmp_path / "carla", TOWNS))
    assert ours == pytest.approx(theirs, abs=EXACT, rel=0)
    assert 0 < ours["driving_score"] < 100 and 0 < ours["comfortness"] < 100  # it is no trivial set

    again = our_numbers(folder, routes, metrics, TOWNS)  # with merged.json and merged_ability.json beside the shards
    assert again == ours


def test_the_merged_file_is_the_official_one(tmp_path: Path, result_sets, write_shards):
    tools = _tools()
    file = tools.parent / "leaderboard" / "data" / "bench2drive220.xml"
    routes = read_routes(file)
    makes = result_sets(7)
    records = [makes.random_record((route.id, route.town, scenario_type(route))) for route in routes]
    folder = write_shards(tmp_path / "results", records, shards=3)
    write_merged(score_runs([folder], routes), tmp_path / "merged.json")
    _run(tools / "merge_route_json.py", "-f", folder, paths=[])
    ours, theirs = (json.loads((place / "merged.json").read_text()) for place in (tmp_path, folder))
    for key in ("driving score", "success rate"):
        assert ours.pop(key) == pytest.approx(theirs.pop(key), abs=EXACT)
    assert ours == theirs


JUDGE = """
import json, sys
from types import SimpleNamespace as Thing
from leaderboard.utils import statistics_manager as official
from srunner.scenariomanager.traffic_events import TrafficEvent, TrafficEventType

jobs = json.load(open(sys.argv[1]))
manager = official.StatisticsManager(sys.argv[2], 0)
manager.save_progress(0, len(jobs))
names = {name: kind for kind, name in official.PENALTY_NAME_DICT.items()}
for index, job in enumerate(jobs):
    events = []
    for name, message, percentage in job["events"]:
        event = TrafficEvent(names[name], 0, message, {"percentage": percentage})
        events.append(event)
    events.append(TrafficEvent(TrafficEventType.ROUTE_COMPLETION, 0, "", {"route_completed": job["done"]}))
    manager.create_route_data(job["id"], index)
    manager._scenario = Thing(
        timeout_node=Thing(timeout=False), get_criteria=lambda events=events: [Thing(events=events)]
    )
    manager._route_length = job["length"]
    manager.compute_route_statistics(index, 30.0, 20.0, job["failure"])
manager.save_progress(len(jobs), len(jobs))
manager.compute_global_statistics()
manager.save_sensors(["carla_camera"])
manager.validate_and_write_statistics(True, False)
print("2.0" if hasattr(official, "PENALTY_PERC_DICT") else "2.1")
"""


def _leaderboard_jobs(makes) -> list[dict]:
    kinds = [
        "collisions_layout", "collisions_pedestrian", "collisions_vehicle", "red_light", "stop_infraction",
        "yield_emergency_vehicle_infractions", "scenario_timeouts", "route_dev", "vehicle_blocked",
    ]  # fmt: skip
    jobs = []
    for number in range(60):
        events = [
            [kind, f"{kind} {k}", None]
            for kind in kinds
            if makes.rng.random() < 0.2
            for k in range(int(makes.rng.integers(1, 4)))
        ]
        if makes.rng.random() < 0.3:
            share = round(float(makes.rng.uniform(0.0, 60.0)), 2)
            text = f"Agent went outside its route lanes for about 17.25 meters ({share}% of the completed route)"
            events.append(["outside_route_lanes", text, share])
        for value in makes.rng.uniform(0.0, 100.0, int(makes.rng.integers(0, 5))).round(2):
            text = f"Average speed is {value}% of the surrounding traffic's one"
            events.append(["min_speed_infractions", text, float(value)])
        done = 100.0 if makes.rng.random() < 0.6 else float(makes.rng.uniform(0.0, 99.0))
        failure = "" if makes.rng.random() < 0.8 else "Agent crashed"
        jobs.append({
            "id": f"RouteScenario_{number}_rep0", "done": done, "events": events, "failure": failure, "length": 812.5,
        })  # fmt: skip
    return jobs


def test_the_leaderboards_rules_equal_its_own(tmp_path: Path, result_sets):
    """Of the branch that is checked out: its own records are scored anew, from their messages alone."""
    roots = [_checkout(name) for name in ("LEADERBOARD_ROOT", "SCENARIO_RUNNER_ROOT")]
    probe = subprocess.run([PYTHON, "-c", "import dictor, requests"], capture_output=True, text=True)
    if probe.returncode:
        pytest.skip(f"{PYTHON} has no dictor; name an interpreter that has in EVALUATOR_PYTHON")
    jobs, script, results = tmp_path / "jobs.json", tmp_path / "judge.py", tmp_path / "results.json"
    jobs.write_text(json.dumps(_leaderboard_jobs(result_sets(3))))
    script.write_text(JUDGE)
    rules = Rules(_run(script, jobs, results, paths=roots).strip().splitlines()[-1])
    document = json.loads(results.read_text())
    theirs = document["_checkpoint"]
    records = [RouteRecord.from_leaderboard(record) for record in theirs["records"]]
    for record in records:
        blank = RouteRecord.from_leaderboard({**record.to_leaderboard(), "save_name": ""})
        judged = rescored(replace(blank, score_penalty=-1.0, score_composed=0.0), rules)
        assert judged.score_penalty == pytest.approx(record.score_penalty, abs=EXACT)
        assert judged.score_composed == pytest.approx(record.score_composed, abs=1e-4)  # theirs is rounded first
    ours = results_document(records, len(records), ["sensor.camera.rgb"])
    assert ours["_checkpoint"]["global_record"]["scores_mean"] == pytest.approx(
        theirs["global_record"]["scores_mean"], abs=2e-6
    )
    assert ours["_checkpoint"]["global_record"]["infractions"] == pytest.approx(
        theirs["global_record"]["infractions"], abs=2e-3
    )
    assert ours["labels"] == document["labels"] and ours["entry_status"] == document["entry_status"]


def main() -> None:
    """Print both columns for results on disk."""
    folder, routes = Path(sys.argv[1]), Path(sys.argv[2])
    metrics = Path(sys.argv[3]) if len(sys.argv) > 3 else None
    with tempfile.TemporaryDirectory() as scratch:
        copy = Path(scratch) / "results"
        copy.mkdir()
        for file in folder.glob("*.json"):
            shutil.copy(file, copy)
        ours = our_numbers(copy, read_routes(routes), metrics, TOWNS)
        root = carla_root(Path(scratch) / "carla", TOWNS)
        theirs = official_numbers(Path(os.environ["BENCH2DRIVE_ROOT"]) / "tools", copy, routes, metrics, root)
    for name, value in theirs.items():  # without abilities where their tool divides by zero
        print(f"{name:16} ours {ours[name]:12.6f}  theirs {value:12.6f}  {abs(ours[name] - value):.1e}")


if __name__ == "__main__":
    main()
