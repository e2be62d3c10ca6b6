"""TensorBoard curves: what is written can be read back, a resumed run hides its lost stretch."""

import importlib.util

import pytest

from linkvla.model.interface.errors import ConfigurationError
from linkvla.model.training import curves
from linkvla.model.training.curves import Curves


def points(folder, name):
    """[(step, value)] of one curve, as TensorBoard reads it."""
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    reader = EventAccumulator(str(folder / "tensorboard"), purge_orphaned_data=True)
    reader.Reload()
    if name not in reader.Tags()["scalars"]:
        return []
    return [(event.step, round(event.value, 4)) for event in reader.Scalars(name)]


def test_figures_come_back(tmp_path):
    with Curves(tmp_path) as writer:
        writer.add(20, {"goal": 3.5, "fine": 2.0}, "train")
        writer.add(40, {"goal": 3.0, "red_stop": float("nan")}, "train")
    assert points(tmp_path, "train/goal") == [(20, 3.5), (40, 3.0)]
    assert points(tmp_path, "train/fine") == [(20, 2.0)]
    assert points(tmp_path, "train/red_stop") == []


def test_a_resumed_run_hides_what_came_after(tmp_path):
    with Curves(tmp_path) as writer:
        for step in (20, 40, 60):
            writer.add(step, {"goal": step / 10}, "train")
    with Curves(tmp_path, first_step=40) as writer:
        writer.add(60, {"goal": 9.0}, "train")
    assert points(tmp_path, "train/goal") == [(20, 2.0), (40, 4.0), (60, 9.0)]


def test_without_tensorboard_the_message_says_what_to_do(tmp_path, monkeypatch):
    find = importlib.util.find_spec
    monkeypatch.setattr(curves, "find_spec", lambda name: None if name == "tensorboard" else find(name))
    with pytest.raises(ConfigurationError, match="linkvla\\[train\\]"):
        Curves(tmp_path)
