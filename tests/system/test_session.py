"""Drives scripted in Python, and what words change about them."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import av
import pytest

from linkvla.agent.recorder import DriveRecording
from linkvla.agent.settings import AgentSettings
from linkvla.launch.evaluation.evaluate_settings import free_threads
from linkvla.launch.session import Session
from linkvla.model.interface.errors import ConfigurationError, RouteError

pytestmark = pytest.mark.system

ROUTE = "5"
STOP_AT, STOPPED_AT = 2.5, 5.0  # s


@pytest.fixture(scope="module")
def session() -> Iterator[Session]:
    with Session(town="Maple") as running:
        yield running


def speeds(folder: Path) -> dict[float, float]:
    """m/s by simulated second, from the record of a drive."""
    return {tick["time"]: tick["speed"] for tick in DriveRecording.open(folder).ticks()}


def test_a_timeline_changes_the_drive(session: Session, tmp_path: Path):
    """The same route with and without an instruction: only the one who is told to stops."""
    timeline = tmp_path / "words.yaml"
    timeline.write_text(f"- {{time: {STOP_AT}, text: Stop now.}}")
    found = {}
    for name, words in (("untold", ""), ("told", str(timeline))):
        options = AgentSettings(threads=free_threads(), instructions=words, agreement="10", record=str(tmp_path / name))
        for _ in session.drive(ROUTE, traffic=0, seconds=STOPPED_AT + 0.2, options=options):
            pass
        found[name] = speeds(tmp_path / name)
    assert found["told"][STOP_AT] == pytest.approx(found["untold"][STOP_AT], abs=1.0)
    assert found["untold"][STOPPED_AT] > 3.0
    assert found["told"][STOPPED_AT] < 0.5

    told = [tick for tick in DriveRecording.open(tmp_path / "told").ticks() if "instruction" in tick]
    assert {(tick["instruction"], tick["instruction_from"]) for tick in told} == {("Stop now.", "timeline")}
    assert told[0]["time"] == pytest.approx(STOP_AT, abs=0.051)
    checked = [tick["agreement"]["agrees"] for tick in told if "agreement" in tick]
    assert len(checked) == pytest.approx(len(told) / 10, abs=1) and checked.count(True) > len(checked) / 2


def test_a_drive_can_be_left_and_asked_about(session: Session):
    drive = session.drive(waypoints=[(256.78, -91.64, 1.7), (250.65, -28.15, 1.0)], agent="expert", traffic=0)
    with pytest.raises(ConfigurationError, match="between the first tick and the last"):
        _ = drive.ego
    for tick in drive:
        assert drive.ego.get_location().x == pytest.approx(tick.ego_pose[0], abs=2.0)
        with pytest.raises(ConfigurationError, match="does not listen"):
            drive.say("Stop now.")
        with pytest.raises(ConfigurationError, match="not over"):
            _ = drive.record
        if tick.tick == 20:
            break
    world = drive.world
    drive.close()
    assert drive.record.status == "Failed" and 0.0 < drive.record.score_route < 100.0
    assert list(drive) == []
    assert not world.get_actors().filter("vehicle.*")


def test_what_cannot_be_driven_is_said_at_once(session: Session):
    with pytest.raises(RouteError, match="no route 'none'"):
        session.drive("none")
    with pytest.raises(ConfigurationError, match="at least two"):
        session.drive(waypoints=[(0.0, 0.0, 0.0)])
    with pytest.raises(ConfigurationError, match="leave one out"):
        session.drive(ROUTE, waypoints=[(0.0, 0.0, 0.0), (9.0, 0.0, 0.0)])
    with pytest.raises(RouteError):
        session.drive(waypoints=[(0.0, 0.0, 0.0), (9.0, 0.0, 0.0)], town="Atlantis")


def test_the_example_does_what_it_says(tmp_path: Path):
    command = [sys.executable, "-m", "linkvla.launch.examples.scripted_drive"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=240)
    assert done.returncode == 0, done.stderr
    lines = [line.split(maxsplit=4) for line in done.stdout.splitlines() if "m/s" in line]
    speed = {float(line[0]): float(line[2]) for line in lines}
    told = [float(line[0]) for line in lines if line[-1] == "Stop now."]
    assert told and speed[4.0] > 3.0 and speed[max(told)] < 0.5
    with av.open(str(tmp_path / "told_to_stop.mp4")) as film:
        assert sum(1 for _ in film.decode(video=0)) == pytest.approx(100, abs=2)
