"""Drives scripted in Python, and what words change about them."""

from __future__ import annotations

import math
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import av
import pytest

from linkvla.agent.recorder import DriveRecording
from linkvla.agent.settings import AgentSettings
from linkvla.launch.evaluation.evaluate_settings import free_threads
from linkvla.launch.session import RunningServer, Session
from linkvla.model.interface.errors import ConfigurationError, RouteError

pytestmark = pytest.mark.system

ROUTE = "5"
TOLD_AT, STOPPED_AT = 1.0, 2.2  # s


@pytest.fixture(scope="module")
def session() -> Iterator[Session]:
    with Session(town="Maple") as running:
        yield running


def test_a_timeline_stops_the_car_and_is_recorded_with_what_it_led_to(session: Session, tmp_path: Path):
    timeline, folder = tmp_path / "words.yaml", tmp_path / "drive"
    timeline.write_text(f"- {{time: {TOLD_AT}, text: Stop now.}}")
    options = AgentSettings(threads=free_threads(), instructions=str(timeline), agreement="5", record=str(folder))
    for _ in session.drive(ROUTE, traffic=0, seconds=STOPPED_AT + 0.1, options=options):
        pass
    ticks = list(DriveRecording.open(folder).ticks())
    speed = {tick["time"]: tick["speed"] for tick in ticks}
    assert speed[TOLD_AT] > 3.0 and speed[STOPPED_AT] < 0.5  # untold, it drives on: see the example, below

    told = [tick for tick in ticks if "instruction" in tick]
    assert {(tick["instruction"], tick["instruction_from"]) for tick in told} == {("Stop now.", "timeline")}
    assert told[0]["time"] == pytest.approx(TOLD_AT, abs=0.051) and told[-1] == ticks[-1]
    checked = [tick["agreement"]["agrees"] for tick in told if "agreement" in tick]
    assert len(checked) == pytest.approx(len(told) / 5, abs=1) and checked.count(True) > len(checked) / 2


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
    with pytest.raises(ConfigurationError, match="finite"):
        session.drive(waypoints=[(0.0, 0.0, 0.0), (math.nan, 0.0, 0.0)])
    with pytest.raises(ConfigurationError, match="above 0"):
        session.drive(ROUTE, seconds=0.0)
    with pytest.raises(ConfigurationError, match="leave one out"):
        session.drive(ROUTE, waypoints=[(0.0, 0.0, 0.0), (9.0, 0.0, 0.0)])
    with pytest.raises(RouteError):
        session.drive(waypoints=[(0.0, 0.0, 0.0), (9.0, 0.0, 0.0)], town="Atlantis")


def test_which_towns_another_server_has_it_says_itself(session: Session):
    """It may be a CARLA with towns that we do not have."""
    own = session.server
    elsewhere = Session(server=RunningServer(own.host, own.port, own.traffic_manager_port))
    with elsewhere, pytest.raises(RouteError, match="Atlantis"):
        next(elsewhere.drive(waypoints=[(0.0, 0.0, 0.0), (9.0, 0.0, 0.0)], town="Atlantis"))
    assert session.drive(ROUTE) is not None  # the server still runs


def test_the_example_does_what_it_says(tmp_path: Path):
    command = [sys.executable, "-m", "linkvla.launch.examples.scripted_drive"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=240)
    assert done.returncode == 0, done.stderr
    lines = [line.split(maxsplit=4) for line in done.stdout.splitlines() if "m/s" in line]
    speed = {float(line[0]): float(line[2]) for line in lines}
    told = [float(line[0]) for line in lines if line[-1] == "Stop now."]
    assert told and min(speed[2.0], speed[2.5]) > 3.0 and speed[max(told)] < 0.5
    with av.open(str(tmp_path / "told_to_stop.mp4")) as film:
        assert sum(1 for _ in film.decode(video=0)) == pytest.approx(50, abs=2)
