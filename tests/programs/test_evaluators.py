"""One short route by each evaluator on each server, with real processes.

The official ones need checkouts, named by LEADERBOARD_ROOT and SCENARIO_RUNNER_ROOT, or BENCH2DRIVE_ROOT, and an
interpreter that has their packages beside linkvla: EVALUATOR_PYTHON, or the one that runs the tests.
"""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from linkvla.agent.recorder import DriveRecording
from linkvla.launch.carla_server.process import SimServer
from linkvla.launch.environment import PYTHON_API
from linkvla.launch.evaluation.evaluators.choice import evaluator_named
from linkvla.launch.evaluation.evaluators.contract import SERVER_LOG, RouteTask, Standing
from linkvla.launch.evaluation.evaluators.rpc_ping import ask
from linkvla.launch.evaluation.evaluators.servers import server_named
from linkvla.launch.evaluation.route_file import RouteSpec, read_routes
from linkvla.launch.evaluation.supervisor.attempt import Attempt, AttemptReport, Limits, Pair
from linkvla.launch.evaluation.supervisor.marks import marked
from linkvla.model.interface.errors import ConfigurationError

pytestmark = pytest.mark.system

NEEDS = {"leaderboard": ("LEADERBOARD_ROOT", "SCENARIO_RUNNER_ROOT"), "bench2drive": ("BENCH2DRIVE_ROOT",)}

SHORT = """<routes><route id="7" town="Maple">
  <weathers><weather route_percentage="0" cloudiness="10" sun_altitude_angle="60"/></weathers>
  <waypoints><position x="256.78" y="-91.64" z="1.70"/><position x="257.82" y="-67.41" z="1.34"/></waypoints>
  <scenarios><scenario name="ControlLoss_1" type="ControlLoss">
    <trigger_point x="257.82" y="-67.41" z="1.34" yaw="90"/></scenario></scenarios>
</route></routes>"""


@pytest.fixture
def route(tmp_path) -> RouteSpec:
    """A stretch of a road; the scenario at its very end cannot begin, and Bench2Drive wants one."""
    file = tmp_path / "short.xml"
    file.write_text(SHORT, encoding="utf-8")
    return read_routes(file)[0]


def _require(evaluator: str) -> None:
    for variable in NEEDS.get(evaluator, ()):
        if not Path(os.environ.get(variable, "?")).is_dir():
            pytest.skip(f"{variable} names no checkout")


def _drive(
    evaluator: str,
    server: str,
    route: RouteSpec,
    folder: Path,
    meanwhile: Callable[[Standing], None] = lambda standing: None,
) -> tuple[AttemptReport, list[Standing]]:
    """Drive with the rule-based driver; the report, and the standings that were told, to ``meanwhile`` too."""
    chosen = server_named(server)
    pair = Pair(evaluator_named(evaluator, chosen), chosen, Limits(step=120.0, route=240.0))
    chosen.check()
    try:
        pair.evaluator.check([route], "expert")
    except ConfigurationError as error:
        if "cannot import" not in str(error):
            raise
        pytest.skip(str(error))
    standings: list[Standing] = []

    def tell(standing: Standing) -> None:
        standings.append(standing)
        meanwhile(standing)

    task = RouteTask(route, 1, folder.resolve(), agent="expert", record=True)
    return Attempt(pair, task, tell, threading.Event()).run(), standings


@pytest.mark.parametrize("evaluator", ["builtin", "leaderboard", "bench2drive"])
def test_each_evaluator_drives_a_route_and_leaves_a_record_and_no_process(evaluator, route, tmp_path):
    _require(evaluator)
    folder = tmp_path / "an attempt"
    report, _ = _drive(evaluator, "sim", route, folder)
    assert report.outcome.failure == "", (folder / "evaluator.log").read_text()[-3000:]
    record = report.outcome.record
    assert (record.route_id, record.town, record.score_route) == ("RouteScenario_7_rep1", "Maple", 100)
    assert record.status in ("Completed", "Perfect")
    assert record.scenario_name == "ControlLoss_1"
    # Asked once more: the drive may be over before anybody has asked.
    standing = evaluator_named(evaluator, server_named("sim")).progress(RouteTask(route, 1, folder.resolve()))
    assert standing.driving and standing.simulated_seconds is not None and standing.real_time_ratio > 0.0
    assert "listening on" in (folder / SERVER_LOG).read_text()
    assert marked(folder) == []


def test_a_server_that_bench2drive_has_started_and_that_dies_is_missed_at_once(route, tmp_path):
    _require("bench2drive")
    folder = tmp_path / "attempt"
    killed = []

    def kill_server(standing: Standing) -> None:
        if standing.driving and not killed:
            killed.append(int((folder / "server.pid").read_text()))
            os.kill(killed[0], signal.SIGKILL)

    report, standings = _drive("bench2drive", "sim", route, folder, kill_server)
    assert killed
    assert "the server ended during the route" in report.outcome.failure
    assert standings[-1].server_ended
    assert marked(folder) == []


def test_a_carla_release_is_started_by_its_launcher(route, tmp_path, monkeypatch):
    monkeypatch.setenv("CARLA_ROOT", str(PYTHON_API.parent))  # ours stands in for CARLA's
    report, _ = _drive("builtin", "carla", route, tmp_path / "attempt")
    assert report.outcome.failure == ""
    assert report.outcome.record.score_route == 100
    drive = list(DriveRecording.open(tmp_path / "attempt" / "save").ticks())
    assert [tick["tick"] for tick in drive] == list(range(len(drive))) and drive[-1]["speed"] > 1.0
    assert "-RenderOffScreen" in (tmp_path / "attempt" / SERVER_LOG).read_text()  # named as without effect


def test_a_release_that_dies_at_once_is_reported_with_its_cure(route, tmp_path, monkeypatch):
    launcher = tmp_path / "CARLA" / "CarlaUE4.sh"
    launcher.parent.mkdir()
    launcher.write_text("#!/bin/sh\necho 'libvulkan.so.1: cannot open shared object file' >&2\nexit 127\n")
    launcher.chmod(0o755)
    monkeypatch.setenv("CARLA_ROOT", str(launcher.parent))
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    report, _ = _drive("builtin", "carla", route, tmp_path / "attempt")
    assert report.outcome.record is None
    assert "exit code 127" in report.outcome.failure
    assert "VK_ICD_FILENAMES" in report.outcome.failure


def test_a_server_that_runs_already_is_asked_without_the_client(tmp_path, route):
    with SimServer(town="Maple") as running:
        server = server_named(f"127.0.0.1:{running.port}")
        task = RouteTask(route, 0, tmp_path)
        server.check()
        assert server.ready(task)
        assert server.header()["carla_server"] == "0.9.16"
        assert {"Maple", "Nutmeg"} <= server.town_names()
        assert ask("127.0.0.1", running.port, "no_such_method") is None
        os.kill(running.process_id, signal.SIGSTOP)  # it still takes connections, and never answers
        try:
            assert not server.ready(task)
        finally:
            os.kill(running.process_id, signal.SIGCONT)
        assert server.ready(task)
    with pytest.raises(ConfigurationError, match="no CARLA server answers"):
        server.check()
