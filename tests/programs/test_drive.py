"""``linkvla drive`` from start to end, on a short route: server, agent, judge, film, results."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from pathlib import Path
from xml.etree import ElementTree

import av
import pytest

from linkvla.agent.recorder import DriveRecording
from linkvla.launch.drive import HELD_OUT_ROUTES

pytestmark = pytest.mark.system

SMOKE_ROUTES = HELD_OUT_ROUTES.with_name("smoke.xml")
LINKVLA = Path(sys.executable).with_name("linkvla")


@pytest.fixture(scope="module")
def short_route(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The first 50 m or so of a route that ships."""
    tree = ElementTree.parse(SMOKE_ROUTES)
    routes = tree.getroot()
    for route in list(routes)[1:]:
        routes.remove(route)
    waypoints = routes.find("route/waypoints")
    for position in list(waypoints)[3:]:
        waypoints.remove(position)
    path = tmp_path_factory.mktemp("routes") / "short.xml"
    tree.write(path)
    return path


def drive(route: Path, *options: str, folder: Path) -> subprocess.CompletedProcess:
    """The command itself, with the expert: each drive is a process of its own, as it is for users."""
    command = [LINKVLA, "drive", "--agent", "expert", "--route", str(route), "--traffic", "2", *options]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=240)


def children_of(process_id: int) -> list[int]:
    """Processes whose parent this is."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:  # ended meanwhile
            continue
        if int(fields[1]) == process_id and fields[0] != "Z":
            found.append(int(stat.parent.name))
    return found


def test_a_drive_leaves_result_table_and_film(short_route: Path, tmp_path: Path):
    done = drive(short_route, "--out", "results/first", folder=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "results/first" in done.stdout
    out = tmp_path / "results" / "first"
    assert sorted(path.name for path in out.iterdir()) == ["drive.mp4", "result.json", "table.txt"]
    assert [path.name for path in out.parent.iterdir()] == ["first"]

    document = json.loads((out / "result.json").read_text())
    assert document["entry_status"] == "Finished"
    assert document["_checkpoint"]["progress"] == [1, 1]
    assert document["_checkpoint"]["records"][0]["scores"]["score_route"] == 100.0
    assert document["linkvla"]["agent"] == "expert"
    table = (out / "table.txt").read_text()
    assert "100.0 %" in table and "real time" in table
    with av.open(str(out / "drive.mp4")) as container:
        frames = sum(1 for _ in container.decode(video=0))
    assert frames == pytest.approx(document["linkvla"]["timing"]["ticks"] / 2, abs=2)

    again = drive(short_route, "--out", "results/first", folder=tmp_path)
    assert again.returncode == 2
    assert "results/first" in again.stderr and again.stderr.count("\n") == 1


def test_without_a_film_but_with_a_record_in_a_folder_named_by_date(short_route: Path, tmp_path: Path):
    done = drive(short_route, "--no-video", "--record", folder=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    (out,) = (tmp_path / "output").iterdir()
    assert out.name.startswith("drive-")
    assert sorted(path.name for path in out.iterdir()) == ["result.json", "table.txt", "ticks.jsonl"]
    ticks = list(DriveRecording.open(out).ticks())
    document = json.loads((out / "result.json").read_text())
    assert len(ticks) == pytest.approx(document["linkvla"]["timing"]["ticks"], abs=2)
    assert ticks[0]["time"] == 0.0 and ticks[-1]["route"] > 90.0 and ticks[0]["source"] == "expert"


def test_who_does_not_listen_is_told_nothing(short_route: Path, tmp_path: Path):
    for options, complaint in (
        (["--listen", "8100", "--console"], "neither listens nor speaks"),
        (["--refuse-unsafe"], "neither listens nor speaks"),
        (["--pictures", "20"], "add --record"),
    ):
        done = drive(short_route, *options, folder=tmp_path)
        assert done.returncode == 2 and complaint in done.stderr
    bad = tmp_path / "bad.yaml"
    bad.write_text("- {time: soon, text: Stop.}")
    command = [LINKVLA, "drive", "--route", str(short_route), "--instructions", str(bad)]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=240)
    assert done.returncode == 2 and "bad.yaml:1: entry 1: time must be a number, got 'soon'" in done.stderr


@pytest.mark.skipif(not Path("/proc").exists(), reason="looks for processes in /proc")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_drive_cleans_up(number: int, tmp_path: Path):
    signal.signal(signal.SIGINT, signal.default_int_handler)  # children of a background job would ignore it, as we do
    # The network drives a tenth as fast as the expert, who would be there before the signal is.
    command = [LINKVLA, "drive", "--threads", "1", "--route", str(HELD_OUT_ROUTES), "--out", "out"]
    process = subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    try:
        for line in process.stdout:
            if "simulated" in line:
                break
        (server,) = children_of(process.pid)
        process.send_signal(number)
        process.stdout.read()
        assert process.wait(60) != 0
    finally:
        process.kill()
        process.wait()
        process.stdout.close()
    deadline = time.monotonic() + 15.0
    while Path(f"/proc/{server}").exists() and time.monotonic() < deadline:
        time.sleep(0.1)
    assert not Path(f"/proc/{server}").exists()
    assert list(tmp_path.iterdir()) == []
