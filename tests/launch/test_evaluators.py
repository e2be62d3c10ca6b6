"""How one route is handed to an evaluator and how its record is read, on fixtures: no server, no official code."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import replace
from importlib import metadata
from pathlib import Path
from xml.etree import ElementTree

import pytest

from linkvla.launch.environment import child_environment
from linkvla.launch.evaluation.benchmarks import DEV10, benchmark_file, missing_towns
from linkvla.launch.evaluation.evaluators.agent_files import agent_maker, check_agent_file
from linkvla.launch.evaluation.evaluators.bench2drive_server import server_ended, write_launcher
from linkvla.launch.evaluation.evaluators.choice import evaluator_named
from linkvla.launch.evaluation.evaluators.contract import EVALUATOR_LOG, SERVER_LOG, ProcessSpec, RouteTask
from linkvla.launch.evaluation.evaluators.servers import server_named
from linkvla.launch.evaluation.route_file import read_routes, write_route_file
from linkvla.launch.evaluation.supervisor.marks import MARK
from linkvla.model.interface.errors import ConfigurationError, RouteError

ROUTE_XML = """
  <route id="{id}" town="{town}" road_id="7">
    <weathers><weather route_percentage="0" cloudiness="5.0" sun_altitude_angle="15"/></weathers>
    <waypoints><position x="1.50" y="2" z="0.1"/><position x="9" y="2"/></waypoints>
    <scenarios><scenario name="Accident_1" type="Accident">
      <trigger_point x="2" y="2" z="0" yaw="90.0"/><distance value="120"/></scenario></scenarios>
  </route>"""
RULES_OF_2_0 = 'PENALTY = {TrafficEventType.MIN_SPEED_INFRACTION: [0.7, "decreases"]}'


def _write(file: Path, text: str = "") -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text, encoding="utf-8")
    return file


@pytest.fixture
def route(tmp_path):
    file = _write(tmp_path / "in.xml", f"<routes>{ROUTE_XML.format(id='24211', town='Maple')}</routes>")
    return read_routes(file)[0]


@pytest.fixture
def task(tmp_path, route):
    folder = tmp_path / "attempt of it"
    folder.mkdir()
    return RouteTask(route, 2, folder, agent="expert", agent_config="-x;y=1", port=23100, seed=9, timeout=77.0)


@pytest.fixture
def checkouts(tmp_path, monkeypatch):
    """Something that looks like the official checkouts."""
    lb, sr, b2d = (tmp_path / name for name in ("lb", "sr", "b2d"))
    _write(lb / "leaderboard/leaderboard_evaluator.py", "import json")
    _write(lb / "leaderboard/utils/statistics_manager.py", RULES_OF_2_0)
    _write(lb / "leaderboard/scenarios/route_scenario.py", "CarlaDataProvider.set_ego_route(self.route)")
    _write(sr / "srunner/scenariomanager/carla_data_provider.py", "    def set_ego_route(route): ...")
    _write(b2d / "leaderboard/leaderboard/leaderboard_evaluator.py", "--gpu-rank")
    monkeypatch.setenv("LEADERBOARD_ROOT", str(lb))
    monkeypatch.setenv("SCENARIO_RUNNER_ROOT", str(sr))
    monkeypatch.setenv("BENCH2DRIVE_ROOT", str(b2d))
    monkeypatch.delenv("EVALUATOR_PYTHON", raising=False)
    monkeypatch.delenv("CARLA_ROOT", raising=False)
    return {"lb": lb, "sr": sr, "b2d": b2d}


def _checkpoint(status: str, **more) -> str:
    scores = {"score_route": 40.0, "score_penalty": 0.6, "score_composed": 24.0}
    meta = {"route_length": 100.0, "duration_game": 20.0, "duration_system": 30.0}
    record = {
        "index": 0,
        "route_id": "RouteScenario_24211_rep0",
        "status": status,
        "infractions": {"collisions_vehicle": ["with a truck"]},
        "scores": scores,
        "meta": meta,
        **more,
    }
    return json.dumps({"_checkpoint": {"records": [record]}})


def _arguments(spec: ProcessSpec) -> dict[str, str]:
    return dict(word.split("=", 1) for word in spec.argv if word.startswith("--") and "=" in word)


def test_route_files_of_one_route_keep_its_text_and_gain_what_official_parsers_need(tmp_path, route):
    write_route_file(route, tmp_path / "one.xml")
    text = (tmp_path / "one.xml").read_text()
    for kept in ('cloudiness="5.0"', 'sun_altitude_angle="15"', 'x="1.50"', 'road_id="7"', '<distance value="120"'):
        assert kept in text
    (again,) = read_routes(tmp_path / "one.xml")
    assert again == route
    assert text.count('z="') == 3  # one was missing

    bare = _write(
        tmp_path / "bare.xml",
        '<routes><route id="1" town="A"><weathers/><waypoints>'
        '<position x="0" y="0"/><position x="9" y="0"/></waypoints></route></routes>',
    )
    write_route_file(read_routes(bare)[0], tmp_path / "bare_one.xml")
    text = (tmp_path / "bare_one.xml").read_text()
    assert "<scenarios" in text
    assert "<weathers" not in text


def test_leaderboard_is_started_in_its_checkout_with_one_route_and_never_resumes(checkouts, task, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", "/mine")
    spec = evaluator_named("leaderboard", server_named("sim")).command(task)
    given = _arguments(spec)
    assert given["--agent-config"] == "-x;y=1"
    assert (given["--port"], given["--traffic-manager-seed"], given["--timeout"]) == ("23100", "9", "77.0")
    assert [one.id for one in read_routes(given["--routes"])] == ["24211"]
    assert not any("resume" in word for word in spec.argv)
    assert spec.cwd == checkouts["lb"].resolve()
    assert spec.env["SCENARIO_RUNNER_ROOT"] == str(checkouts["sr"].resolve())
    paths = spec.env["PYTHONPATH"].split(os.pathsep)
    assert paths[1:] == [str(checkouts["lb"].resolve()), str(checkouts["sr"].resolve()), "/mine"]
    assert (Path(paths[0]) / "agents" / "navigation").is_dir()


def test_agents_package_of_a_real_carla_goes_before_ours(checkouts, task, monkeypatch, tmp_path):
    _write(tmp_path / "CARLA/PythonAPI/carla/agents/__init__.py")
    monkeypatch.setenv("CARLA_ROOT", str(tmp_path / "CARLA"))
    spec = evaluator_named("leaderboard", server_named("sim")).command(task)
    assert spec.env["PYTHONPATH"].startswith(str(tmp_path / "CARLA" / "PythonAPI" / "carla"))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("lb", "leaderboard/leaderboard_evaluator.py", "parser.add_argument('--gpu-rank')"), "Bench2Drive's copy"),
        (("lb", "leaderboard/utils/statistics_manager.py", "PENALTY = {}"), "not leaderboard 2.0 or 2.1"),
        (("sr", "srunner/scenariomanager/carla_data_provider.py", ""), "check out the branch master"),
        (("lb", "leaderboard/scenarios/route_scenario.py", ""), "check out the branch leaderboard-2.1"),
        (("sr", "srunner/scenarios/vanilla_turn.py", ""), "Bench2Drive's copy of scenario_runner"),
        (
            ("lb", "leaderboard/leaderboard_evaluator.py", "import no_such_thing"),
            "cannot import.*no_such_thing.*doctor --evaluator",
        ),
    ],
)
def test_checkouts_that_do_not_fit_are_refused_with_what_to_do(checkouts, change, message):
    evaluator = evaluator_named("leaderboard", server_named("sim"))
    evaluator.check(agent="expert")
    root, file, text = change
    _write(checkouts[root] / file, text)
    with pytest.raises(ConfigurationError, match=message):
        evaluator.check(agent="expert")


def test_missing_checkouts_are_named(monkeypatch):
    monkeypatch.delenv("BENCH2DRIVE_ROOT", raising=False)
    with pytest.raises(ConfigurationError, match="BENCH2DRIVE_ROOT is not set; git clone"):
        evaluator_named("bench2drive", server_named("sim"))
    monkeypatch.setenv("BENCH2DRIVE_ROOT", "/nowhere")
    with pytest.raises(ConfigurationError, match="holds no leaderboard/"):
        evaluator_named("bench2drive", server_named("sim"))


def test_branches_of_the_leaderboard_are_told_apart_and_a_header_follows_the_code(checkouts):
    evaluator = evaluator_named("leaderboard", server_named("sim"))
    first = evaluator.header()
    assert first["rules"] == "2.0"
    _write(checkouts["lb"] / "leaderboard/utils/statistics_manager.py", "{T.MIN_SPEED_INFRACTION: 0.4}")
    second = evaluator.header()
    assert second["rules"] == "2.1"
    assert second["leaderboard"] != first["leaderboard"]
    assert second["scenario_runner"] == first["scenario_runner"]
    assert first["carla_client"] == metadata.version("carla")


def test_a_clone_is_known_by_its_commit(checkouts):
    git = ["git", "-c", "user.name=n", "-c", "user.email=e", "-C", str(checkouts["b2d"])]
    for words in (["init", "-q"], ["add", "."], ["commit", "-q", "-m", "first"]):
        subprocess.run([*git, *words], check=True, capture_output=True)
    evaluator = evaluator_named("bench2drive", server_named("sim"))
    version = evaluator.header()["bench2drive"]
    assert len(version["commit"]) == 40
    assert version["modified"] is False
    _write(checkouts["b2d"] / "leaderboard/leaderboard/leaderboard_evaluator.py", "changed = True")
    assert evaluator.header()["bench2drive"] == {**version, "modified": True}


def test_bench2drive_starts_our_launcher_with_a_made_up_adapter(checkouts, task, monkeypatch, tmp_path):
    monkeypatch.setenv("CARLA_ROOT", str(tmp_path / "CARLA"))
    server = server_named("carla")
    spec = evaluator_named("bench2drive", server).command(task)
    assert _arguments(spec)["--gpu-rank"] == "1023100"
    assert spec.cwd == checkouts["b2d"].resolve()
    # As the evaluator does it: the variable goes into a shell command unquoted, and the folder's name has spaces.
    shown = subprocess.run(f"ls {spec.env['CARLA_ROOT']}/CarlaUE4.sh", shell=True, capture_output=True, text=True)
    assert shown.stdout.strip() == str(task.folder / "CarlaUE4.sh")
    assert "PATH" not in (task.folder / "server_plan.json").read_text()


def test_the_launcher_becomes_the_chosen_server_on_the_port_that_was_found(task):
    program = f"import os, sys; print('served', sys.argv[1:], os.environ[{MARK!r}])"
    argv = (sys.executable, "-c", program, "-carla-rpc-port=23100", "--port", "23100", "--seed", "23100")
    write_launcher(task, ProcessSpec(argv, {}, task.folder))
    assert not server_ended(task.folder)
    options = ["-RenderOffScreen", "-carla-rpc-port=23155", "-graphicsadapter=1023100"]
    subprocess.run(
        [task.folder / "CarlaUE4.sh", *options], check=True, env=child_environment(changes={MARK: "mine"}), timeout=60
    )
    assert server_ended(task.folder)
    said = (task.folder / SERVER_LOG).read_text()
    assert said.strip() == "served ['-carla-rpc-port=23155', '--port', '23155', '--seed', '23100'] mine"


def test_bench2drive_refuses_a_server_that_it_cannot_start(checkouts):
    with pytest.raises(ConfigurationError, match="starts its own server"):
        evaluator_named("bench2drive", server_named("somewhere:2000"))


@pytest.mark.parametrize("scenarios", ["", "<scenarios/>"])
def test_a_route_without_a_scenario_has_one_for_bench2drive_only(checkouts, task, tmp_path, scenarios):
    """Its evaluator asks for the name of the first; the result says that there was none."""
    empty = ROUTE_XML.format(id="5", town="Maple").split("<scenarios>")[0] + f"{scenarios}</route>"
    (route,) = read_routes(_write(tmp_path / "empty.xml", f"<routes>{empty}</routes>"))
    task = replace(task, route=route)
    judged = {}
    for name in ("bench2drive", "leaderboard"):
        evaluator = evaluator_named(name, server_named("sim"))
        evaluator.command(task)
        (judged[name],) = read_routes(task.folder / "route.xml")
        _write(task.folder / "checkpoint.json", _checkpoint("Completed", scenario_name="NoScenario"))
        assert evaluator.read(task, 0).record.scenario_name == ""
    assert judged["leaderboard"].scenarios == () and judged["leaderboard"].keypoints == route.keypoints
    (idle,) = judged["bench2drive"].scenarios
    trigger = ElementTree.fromstring(idle.xml).find("trigger_point")
    assert idle.name and abs(float(trigger.get("x"))) > 1e5 and judged["bench2drive"].keypoints == route.keypoints


@pytest.mark.parametrize("status", ["Completed", "Failed", "Failed - TickRuntime", "Failed - Agent got blocked"])
def test_an_agents_result_is_final_whatever_happened_later(checkouts, task, status):
    _write(task.folder / "checkpoint.json", _checkpoint(status))
    _write(task.folder / SERVER_LOG, "Signal 11 caught.")  # while it was being ended
    outcome = evaluator_named("leaderboard", server_named("sim")).read(task, 255)
    assert outcome.failure == ""
    record = outcome.record
    assert (record.route_id, record.town, record.status) == ("RouteScenario_24211_rep2", "Maple", status)
    assert record.infractions["collisions_vehicle"] == ["with a truck"]
    assert record.infractions["red_light"] == []
    assert record.score_composed == 24.0


def test_bench2drives_own_words_about_a_route_are_kept(checkouts, task):
    more = {"scenario_name": "Accident_3", "weather_id": 5, "save_name": "R_1_rep0_M", "town_name": "Town12"}
    _write(task.folder / "checkpoint.json", _checkpoint("Completed", **more))
    record = evaluator_named("bench2drive", server_named("sim")).read(task, 0).record
    assert (record.scenario_name, record.weather_id, record.save_name, record.town) == tuple(more.values())


@pytest.mark.parametrize(
    ("status", "evaluator_says", "server_says", "failure"),
    [
        ("Failed - Simulation crashed", "Error during the simulation", "", "Error during the simulation"),
        ("Failed - Simulation crashed", "", "Signal 11 caught.", "Signal 11"),
        ("Failed - Agent crashed", "RuntimeError: time-out of 2000ms while waiting for the simulator", "", "time-out"),
        ("Failed - Agent crashed", "", "Unhandled Exception: SIGSEGV", "unhandled exception"),
        ("Failed - Agent crashed", "IndexError: list index out of range", "", ""),
        ("Failed - Agent couldn't be set up", "ValueError", "", ""),
        ("Started", "", "", "no result"),
    ],
)
def test_broken_machinery_is_told_from_a_broken_agent(checkouts, task, status, evaluator_says, server_says, failure):
    _write(task.folder / "checkpoint.json", _checkpoint(status))
    _write(task.folder / EVALUATOR_LOG, f"Preparing RouteScenario_24211\n{evaluator_says}\n")
    _write(task.folder / SERVER_LOG, server_says)
    outcome = evaluator_named("leaderboard", server_named("sim")).read(task, 255)
    assert (failure in outcome.failure) if failure else outcome.failure == ""


@pytest.mark.parametrize(
    "text", ["", "{", "[]", '{"_checkpoint": {"records": []}}', '{"_checkpoint": {"records": [1]}}']
)
def test_a_checkpoint_without_a_result_is_a_failure_that_says_how_it_ended(checkouts, task, text):
    evaluator = evaluator_named("leaderboard", server_named("sim"))
    _write(task.folder / "checkpoint.json", text)
    _write(task.folder / EVALUATOR_LOG, "Preparing RouteScenario_24211\nlast words\n")
    for code, said in ((None, "had to be ended"), (-9, "signal 9"), (1, "exit code 1")):
        outcome = evaluator.read(task, code)
        assert outcome.record is None
        assert said in outcome.failure
        assert "last words" in outcome.failure


def test_an_agent_that_cannot_be_imported_ends_the_whole_evaluation(checkouts, task):
    log = "Traceback (most recent call last):\n  File ...\nModuleNotFoundError: No module named 'mmcv'\n"
    _write(task.folder / EVALUATOR_LOG, log)
    with pytest.raises(ConfigurationError, match="No module named 'mmcv'"):
        evaluator_named("leaderboard", server_named("sim")).read(task, 1)


def test_progress_of_foreign_agents_comes_from_the_line_that_their_base_class_prints(checkouts, task):
    evaluator = evaluator_named("leaderboard", server_named("sim"))
    assert (evaluator.progress(task).alive_at, evaluator.progress(task).driving) == (0.0, False)
    log = _write(task.folder / EVALUATOR_LOG, "> Loading the world\n")
    assert evaluator.progress(task).alive_at == log.stat().st_mtime
    assert not evaluator.progress(task).driving
    line = "=== [Agent] -- Wallclock = 1 -- System time = 2.0 -- Game time = {} -- Ratio = {}x\n"
    log.write_bytes(b"\xff" * 100_000 + (line.format("1.0", "0.1") + line.format("12.35", "0.42")).encode() + b"\xe2")
    standing = evaluator.progress(task)
    assert (standing.driving, standing.simulated_seconds, standing.real_time_ratio) == (True, 12.35, 0.42)
    assert standing.percent is None


def test_progress_of_our_agent_is_read_from_its_recording_too(checkouts, task):
    line = "=== [Agent] -- Wallclock = 1 -- System time = 2.0 -- Game time = 1.0 -- Ratio = 0.5x\n"
    _write(task.folder / EVALUATOR_LOG, line)
    lines = [json.dumps({"tick": n, "route": n / 10, "speed": 5.0, "ms": {"policy": 40.0}}) for n in range(400)]
    _write(
        task.folder / "save" / "ticks.jsonl", "\n".join(['{"format": "linkvla ticks"}', *lines, '{"tick": 400, "ro'])
    )
    standing = evaluator_named("leaderboard", server_named("sim")).progress(task)
    assert (standing.percent, standing.speed, standing.phases) == (39.9, 5.0, {"policy": 40.0})


def test_builtin_results_failures_and_errors_of_the_user_come_back(task):
    evaluator = evaluator_named("builtin", server_named("sim"), traffic=3)
    evaluator.command(task)
    asked = json.loads((task.folder / "task.json").read_text())
    assert (asked["settings"]["traffic"], asked["settings"]["repetition"], asked["server"]["port"]) == (3, 2, 23100)
    assert "exit code 1" in evaluator.read(task, 1).failure
    assert not evaluator.progress(task).driving
    _write(task.folder / "progress.json", json.dumps({"percent": 41.5, "speed": 3.0, "phases": {"tick": 9.0}}))
    standing = evaluator.progress(task)
    assert (standing.driving, standing.percent, standing.phases) == (True, 41.5, {"tick": 9.0})
    timing = {"ticks": 5, "simulated_seconds": 0.25, "wall_seconds": 1.0, "phases": {"agent": 2.0}}
    for status, error, failure in (
        ("Failed - Agent crashed", "IndexError", ""),
        ("Failed - Simulation crashed", "Traceback\nRuntimeError: time-out", "RuntimeError: time-out"),
    ):
        record = json.loads(_checkpoint(status))["_checkpoint"]["records"][0]
        _write(task.folder / "result.json", json.dumps({"record": record, "timing": timing, "error": error}))
        outcome = evaluator.read(task, 0)
        assert (outcome.failure, outcome.record.error, outcome.record.timing.ticks) == (failure, error, 5)
    _write(task.folder / "result.json", json.dumps({"user_error": "RouteError", "message": "off the road"}))
    with pytest.raises(RouteError, match="off the road"):
        evaluator.read(task, 2)


def test_an_option_of_the_builtin_evaluator_is_refused_elsewhere(checkouts):
    with pytest.raises(ConfigurationError, match="belongs to the built-in"):
        evaluator_named("leaderboard", server_named("sim"), traffic=3)
    with pytest.raises(ConfigurationError, match="evaluator must be one of"):
        evaluator_named("referee", server_named("sim"))
    with pytest.raises(ConfigurationError, match="--evaluator-python belongs to the official"):
        evaluator_named("builtin", server_named("sim"), python="python3.8")


def test_the_interpreter_that_is_named_runs_the_evaluator_from_wherever_it_is_started(checkouts, task, monkeypatch):
    monkeypatch.setenv("EVALUATOR_PYTHON", "theirs/bin/python")
    at_home = os.path.join(os.getcwd(), "{}/bin/python").format
    for named, python in (("", at_home("theirs")), ("mine/bin/python", at_home("mine")), ("python3.8", "python3.8")):
        evaluator = evaluator_named("leaderboard", server_named("sim"), python=named)
        assert evaluator.command(task).argv[0] == evaluator.python == python
    with pytest.raises(ConfigurationError, match=r"no-such-python.*--evaluator-python"):
        evaluator_named("bench2drive", server_named("sim"), python="no-such-python").check(agent="expert")


def test_scenarios_that_are_not_played_are_counted_before_the_drive(checkouts, tmp_path):
    scenario = '<scenario name="{0}_1" type="{0}"/>'
    inside = "".join(map(scenario.format, ("Accident", "Earthquake", "Earthquake", "PriorityAtJunction")))
    one, two = (ROUTE_XML.format(id=name, town="Maple") for name in "12")
    one = one.replace("<scenarios>", f"<scenarios>{inside}")
    routes = read_routes(_write(tmp_path / "r.xml", f"<routes>{one}{two}</routes>"))
    (said,) = evaluator_named("builtin", server_named("sim")).remarks(routes)
    assert said.startswith("3 of 6 scenarios") and "(Earthquake 2, PriorityAtJunction 1)" in said
    assert evaluator_named("builtin", server_named("sim")).remarks(routes[1:]) == []
    assert evaluator_named("leaderboard", server_named("sim")).remarks(routes) == []


def test_agent_files_have_to_be_importable_by_their_name(tmp_path):
    for name, message in (("my-agent.py", "cannot be imported"), ("agent.v2.py", "cannot be imported")):
        with pytest.raises(ConfigurationError, match=message):
            check_agent_file(str(_write(tmp_path / name)))
    with pytest.raises(ConfigurationError, match="agent must be"):
        check_agent_file(str(tmp_path / "missing.py"))
    with pytest.raises(ConfigurationError, match=r"'\+'"):
        check_agent_file(str(_write(tmp_path / "a+b" / "agent.py")))
    check_agent_file("linkvla")


def test_an_agents_file_says_which_class_drives(tmp_path, monkeypatch):
    text = "class Mine:\n    def __init__(self, *given):\n        self.given = given\n"
    file = _write(tmp_path / "some_driver_here.py", text + "def get_entry_point():\n    return 'Mine'\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    assert agent_maker(str(file))("host", 7).given == ("host", 7, 0)
    with pytest.raises(ConfigurationError, match="get_entry_point"):
        agent_maker(str(_write(tmp_path / "nobody_here.py")))("host", 7)


def test_programs_see_one_gpu_of_those_that_we_see(monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "4,6")
    assert child_environment(gpu=1)["CUDA_VISIBLE_DEVICES"] == "6"
    assert child_environment()["CUDA_VISIBLE_DEVICES"] == "4,6"
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES")
    assert child_environment(gpu=3)["CUDA_VISIBLE_DEVICES"] == "3"


@pytest.mark.parametrize(
    ("prepare", "message"),
    [
        (lambda root: None, "holds no CarlaUE4.sh"),
        (lambda root: _write(root / "CarlaUE4.sh"), "chmod"),
    ],
)
def test_a_carla_release_that_cannot_start_is_refused_with_what_to_do(tmp_path, monkeypatch, prepare, message):
    monkeypatch.delenv("CARLA_ROOT", raising=False)
    with pytest.raises(ConfigurationError, match="CARLA_ROOT is not set"):
        server_named("carla").check()
    root = tmp_path / "CARLA"
    root.mkdir()
    monkeypatch.setenv("CARLA_ROOT", str(root))
    prepare(root)
    with pytest.raises(ConfigurationError, match=message):
        server_named("carla").check()


def test_carla_gets_port_and_adapter_and_is_known_by_its_version(tmp_path, monkeypatch, task):
    root = tmp_path / "CARLA"
    _write(root / "VERSION", "0.9.15\n")
    _write(root / "CarlaUE4/Content/Carla/Maps/Town12/Town12.umap")
    monkeypatch.setenv("CARLA_ROOT", str(root))
    server = server_named("carla")
    assert not any("graphicsadapter" in word for word in server.command(task).argv)
    words = server.command(replace(task, adapter=3)).argv
    assert words[0] == str(root / "CarlaUE4.sh")
    assert {"-carla-rpc-port=23100", "-graphicsadapter=3", "-RenderOffScreen"} <= set(words)
    assert server.header()["carla_server"] == "0.9.15"
    assert server.town_names() == {"Town12"}


@pytest.mark.parametrize(
    ("said", "cure"),
    [
        ("Refusing to run with the root privileges.", "another user"),
        ("libvulkan.so.1: cannot open shared object", "VK_ICD_FILENAMES"),
        ("error while loading shared libraries: libomp.so.5", "install the package"),
        ("4.26.2-0+++UE4 Signal 11 caught.", "graphics driver"),
        ("LowLevelFatalError Out of video memory", "--adapter"),
    ],
)
def test_the_known_cure_stands_beside_a_servers_last_words(task, said, cure):
    _write(task.folder / SERVER_LOG, said)
    diagnosis = server_named("carla").diagnosis(task)
    assert said in diagnosis
    assert cure in diagnosis


@pytest.mark.parametrize("text", ["sims", ":2000", "host", "host:", "host:0", "host:99999"])
def test_servers_have_names_or_addresses(text):
    with pytest.raises(ConfigurationError, match="sim, carla or HOST:PORT"):
        server_named(text)


def test_benchmarks_are_the_published_files_of_the_checkouts(checkouts, tmp_path):
    with pytest.raises(ConfigurationError, match=r"holds no leaderboard/data/bench2drive220\.xml"):
        benchmark_file("bench2drive")
    with pytest.raises(ConfigurationError, match="no route file bench3drive; give one, or a benchmark's name: bench2"):
        benchmark_file("bench3drive")
    data = checkouts["b2d"] / "leaderboard" / "data"
    file = _write(data / "bench2drive220.xml", f"<routes>{ROUTE_XML.format(id=1, town='A')}</routes>")
    with pytest.raises(ConfigurationError, match="has 1 routes, bench2drive is 220"):
        benchmark_file("bench2drive")
    assert benchmark_file(str(file)) == file

    dev10 = data / "drivetransformer_bench2drive_dev10.xml"
    for ids, fits in ((DEV10, True), ([str(n) for n in range(10)], False)):
        _write(dev10, f"<routes>{''.join(ROUTE_XML.format(id=one, town='A') for one in ids)}</routes>")
        if fits:
            assert benchmark_file("bench2drive-dev10") == dev10
        else:
            with pytest.raises(ConfigurationError, match="is 10 others"):
                benchmark_file("bench2drive-dev10")


def test_towns_that_a_server_lacks_are_counted_and_the_rest_can_be_driven(tmp_path):
    places = [("1", "A"), ("2", "B"), ("3", "A"), ("4", "C"), ("5", "C"), ("9", "B"), ("x-7", "B"), ("y-8", "B")]
    body = "".join(ROUTE_XML.format(id=one, town=town) for one, town in places)
    routes = read_routes(_write(tmp_path / "r.xml", f"<routes>{body}</routes>"))
    assert missing_towns(routes, ["A", "B", "C"]) == ""
    said = missing_towns(routes, ["B", "C"])
    assert said == "no A (2 routes); --subset 2,4-9,x-7,y-8 drives the others"
    others = read_routes(tmp_path / "r.xml", said.split()[5])
    assert [route.id for route in others] == ["2", "4", "5", "9", "x-7", "y-8"]
    assert missing_towns(routes, []) == "no A (2 routes), B (4 routes), C (2 routes)"
    # Routes that were chosen from a file are named as the file has them.
    assert missing_towns([*routes[3:5], *routes[1:3], routes[5]], ["B", "C"]).endswith(
        "--subset 2,4-9 drives the others"
    )
    assert missing_towns([routes[1], routes[3]], ["B", "C"]) == ""
    assert missing_towns([routes[1], routes[2], routes[3]], ["B", "C"]).endswith("--subset 2,4 drives the others")
