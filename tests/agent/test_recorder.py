"""The record of a drive: what is in it, and what is left of it after a kill, a full disk or damage."""

from __future__ import annotations

import math
import signal
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from linkvla.agent.recorder import FILE_NAME, DriveRecording, Recorder, TickRecord
from linkvla.model.interface.errors import ConfigurationError, DataError
from linkvla.model.interface.types import Command, Plan
from linkvla.model.language.agreement import Agreement

PATH = np.stack([np.arange(20.0), np.linspace(0.0, 1.23456, 20)], axis=1)
WAYPOINTS = np.stack([1.25 * np.arange(1, 11), np.zeros(10)], axis=1)


def tick(number: int = 0, **changes: object) -> TickRecord:
    base = {"time": 0.05 * number, "pose": (1.0, 2.0, 0.5), "speed": 3.0, "control": (0.5, 0.0, 0.0), "source": "model"}
    return TickRecord(number, **(base | changes))


def recorded(folder: Path) -> list[dict]:
    return list(DriveRecording.open(folder).ticks())


def test_a_tick_keeps_what_was_seen_meant_and_done(tmp_path: Path):
    agreement = Agreement(None, True, True, False)
    cells = [[[19.0, 1.23, 0.25]], [[12.5, 0.5, 0.75]]]
    about = {
        "end_point_probability": [0.25, 0.75],
        "end_point_cells": cells,
        "caption": "The car stops.",
        "agreement": agreement,
    }
    full = tick(
        route=12.345,
        driven=50.0,
        command=Command.LEFT,
        next_command=Command.LANE_FOLLOW,
        distance=12.34,
        targets=np.array([[20.0, 0.0], [60.004, 1.0]]),
        instruction="Stop now.",
        instruction_from="timeline",
        plan=Plan(PATH, WAYPOINTS, "Following the given instruction.", about),
        milliseconds={"decode": 20.123},
    )
    recorder = Recorder(tmp_path / "drive", {"agent": "linkvla-nano"})
    recorder.record(full)
    recorder.record(tick(1, pose=(math.nan, 2.0, 0.5)))
    recorder.close()

    assert DriveRecording.open(tmp_path / "drive").header["agent"] == "linkvla-nano"
    first, second = recorded(tmp_path / "drive")
    assert first["path"][-1] == [19.0, 1.23] and len(first["path"]) == 20 and len(first["waypoints"]) == 10
    assert (first["command"], first["next_command"], first["distance"], first["route"]) == (1, 4, 12.3, 12.35)
    assert first["targets"] == [[20.0, 0.0], [60.0, 1.0]]
    assert (first["instruction"], first["instruction_from"]) == ("Stop now.", "timeline")
    assert first["agreement"]["agrees"] is False and first["agreement"]["route_in_caption"] is None
    assert first["said"] and first["caption"] == "The car stops." and first["certainty"] == [0.25, 0.75]
    assert first["cells"] == cells
    assert first["ms"] == {"decode": 20.12}
    assert second["pose"] == [None, 2.0, 0.5]
    assert set(second) == {"tick", "time", "pose", "speed", "control", "source"}


def test_pictures_come_at_their_own_rate(tmp_path: Path):
    image = np.zeros((512, 1024, 3), np.uint8)
    image[:, :, 0] = 200  # red
    recorder = Recorder(tmp_path, {}, picture_every=2)
    for number in range(5):
        recorder.record(tick(number, image=image))
    recorder.close()
    frames = [line.get("frame") for line in recorded(tmp_path)]
    assert frames == ["frames/000000.jpg", None, "frames/000002.jpg", None, "frames/000004.jpg"]
    picture = cv2.imread(str(tmp_path / frames[2]))
    assert picture.shape == (320, 640, 3)
    assert picture[100, 100, 2] > 150 > picture[100, 100, 0]  # OpenCV reads BGR


def test_further_drives_get_folders_of_their_own(tmp_path: Path):
    for number in range(3):
        recorder = Recorder(tmp_path, {"agent": str(number)})
        recorder.close()
    headers = [DriveRecording.open(folder).header for folder in (tmp_path, tmp_path / "2", tmp_path / "3")]
    assert [header["agent"] for header in headers] == ["0", "1", "2"]


def test_a_killed_process_has_written_all_its_ticks(tmp_path: Path):
    program = (
        "import os, signal, sys\n"
        "from linkvla.agent.recorder import Recorder, TickRecord\n"
        "recorder = Recorder(sys.argv[1], {})\n"
        "for n in range(7):\n"
        "    recorder.record(TickRecord(n, 0.05 * n, (0.0, 0.0, 0.0), 1.0, (0.0, 0.0, 1.0), 'model'))\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    done = subprocess.run([sys.executable, "-c", program, str(tmp_path)], timeout=120)
    assert done.returncode == -signal.SIGKILL
    with (tmp_path / FILE_NAME).open("ab") as file:
        file.write(b'{"tick":7,"time":0.')  # what a kill in the middle of a line would leave
    assert [line["tick"] for line in recorded(tmp_path)] == list(range(7))


def test_a_full_disk_ends_the_recording_only(tmp_path: Path):
    """A limit on the file's size fails the same call in the same way, and needs no disk to be filled."""
    program = (
        "import resource, sys\n"
        "from linkvla.agent.recorder import Recorder, TickRecord\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))\n"
        "recorder = Recorder(sys.argv[1], {})\n"
        "for n in range(50):\n"
        "    recorder.record(TickRecord(n, 0.05 * n, (0.0, 0.0, 0.0), 1.0, (0.0, 0.0, 1.0), 'model'))\n"
        "recorder.close()\n"
        "print('driven on')\n"
    )
    done = subprocess.run([sys.executable, "-c", program, str(tmp_path)], capture_output=True, text=True, timeout=120)
    assert done.stdout == "driven on\n", done.stderr
    assert done.stderr.count("recording stops") == 1
    assert 5 <= len(recorded(tmp_path)) < 20


def test_bad_folders_and_damage_are_said(tmp_path: Path):
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigurationError, match="cannot be recorded"):
        Recorder(tmp_path / "file" / "drive", {})
    with pytest.raises(DataError, match="record=FOLDER"):
        DriveRecording.open(tmp_path)
    (tmp_path / FILE_NAME).write_text('{"format":"something else"}\n')
    with pytest.raises(DataError, match="header"):
        DriveRecording.open(tmp_path)
    Recorder(tmp_path / "damaged", {}).close()
    with (tmp_path / "damaged" / FILE_NAME).open("a") as file:
        file.write('{"tick":0\n{"tick":1}\n')
    with pytest.raises(DataError, match=r"ticks\.jsonl:2 "):
        recorded(tmp_path / "damaged")
