"""The folder that `linkvla submit` writes: whole, alone sufficient, and honest about what it needs."""

from __future__ import annotations

import ast
import configparser
import hashlib
import io
import itertools
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from rich.console import Console

from linkvla.launch.submission.rehearsal import rehearse
from linkvla.launch.submission.submit import SubmitSettings, submit
from linkvla.model.interface.errors import CheckpointError, ConfigurationError

REPO = Path(__file__).resolve().parents[2]
IMPORT_NAMES = {"cv2": "opencv-python-headless", "yaml": "pyyaml"}
OPTIONS = "device=cuda;hypotheses=2"


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """A submission of the shipped network, and what was said about it. It takes the place of an older one."""
    out = tmp_path_factory.mktemp("place") / "submission"
    out.mkdir()
    (out / "submission.json").write_text("{}")
    (out / "old").write_text("of an earlier submission")
    console = Console(width=200, file=io.StringIO())
    submit(SubmitSettings(out=out, options=OPTIONS, track="MAP"), console)
    return out, console.file.getvalue()


def requirements(folder: Path) -> dict[str, Requirement]:
    lines = (folder / "team_code" / "requirements.txt").read_text().splitlines()
    found = [Requirement(line) for line in lines if line and not line.startswith("#")]
    return {requirement.name: requirement for requirement in found}


def test_every_file_is_listed_with_its_hash(written):
    out, said = written
    document = json.loads((out / "submission.json").read_text())
    on_disk = {path.relative_to(out).as_posix() for path in out.rglob("*") if path.is_file()}
    assert on_disk - {"submission.json"} == set(document["files"])
    for name, facts in document["files"].items():
        content = (out / name).read_bytes()
        assert (len(content), hashlib.sha256(content).hexdigest()) == (facts["bytes"], facts["sha256"])
    assert "old" not in on_disk
    assert {"Dockerfile", ".dockerignore", "run_evaluation.sh", "team_code/linkvla_agent.py"} <= on_disk
    assert not any(name.startswith("team_code/linkvla/launch") for name in on_disk)
    assert f"bash {out}/run_evaluation.sh" in said and "docker run" in said


def test_nothing_of_this_machine_is_in_it(written):
    out, _ = written
    places = {str(REPO), str(Path.home()), sys.prefix, str(out.parent)}
    told = [place.encode() for place in places if len(place) > 1]
    for path in (path for path in out.rglob("*") if path.is_file()):
        content = path.read_bytes()
        assert not any(place in content for place in told), path


def test_options_and_track_reach_the_script_and_the_image(written):
    out, _ = written
    for name, prefix in (("Dockerfile", "ARG "), ("run_evaluation.sh", "")):
        lines = (out / name).read_text().splitlines()
        assert f'{prefix}AGENT_OPTIONS="{OPTIONS}"' in lines
        assert f'{prefix}TRACK="MAP"' in lines


