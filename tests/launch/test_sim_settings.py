"""The server's settings: one definition behind both command lines; and its log."""

from __future__ import annotations

import logging

import pytest
from typer.testing import CliRunner

from linkvla.launch.cli import app
from linkvla.launch.sim import serve
from linkvla.launch.sim.__main__ import main
from linkvla.launch.sim.errors import SimError
from linkvla.launch.sim.log import RepeatFilter
from linkvla.launch.sim.settings import SimSettings, options

COMMAND_LINE = ["--port", "2100", "--town", "Birch", "--host", "localhost", "--seed", "3", "--view",
                "--view-port", "2105", "--log-level", "debug"]  # fmt: skip


@pytest.fixture
def served(monkeypatch: pytest.MonkeyPatch) -> list[SimSettings]:
    """What the command lines would have served."""
    taken: list[SimSettings] = []
    monkeypatch.setattr(serve, "serve", taken.append)
    monkeypatch.setattr("linkvla.launch.sim.__main__.serve", taken.append)
    return taken


def test_both_command_lines_mean_the_same(served: list[SimSettings], tmp_path):
    folders = ["--towns", str(tmp_path), "--towns", str(tmp_path), "--recordings", str(tmp_path)]
    assert main([*COMMAND_LINE, *folders]) == 0
    assert CliRunner().invoke(app, ["sim", *COMMAND_LINE, *folders]).exit_code == 0
    one, other = served
    assert one == other
    assert one == SimSettings(
        port=2100, town="Birch", towns=(tmp_path, tmp_path), host="localhost", seed=3, recordings=tmp_path, view=True,
        view_port=2105, log_level="debug",
    )  # fmt: skip


def test_both_have_the_same_defaults(served: list[SimSettings]):
    main([])
    CliRunner().invoke(app, ["sim"])
    assert served == [SimSettings(), SimSettings()]


def test_both_helps_show_every_option(capsys: pytest.CaptureFixture):
    with pytest.raises(SystemExit):
        main(["--help"])
    for text in (capsys.readouterr().out, CliRunner().invoke(app, ["sim", "--help"], terminal_width=200).output):
        assert all(option.flag in text for option in options())


@pytest.mark.parametrize(
    "wrong", [{"port": -1}, {"port": 65535}, {"view_port": 70000}, {"seed": -1}, {"log_level": "loud"}]
)
def test_settings_that_cannot_work_are_refused(wrong: dict):
    (value,) = wrong.values()
    with pytest.raises(SimError, match=str(value)):
        SimSettings(**wrong)


def test_repeated_warnings_are_counted():
    passed = RepeatFilter()

    def record(level: int, *arguments: object) -> logging.LogRecord:
        return logging.LogRecord("x", level, "", 0, "%s refused: %s", arguments, None)

    assert passed.filter(record(logging.WARNING, "spawn_actor", "taken"))
    assert not passed.filter(record(logging.WARNING, "spawn_actor", "taken too"))
    assert passed.filter(record(logging.WARNING, "destroy_actor", "not found"))
    assert passed.filter(record(logging.INFO, "spawn_actor", "x")) and passed.filter(
        record(logging.INFO, "spawn_actor")
    )
