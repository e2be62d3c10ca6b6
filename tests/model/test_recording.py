"""Recordings on disk, and the view that recording and driving share."""

import numpy as np
import pytest

from linkvla.model.data.recording import Recording, RecordingWriter
from linkvla.model.data.view import CameraRig, kept_rows, make_view
from linkvla.model.interface.errors import DataError, ObservationError


def test_rows_come_back_as_written(tmp_path, random_record):
    rng = np.random.default_rng(0)
    records = [random_record(rng, town=town) for town in ("Elm", "Fir", "Elm")]
    rig = CameraRig(z=2.2)
    with RecordingWriter(tmp_path / "r", 100, (64, 128), camera=rig, notes={"seed": 3}) as writer:
        for record in records:
            writer.append(record)
    recording = Recording.open(tmp_path / "r")
    assert len(recording) == 3
    assert recording.camera == rig
    assert recording.manifest["towns"] == ["Elm", "Fir"] and recording.manifest["notes"] == {"seed": 3}
    assert recording.town.tolist() == [0, 1, 0]
    for n, record in enumerate(records):
        assert np.array_equal(recording.view[n], record.view)
        np.testing.assert_allclose(recording["path_in_ego"][n], record.path_in_ego, rtol=1e-6)


def test_columns_are_cut_to_the_rows_written(tmp_path, random_record):
    with RecordingWriter(tmp_path / "r", 1000, (64, 128)) as writer:
        writer.append(random_record(np.random.default_rng(0)))
    assert np.load(tmp_path / "r" / "view.npy").shape == (1, 64, 128, 3)
    assert (tmp_path / "r" / "view.npy").stat().st_size < 30_000


def test_an_unfinished_recording_does_not_open(tmp_path):
    RecordingWriter(tmp_path / "r", 10, (64, 128))
    with pytest.raises(DataError, match="unfinished"):
        Recording.open(tmp_path / "r")
    with pytest.raises(KeyboardInterrupt), RecordingWriter(tmp_path / "s", 10, (64, 128)):
        raise KeyboardInterrupt
    with pytest.raises(DataError, match="unfinished"):
        Recording.open(tmp_path / "s")
    with pytest.raises(DataError, match="does not exist"):
        Recording.open(tmp_path / "nothing")


def test_damage_is_named(record_folder):
    folder = record_folder(4)
    column = folder / "speed.npy"
    column.write_bytes(column.read_bytes()[:-4])
    with pytest.raises(DataError, match=r"speed\.npy"):
        Recording.open(folder)


def test_bad_rows_are_refused(tmp_path, random_record):
    rng = np.random.default_rng(0)
    with RecordingWriter(tmp_path / "r", 1, (64, 128)) as writer:
        with pytest.raises(DataError, match="speed must be finite"):
            writer.append(random_record(rng, speed=float("nan")))
        with pytest.raises(DataError, match="path_in_ego takes"):
            writer.append(random_record(rng, path_in_ego=np.zeros((19, 2))))
        writer.append(random_record(rng))
        with pytest.raises(DataError, match="full"):
            writer.append(random_record(rng))
    with pytest.raises(DataError, match="already holds"):
        RecordingWriter(tmp_path / "r", 1, (64, 128))


def test_the_bottom_of_the_frame_is_dropped():
    assert kept_rows(512) == 359
    frame = np.random.default_rng(0).integers(0, 255, (512, 1024, 3), dtype=np.uint8)
    view = make_view(frame)
    assert view.shape == (128, 256, 3)
    assert np.array_equal(view, make_view(frame[:359]))
    frame[359:] = 0
    assert np.array_equal(view, make_view(frame))


def test_frames_of_another_shape_are_refused():
    with pytest.raises(ObservationError, match="must have 512 rows, or 359"):
        make_view(np.zeros((400, 1024, 3), np.uint8))
    with pytest.raises(ObservationError, match="uint8"):
        make_view(np.zeros((512, 1024, 3), np.float32))
