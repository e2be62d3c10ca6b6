"""`linkvla doctor`: each thing that can be missing is found, named, and comes with what to do about it."""

from __future__ import annotations

import contextlib
import io
import json
import os
import signal
import socket
import stat
import sys
from collections.abc import Iterable
from importlib import metadata
from pathlib import Path

import numpy as np
import psutil
import pytest
from rich.console import Console

from linkvla.launch.carla_server.ports import free_port
from linkvla.launch.doctor import evaluators, graphics, machine, network, packages, ports, server_start, simulators
from linkvla.launch.doctor.diagnosis import diagnose
from linkvla.launch.doctor.finding import Finding, State, guarded
from linkvla.launch.doctor.wishes import Wishes
from linkvla.model.interface.errors import ConfigurationError
from linkvla.model.interface.types import Plan
from linkvla.model.policy import LinkVLAPolicy

ROOTS = ("CARLA_ROOT", "LEADERBOARD_ROOT", "SCENARIO_RUNNER_ROOT", "BENCH2DRIVE_ROOT", "EVALUATOR_PYTHON")


@pytest.fixture(autouse=True)
def bare_environment(monkeypatch):
    for name in (*ROOTS, "VK_ICD_FILENAMES", "VK_DRIVER_FILES"):
        monkeypatch.delenv(name, raising=False)


def named(findings: Iterable[Finding]) -> dict[str, Finding]:
    return {finding.what: finding for finding in findings}


