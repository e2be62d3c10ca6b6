"""The command line: help, and one clear line with exit code 2 for bad input."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from linkvla.launch import failures
from linkvla.launch.carla_server.errors import CarlaServerError, PortError
from linkvla.launch.cli import app, main
from linkvla.launch.sim.errors import SimError, TownError
from linkvla.model.interface.errors import CheckpointError, LinkVLAError, RouteError

COMMANDS = (
    "drive",
    "sim",
    "run",
    "evaluate",
    "routes",
    "collect",
    "train",
    "merge",
    "doctor",
    "dream",
    "language",
    "openloop",
    "submit",
)
LINKVLA = Path(sys.executable).with_name("linkvla")


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture) -> Iterator[Callable[..., tuple[int, str]]]:
    """Run the command line in this process, which spares the imports; returns exit code and stderr."""

    def do(*arguments: str, folder: Path) -> tuple[int, str]:
        monkeypatch.chdir(folder)
        monkeypatch.setattr(sys, "argv", ["linkvla", *arguments])
        with pytest.raises(SystemExit) as ended:
            main()
        return int(ended.value.code or 0), capsys.readouterr().err

    handler = signal.getsignal(signal.SIGTERM)
    yield do
    signal.signal(signal.SIGTERM, handler)


def test_help_names_every_command():
    result = CliRunner().invoke(app, ["--help"])
    assert result.exit_code == 0
    assert all(command in result.output for command in COMMANDS)


@pytest.mark.parametrize("command", COMMANDS)
def test_each_command_has_help(command: str):
    result = CliRunner().invoke(app, [command, "--help"])
    assert result.exit_code == 0
    assert f"linkvla {command}" in result.output.replace("Usage: ", "", 1), "help teaches with an example"


@pytest.mark.parametrize(
    "error", [LinkVLAError, CheckpointError, RouteError, CarlaServerError, PortError, SimError, TownError]
)
def test_errors_raised_on_purpose_become_one_line(error: type[Exception], capsys: pytest.CaptureFixture):
    assert failures.report(error("what was got\n  what is allowed")) == 2
    captured = capsys.readouterr()
    assert captured.err == "linkvla: what was got what is allowed\n"
    assert captured.out == ""


def test_a_defect_keeps_its_traceback():
    with pytest.raises(ZeroDivisionError):
        failures.report(ZeroDivisionError("division by zero"))


def test_a_folder_that_cannot_be_written_is_named():
    message = failures.user_message(PermissionError(13, "Permission denied", "/data/out"))
    assert message.startswith("/data/out: Permission denied")


def test_a_missing_package_is_named():
    message = failures.user_message(ModuleNotFoundError("No module named 'torch'", name="torch"))
    assert "'torch'" in message and "doctor" in message


BAD_INPUT = {
    "route file that is not there": (["drive", "--agent", "expert", "--route", "none.xml"], "none.xml"),
    "route file that is not XML": (["drive", "--agent", "expert", "--route", "bad.xml"], "bad.xml"),
    "route in an unknown town": (["drive", "--agent", "expert", "--route", "town.xml"], "Nowhereville"),
    "route off the road": (["drive", "--agent", "expert", "--route", "off.xml"], "route"),
    "unknown route id": (["drive", "--agent", "expert", "--id", "no-such-id"], "no-such-id"),
    "unknown agent": (["drive", "--agent", "robot"], "robot"),
    "results folder in use": (["drive", "--agent", "expert", "--out", "full"], "full"),
    "checkpoint that is not there": (["drive", "--checkpoint", "no-such-checkpoint"], "no-such-checkpoint"),
    "damaged checkpoint": (["drive", "--checkpoint", "full"], "full"),
    "server in an unknown town": (["sim", "--town", "Nowhereville", "--port", "29990"], "Nowhereville"),
    "evaluation of a bad file": (["evaluate", "--agent", "expert", "--routes", "bad.xml"], "bad.xml"),
    "merge without an adapter": (["merge", "full", "merged"], "adapter"),
    "scoring of an unknown checkpoint": (["dream", "--checkpoint", "no-such-checkpoint"], "no-such-checkpoint"),
    "scoring without recordings": (["openloop", "--data", "nothing"], "nothing"),
    "training without data": (["train", "--data", "nothing", "--seconds", "1", "--out", "run"], "nothing"),
}

ROUTE = (
    '<routes><route id="1" town="{}"><waypoints><position x="{}" y="0" z="0"/><position x="{}" y="9" z="0"/>'
    "</waypoints></route></routes>"
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "bad.xml").write_text("this is <not XML")
    (tmp_path / "town.xml").write_text(ROUTE.format("Nowhereville", 0, 9))
    (tmp_path / "off.xml").write_text(ROUTE.format("Maple", 90_000, 90_009))
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "something.txt").write_text("mine")
    return tmp_path


@pytest.mark.parametrize("case", BAD_INPUT)
def test_bad_input_is_one_line_and_leaves_nothing(case: str, folder: Path, run: Callable[..., tuple[int, str]]):
    arguments, named = BAD_INPUT[case]
    before = sorted(path.name for path in folder.iterdir())
    code, errors = run(*arguments, folder=folder)
    lines = errors.strip().splitlines()
    assert code == 2, errors
    assert len(lines) == 1, errors
    assert lines[0].startswith("linkvla: ") and named in lines[0]
    assert sorted(path.name for path in folder.iterdir()) == before


def test_a_taken_port_is_refused(tmp_path: Path, run: Callable[..., tuple[int, str]]):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        code, errors = run("sim", "--port", port, folder=tmp_path)
    assert code == 2
    assert errors.startswith("linkvla: ") and port in errors and errors.count("\n") == 1


def test_the_installed_command_behaves_the_same(folder: Path):
    command = [LINKVLA, "drive", "--agent", "expert", "--route", "bad.xml"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=folder, timeout=120)
    assert done.returncode == 2
    assert done.stderr.startswith("linkvla: ") and done.stderr.count("\n") == 1
    assert done.stdout == ""


def test_unknown_options_are_refused(tmp_path: Path, run: Callable[..., tuple[int, str]]):
    code, errors = run("drive", "--no-such-option", folder=tmp_path)
    assert code == 2
    assert "--no-such-option" in errors