def test_what_the_agent_imports_is_pinned(written):
    """The installed packages may hide a missing pin: here the files that the agent loads are read instead."""
    out, _ = written
    pinned = requirements(out)
    assert all(re.fullmatch(r"==[\d.]+", str(pin.specifier)) for pin in pinned.values())
    files = rehearse(out)
    assert len(files) > 20 and all(file.is_relative_to(out.resolve()) for file in files)
    wanted = set()
    for file in files:
        for node in ast.parse(file.read_text()).body:  # at the top: what is imported late may stay away
            if isinstance(node, ast.Import):
                wanted |= {alias.name.split(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module:
                wanted.add(node.module.split(".")[0])
    wanted -= {*sys.stdlib_module_names, "linkvla", "carla"}  # the client is chosen by the server
    assert {IMPORT_NAMES.get(name, name) for name in wanted} <= pinned.keys()


def test_pins_lie_within_what_setup_cfg_allows(written):
    config = configparser.ConfigParser()
    config.read(REPO / "setup.cfg", encoding="utf-8")
    evaluators = [Requirement(line) for line in config["options.extras_require"]["leaderboard"].split("\n") if line]
    ours = [Requirement(line) for line in config["options"]["install_requires"].split("\n") if line]
    pinned = requirements(written[0])
    assert {requirement.name for requirement in evaluators} <= pinned.keys()
    for requirement in evaluators + ours:
        if requirement.name in pinned:
            (pin,) = pinned[requirement.name].specifier
            assert requirement.specifier.contains(pin.version), f"{requirement} forbids {pin}"


def test_an_agent_that_needs_the_repository_is_refused(written, tmp_path):
    folder = tmp_path / "submission"
    shutil.copytree(written[0], folder)
    agent = folder / "team_code" / "linkvla_agent.py"
    agent.write_text(agent.read_text() + "\nimport linkvla.launch.json_file\n")
    with pytest.raises(ConfigurationError, match=r"linkvla\.launch"):
        rehearse(folder)


def test_damaged_weights_are_not_submitted(written, tmp_path):
    damaged = tmp_path / "damaged"
    shutil.copytree(written[0] / "team_code" / "checkpoint", damaged)
    with (damaged / "model.safetensors").open("r+b") as file:
        file.seek(-1, os.SEEK_END)
        file.write(b"\x7f")
    with pytest.raises(CheckpointError, match=r"model\.safetensors"):
        submit(SubmitSettings(out=tmp_path / "out", checkpoint=str(damaged)), Console(quiet=True))
    assert not (tmp_path / "out").exists()


def test_somebody_elses_folder_is_left_alone(tmp_path):
    (tmp_path / "thesis.tex").write_text("years of work")
    with pytest.raises(CheckpointError, match="choose another folder"):
        submit(SubmitSettings(out=tmp_path), Console(quiet=True))
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]


@pytest.mark.parametrize(
    "wrong",
    [
        {"track": "CAMERAS"},
        {"options": 'device=cuda"; rm -rf /'},
        {"options": "device=$HOME"},
        {"options": "colour=red"},
        {"options": "some/other/checkpoint"},
        {"options": "device=cuda;instructions=words.yaml"},
        {"options": "record=drives"},
    ],
)
def test_settings_that_cannot_work_are_refused(wrong, tmp_path):
    with pytest.raises(ConfigurationError):
        SubmitSettings(out=tmp_path / "out", **wrong)


# The scripts, with stand-ins for everything that they start.

EVALUATOR = "import json, os, sys; print(json.dumps([sys.argv[1:], os.environ['PYTHONPATH'].split(':')]))"


@pytest.fixture
def roots(tmp_path) -> dict[str, str]:
    """Folders in the shape of the checkouts that the scripts want."""
    files = {
        "leaderboard/leaderboard/leaderboard_evaluator.py": EVALUATOR,
        "scenario_runner/srunner/scenarios/one.py": "",
        "carla/PythonAPI/carla/agents/__init__.py": "",
        "packages/py_trees.py": "",
    }
    for name, text in files.items():
        path = tmp_path / "roots" / name
        path.parent.mkdir(parents=True)
        path.write_text(text)
    names = {"LEADERBOARD_ROOT": "leaderboard", "SCENARIO_RUNNER_ROOT": "scenario_runner", "CARLA_ROOT": "carla"}
    variables = {variable: str(tmp_path / "roots" / name) for variable, name in names.items()}
    return {**variables, "PYTHONPATH": str(tmp_path / "roots" / "packages")}


@pytest.fixture
def script(written, tmp_path) -> Callable[..., subprocess.CompletedProcess]:
    def run(name: str, environment: dict[str, str], *arguments: str) -> subprocess.CompletedProcess:
        variables = {"PATH": os.environ["PATH"], "PYTHON": sys.executable, **environment}
        command = ["bash", str(written[0] / name), *arguments]
        return subprocess.run(command, capture_output=True, text=True, timeout=60, env=variables, cwd=tmp_path)

    return run


def test_entry_script_hands_the_agent_to_the_evaluator(written, script, roots, tmp_path):
    checkpoint = str(tmp_path / "results" / "one.json")
    done = script("run_evaluation.sh", {**roots, "CARLA_PORT": "2500", "CHECKPOINT_ENDPOINT": checkpoint}, "--debug=1")
    assert done.returncode == 0, done.stderr
    arguments, path = json.loads(done.stdout)
    team_code = str(written[0] / "team_code")
    assert f"--agent={team_code}/linkvla_agent.py" in arguments
    assert f"--agent-config={team_code}/checkpoint;{OPTIONS}" in arguments
    assert {"--track=MAP", "--port=2500", f"--checkpoint={checkpoint}"} <= set(arguments)
    assert arguments[-1] == "--debug=1", "options that are given come last, where they win"
    assert path[0] == team_code
    assert Path(checkpoint).parent.is_dir()


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"LEADERBOARD_ROOT": ""}, "LEADERBOARD_ROOT is not set"),
        ({"SCENARIO_RUNNER_ROOT": "nowhere"}, "nowhere has no srunner/scenarios"),
        ({"CARLA_ROOT": ""}, "set CARLA_ROOT"),
        ({"PYTHONPATH": ""}, "has no py_trees; pip install"),
        ({"PYTHON": "no-such-python"}, "set PYTHON"),
    ],
)
def test_entry_script_says_what_is_missing(script, roots, changes, said):
    done = script("run_evaluation.sh", {**roots, **changes})
    assert done.returncode == 2
    assert said in done.stderr


def test_image_is_built_from_all_that_the_dockerfile_copies(written, script, roots, tmp_path):
    docker = tmp_path / "bin" / "docker"
    docker.parent.mkdir()
    docker.write_text('#!/bin/sh\nprintf "%s\\n" "$@"\n')
    docker.chmod(0o755)
    path = f"{docker.parent}:{os.environ['PATH']}"
    done = script("build_image.sh", {**roots, "PATH": path}, "--build-arg", "CARLA_VERSION=0.9.16")
    assert done.returncode == 0, done.stderr
    arguments = done.stdout.splitlines()
    contexts = [after.split("=")[0] for flag, after in itertools.pairwise(arguments) if flag == "--build-context"]
    assert arguments[0] == "build" and arguments[-1] == str(written[0])
    copied = re.findall(r"^COPY (?:--from=(\w+) )?(\S+) ", (written[0] / "Dockerfile").read_text(), flags=re.MULTILINE)
    assert {context for context, _ in copied} == {"", *contexts}
    assert all((written[0] / source).exists() for context, source in copied if not context)
    assert script("build_image.sh", {**roots, "PATH": path, "CARLA_ROOT": ""}).returncode == 2
