"""Our `agents` on the path of other people's programs, and the stand-in for CARLA's launcher."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from linkvla.launch import environment
from linkvla.launch.sim import carla_ue4

LINKVLA = Path(sys.executable).with_name("linkvla")
LAUNCHER = Path(carla_ue4.__file__).with_name("CarlaUE4.sh")
WHERE = "import agents.navigation.basic_agent as it; print(it.__file__)"


def test_a_program_finds_our_agents(tmp_path: Path):
    command = [LINKVLA, "run", "--", sys.executable, "-c", WHERE]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert Path(done.stdout.strip()).is_relative_to(environment.PYTHON_API)


def test_carlas_own_agents_go_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "agents").mkdir()
    (tmp_path / "agents" / "__init__.py").touch()
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    assert environment.program_environment()["PYTHONPATH"] == str(tmp_path)


def test_what_was_on_the_path_stays_in_front_of_our_agents(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("PYTHONPATH", f"first{os.pathsep}second")
    expected = os.pathsep.join(["first", "second", str(environment.PYTHON_API)])
    assert environment.program_environment()["PYTHONPATH"] == expected


def test_the_exit_code_is_the_programs(tmp_path: Path):
    done = subprocess.run([LINKVLA, "run", "--", sys.executable, "-c", "raise SystemExit(7)"], timeout=120)
    assert done.returncode == 7
    done = subprocess.run([LINKVLA, "run", "no-such-program"], capture_output=True, text=True, timeout=120)
    assert done.returncode == 2 and "no-such-program: No such file" in done.stderr


@pytest.mark.parametrize(
    ("given", "ours", "ignored"),
    [
        (["-carla-rpc-port=2345"], ["--port", "2345"], []),
        (["-RenderOffScreen", "-nosound", "-Carla-World-Port=1", "-world-port=7"], ["--port", "7"],
         ["-RenderOffScreen", "-nosound", "-Carla-World-Port=1"]),
        (["/Game/Carla/Maps/Town04?listen", "-ResX=800"], ["--town", "/Game/Carla/Maps/Town04"], ["-ResX=800"]),
        (["-quality-level=Low", "--", "--towns", "a b", "--", "--seed", "3"], ["--towns", "a b", "--seed", "3"],
         ["-quality-level=Low"]),
        ([], [], []),
    ],
)  # fmt: skip
def test_carlas_command_line_in_terms_of_ours(given: list[str], ours: list[str], ignored: list[str]):
    assert carla_ue4.translate(given) == (ours, ignored)


def test_the_launcher_serves_or_says_why_not(tmp_path: Path):
    """Through the shell script: CARLA's port and map arrive, and so do our options from the environment."""
    settings = {**os.environ, "LINKVLA_PYTHON": sys.executable, "LINKVLA_SIM_OPTIONS": "--port 0 --towns ."}
    command = ["bash", LAUNCHER, "/Game/Carla/Maps/Nowhere", "-nosound", "-carla-rpc-port=1"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, cwd=tmp_path, env=settings)
    assert done.returncode == 2
    assert "without effect here: -nosound" in done.stderr
    assert "unknown town 'Nowhere'" in done.stderr


def test_the_launcher_is_valid_and_executable():
    assert os.access(LAUNCHER, os.X_OK)
    assert subprocess.run(["bash", "-n", LAUNCHER]).returncode == 0


def test_the_launcher_without_linkvla_says_what_to_set(tmp_path: Path):
    copy = tmp_path / "deep" / "down" / "CarlaUE4.sh"
    copy.parent.mkdir(parents=True)
    copy.write_bytes(LAUNCHER.read_bytes())
    settings = {**os.environ, "LINKVLA_PYTHON": "/bin/false"}
    done = subprocess.run(["bash", copy], capture_output=True, text=True, timeout=60, env=settings)
    assert done.returncode == 2 and "LINKVLA_PYTHON" in done.stderr