def executable(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return path


@pytest.fixture
def carla_root(tmp_path, monkeypatch) -> Path:
    """A folder in the shape of a CARLA release, for a user who is not root."""
    root = tmp_path / "carla"
    maps = root / "CarlaUE4" / "Content" / "Carla" / "Maps"
    (maps / "Town12").mkdir(parents=True)
    for name in ("Town01.umap", "Town12/Town12.umap"):
        (maps / name).touch()
    executable(root / "CarlaUE4.sh", "#!/bin/sh\nexit 0\n")
    (root / "VERSION").write_text(metadata.version("carla") + "\n")
    monkeypatch.setenv("CARLA_ROOT", str(root))
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    return root


def routes(path: Path, *towns: str) -> str:
    points = '<waypoints><position x="0" y="0" z="0"/><position x="9" y="0" z="0"/></waypoints>'
    body = "".join(f'<route id="{n}" town="{town}">{points}</route>' for n, town in enumerate(towns))
    path.write_text(f"<routes>{body}</routes>")
    return str(path)


def test_json_says_the_same_as_the_result(tmp_path):
    out = Console(file=io.StringIO())
    healthy = diagnose(Wishes(start=False, folder=tmp_path), as_json=True, console=out)
    document = json.loads(out.file.getvalue())
    assert document["ok"] is healthy
    assert healthy == all(one["state"] != "no" for one in document["findings"])
    areas = {one["area"] for one in document["findings"]}
    assert areas == {"machine", "packages", "gpu", "simulator", "evaluators", "ports", "checkpoint"}
    assert all(one["cure"] for one in document["findings"] if one["state"] == "no")
    checked = {one["what"]: one["state"] for one in document["findings"]}
    assert checked["network looks"] == checked["network listens"] == "ok"


def test_table_shows_the_cure_of_what_is_missing(tmp_path):
    out = Console(file=io.StringIO(), width=200)
    wishes = Wishes(start=False, checkpoint=str(tmp_path / "nowhere"), folder=tmp_path)
    assert not diagnose(wishes, console=out)
    assert "no checkpoint" in out.file.getvalue()


def test_a_check_that_falls_over_is_a_finding():
    def broken():
        yield Finding("one", State.OK, "fine")
        raise OSError("the disk is on fire")

    one, two = guarded("area", broken)
    assert (one.state, two.state) == (State.OK, State.MISS)
    assert "on fire" in two.detail


@pytest.mark.parametrize("wishes", [{"server": "nonsense"}, {"benchmark": "not-there.xml"}])
def test_options_that_make_no_sense_end_it(wishes):
    with pytest.raises(ConfigurationError):
        diagnose(Wishes(**wishes), console=Console(quiet=True))


def test_a_benchmark_without_its_checkout_is_a_finding(tmp_path):
    out = Console(file=io.StringIO())
    wishes = Wishes(benchmark="bench2drive", start=False, checkpoint=str(tmp_path / "nowhere"), folder=tmp_path)
    assert not diagnose(wishes, as_json=True, console=out)
    found = {one["what"]: one for one in json.loads(out.file.getvalue())["findings"]}
    assert "BENCH2DRIVE_ROOT" in found["benchmark"]["detail"] and "git clone" in found["benchmark"]["cure"]
    assert found["towns"]["state"] == "ok", "the rest is looked at all the same"


def test_a_full_disk_is_found(tmp_path, monkeypatch):
    usage = type("Usage", (), {"free": 3e8})
    monkeypatch.setattr(machine.shutil, "disk_usage", lambda place: usage)
    disk = named(machine.hardware(tmp_path / "not" / "made" / "yet"))["disk"]
    assert disk.state is State.MISS
    assert f"0.3 GB free in {tmp_path}" == disk.detail


def test_packages_are_compared_with_what_is_required(monkeypatch):
    monkeypatch.setattr(
        metadata, "requires", lambda name: ["numpy<1", "no-such-package>=2", "rich", "ray; extra == 'x'"]
    )
    found = named(packages.check())
    assert found["numpy"].state is State.MISS and "pip install 'numpy<1'" in found["numpy"].cure
    assert found["no-such-package"].detail == "not installed"
    assert "rich" in found["packages"].detail and "numpy" not in found["packages"].detail
    assert "ray" not in found


def test_a_device_that_is_not_there_is_found():
    assert named(graphics.torch("cpu"))["torch"].state is State.OK
    missing = named(graphics.torch("cuda:99"))["torch"]
    assert missing.state is State.MISS and "cuda:99" in missing.cure


def test_vulkan_is_needed_by_a_real_carla_only(monkeypatch, tmp_path):
    monkeypatch.setenv("VK_ICD_FILENAMES", str(tmp_path / "gone.json"))
    driver = named(graphics.vulkan(needed=True))["Vulkan driver"]
    assert driver.state is State.MISS and "gone.json" in driver.detail and "VK_ICD_FILENAMES" in driver.cure
    assert [one.state for one in graphics.vulkan(needed=False)] == [State.NOTE]


def test_towns_of_the_routes(tmp_path, carla_root):
    file = routes(tmp_path / "routes.xml", "Town12", "Town12", "Maple")
    on_ours = named(simulators.towns(Wishes(benchmark=file)))["towns"]
    assert on_ours.state is State.MISS
    assert on_ours.detail == "no Town12 (2 routes)"
    assert "Town12.xodr" in on_ours.cure and "--subset 2 " in on_ours.cure
    on_carla = named(simulators.towns(Wishes(benchmark=file, server="carla")))["towns"]
    assert on_carla.detail == "no Maple (1 route)" and "AdditionalMaps" in on_carla.cure
    assert named(simulators.towns(Wishes(benchmark=file, subset="0,1", server="carla")))["towns"].state is State.OK


def test_a_release_is_looked_at(carla_root):
    wishes = Wishes(server="carla")
    assert {one.state for one in simulators.release(wishes)} == {State.OK}
    (carla_root / "VERSION").write_text("0.9.10")
    version = named(simulators.release(wishes))["CARLA version"]
    assert version.state is State.NOTE and "carla==0.9.10" in version.cure
    (carla_root / "CarlaUE4.sh").chmod(0o644)
    launcher = named(simulators.release(wishes))["CARLA"]
    assert launcher.state is State.MISS and launcher.cure.startswith("chmod +x")
    assert named(simulators.release(Wishes()))["CARLA"].state is State.NOTE, "nobody asked for it"


def test_no_release_where_one_is_needed():
    (finding,) = simulators.release(Wishes(server="carla"))
    assert finding.state is State.MISS and "CARLA_ROOT" in finding.detail and "--server sim" in finding.cure


def test_who_holds_a_port_is_named():
    port = free_port(first=28_000)
    assert named(ports.check(port))["ports"].state is State.OK
    with socket.create_server(("127.0.0.1", port + 1)):
        (taken,) = ports.check(port)
    assert (taken.what, taken.state) == (f"port {port + 1}", State.MISS)
    assert f"process {os.getpid()}" in taken.detail and f"kill {os.getpid()}" in taken.cure


def test_a_server_that_dies_is_explained(carla_root, monkeypatch):
    said = "echo 'error while loading shared libraries: libvulkan.so.1'"
    executable(carla_root / "CarlaUE4.sh", f"#!/bin/sh\n{said}\nexit 127\n")
    (finding,) = server_start.check(Wishes(server="carla"))
    assert finding.state is State.MISS
    assert "exit code 127" in finding.detail
    assert "libvulkan" in finding.cure
    log = Path(finding.cure.partition("log: ")[2].partition(".log")[0] + ".log")
    assert "libvulkan" in log.read_text(), "the log that is named is kept"


def test_a_server_that_hangs_is_ended(carla_root, tmp_path, monkeypatch):
    note = tmp_path / "number"
    executable(carla_root / "CarlaUE4.sh", f"#!/bin/sh\n(trap '' TERM; exec sleep 600) &\necho $! > {note}\nwait\n")
    monkeypatch.setattr(server_start, "LADDER", ((signal.SIGTERM, 0.5), (signal.SIGKILL, 5.0)))
    (finding,) = server_start.check(Wishes(server="carla", patience=1.5))
    assert finding.state is State.MISS and "--patience" in finding.cure
    number = int(note.read_text())
    with contextlib.suppress(psutil.NoSuchProcess):
        psutil.Process(number).wait(timeout=10)  # raises where it lives on


def test_evaluators_that_nobody_asked_for_are_a_note(monkeypatch):
    assert {one.state for one in evaluators.check(Wishes())} == {State.NOTE}
    monkeypatch.setenv("LEADERBOARD_ROOT", "nowhere")
    found = named(evaluators.check(Wishes(evaluator="leaderboard")))
    assert found["leaderboard"].state is State.MISS and "git clone" in found["leaderboard"].cure
    assert found["bench2drive"].state is State.NOTE


@pytest.mark.parametrize("whose", ["CARLA's", "ours"])
def test_whose_agents_package_it_is(tmp_path, monkeypatch, whose):
    """A release behind a link, as people keep several."""
    (tmp_path / "release" / "PythonAPI" / "carla" / ("agents" if whose != "ours" else "other")).mkdir(parents=True)
    (tmp_path / "carla").symlink_to(tmp_path / "release")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("CARLA_ROOT", "~/carla")
    monkeypatch.setenv("LEADERBOARD_ROOT", "nowhere")
    assert named(evaluators.check(Wishes()))["agents package"].detail.endswith(whose)


def test_pins_are_looked_up_in_the_evaluators_own_python(tmp_path, monkeypatch):
    extra = ["py_trees==0.8.3; extra == 'leaderboard'", "six>=1; extra == 'leaderboard'", "rich", "ray; extra == 'x'"]
    monkeypatch.setattr(metadata, "requires", lambda name: extra)
    answer = {"python": [3, 10, 1], "packages": {"py_trees": "2.2.3", "six": "1.16", "carla": None, "srunner": "0.15"}}
    python = executable(tmp_path / "python", f"#!/bin/sh\ncat > {tmp_path}/asked\necho '{json.dumps(answer)}'\n")
    monkeypatch.setenv("EVALUATOR_PYTHON", str(python))
    found = named(evaluators.packages(needed=True))
    assert json.loads((tmp_path / "asked").read_text()) == ["py_trees", "six", "carla", "srunner"]
    assert found["evaluator packages"].state is State.MISS
    assert found["evaluator packages"].detail == "py_trees 2.2.3, needs ==0.8.3"
    assert found["evaluator packages"].cure == f"{python} -m pip install 'py_trees==0.8.3'"
    assert "3.10.1" in found["evaluator Python"].detail
    assert "uninstall" in found["srunner package"].cure
    assert all(one.state is not State.MISS for one in evaluators.packages(needed=False))


def test_an_interpreter_that_cannot_answer_is_named(monkeypatch):
    monkeypatch.setattr(metadata, "requires", lambda name: ["six; extra == 'leaderboard'"])
    monkeypatch.setenv("EVALUATOR_PYTHON", "no-such-python")
    (finding,) = evaluators.packages(needed=True)
    assert finding.state is State.MISS and "no-such-python" in finding.detail


def test_versions_are_read_from_a_real_interpreter(monkeypatch):
    monkeypatch.setattr(metadata, "requires", lambda name: ["pytest; extra == 'leaderboard'"])
    monkeypatch.setenv("EVALUATOR_PYTHON", sys.executable)
    found = named(evaluators.packages(needed=True))
    assert found["evaluator packages"].state is State.OK
    assert f"carla {metadata.version('carla')}" in found["evaluator Python"].detail


def test_a_network_that_neither_looks_nor_listens_is_found(monkeypatch):
    monkeypatch.setattr(LinkVLAPolicy, "predict", lambda self, observation: Plan(np.zeros((20, 2)), np.zeros((10, 2))))
    found = named(network.check("linkvla-nano", "cpu"))
    assert found["checkpoint"].state is State.OK
    assert found["network looks"].state is found["network listens"].state is State.MISS
