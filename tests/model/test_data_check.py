"""``check_data`` on own recordings: counts, points off the grid, damage."""

import numpy as np
import pytest

from linkvla.model.data.check import check_data
from linkvla.model.data.recording import RecordingWriter, Tag
from linkvla.model.interface.errors import DataError


def test_a_sound_recording(record_folder):
    report = check_data(record_folder(20))
    assert report.sound and report.layout == "recording"
    assert (report.frames, report.read, report.towns["Elm"]) == (20, 20, 20)
    assert report.ranges["path x m"].low == 0.0
    assert report.grid["path"].points == 20 * 20
    assert report.as_dict()["tasks"] == {"driving": 20, "commentary": 0, "questions": 0, "dreams": 0}


def test_points_off_the_grid_and_tags_are_counted(tmp_path, random_record):
    rng = np.random.default_rng(0)
    far = np.stack([np.linspace(7.0, 90.0, 10), np.zeros(10)], axis=1)
    with RecordingWriter(tmp_path / "far", 2, (64, 128)) as writer:
        writer.append(random_record(rng, speed_waypoints_in_ego=far, tag=int(Tag.LEAD | Tag.START)))
        writer.append(random_record(rng))
    report = check_data(tmp_path)
    assert report.sound, "far points are counted, not condemned"
    assert report.grid["waypoints"].clamped >= 4 and report.grid["waypoints"].masked >= 1
    assert report.tags["lead"] == report.tags["start"] == 1


def test_damage_is_listed_and_the_rest_is_read(record_folder):
    good, bad = record_folder(5, "parts/a"), record_folder(5, "parts/b")
    (bad / "speed.npy").write_bytes(b"short")
    (good.parent / "c").mkdir()
    (good.parent / "c" / "view.npy").write_bytes(b"")  # no manifest: unfinished
    report = check_data(good.parent)
    assert not report.sound and report.frames == 5
    assert any("speed" in reason for _, reason in report.broken)
    assert any("unfinished" in reason for _, reason in report.broken)


def test_no_data_at_all(tmp_path):
    with pytest.raises(DataError, match="neither recordings"):
        check_data(tmp_path)
    with pytest.raises(DataError, match="no folder"):
        check_data(tmp_path / "absent")
