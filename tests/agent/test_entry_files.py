"""The entry files inside an evaluator: loaded by path, on the evaluator's base class, with its own tracks."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import pytest

import linkvla.agent

ENTRIES = Path(linkvla.agent.__file__).parent / "entry"
BASE = """
from enum import Enum


class Track(Enum):
    SENSORS = "SENSORS"
    MAP = "MAP"


class AutonomousAgent:
    def __init__(self, host, port, debug=False):
        self.track = Track.MAP
"""


@pytest.fixture
def evaluator(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> object:
    """A leaderboard on the path, with the two names that agents use."""
    package = tmp_path / "leaderboard" / "autoagents"
    package.mkdir(parents=True)
    for folder in (package.parent, package):
        (folder / "__init__.py").touch()
    (package / "autonomous_agent.py").write_text(BASE, encoding="utf-8")
    monkeypatch.syspath_prepend(str(tmp_path))
    yield importlib.import_module("leaderboard.autoagents.autonomous_agent")
    for name in [name for name in sys.modules if name.split(".")[0] == "leaderboard"]:
        del sys.modules[name]


def load(name: str) -> type:
    """The class that an evaluator finds in an entry file."""
    spec = importlib.util.spec_from_file_location(name, ENTRIES / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return getattr(module, module.get_entry_point())


@pytest.mark.parametrize("name", ["expert_agent", "linkvla_agent"])
def test_agents_name_the_evaluators_own_track(name: str, evaluator):
    """An evaluator compares with a member of its own enumeration; any other is the wrong track."""
    agent = load(name)
    assert issubclass(agent, evaluator.AutonomousAgent)
    assert agent.tracks is evaluator.Track


def test_the_expert_starts_on_the_evaluators_track_with_a_sensor(evaluator):
    """Without any sensor the leaderboard calls the whole result file invalid."""
    agent = load("expert_agent")("localhost", 2000, 0)
    agent.setup("")
    assert agent.track is evaluator.Track.SENSORS
    assert [spec["type"] for spec in agent.sensors()] == ["sensor.speedometer"]


def test_without_an_evaluator_ours_is_the_base():
    from linkvla.agent.autonomous_agent import AutonomousAgent, Track

    agent = load("expert_agent")
    assert issubclass(agent, AutonomousAgent) and agent.tracks is Track
