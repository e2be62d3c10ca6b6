"""Open-loop scores against plans made by hand, and the two controls."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from linkvla.model.data.recording import Recording, Tag
from linkvla.model.data.source import RecordingSource
from linkvla.model.evaluation.frames import Frames
from linkvla.model.evaluation.network import Network
from linkvla.model.evaluation.open_loop import drive, quantised, scores
from linkvla.model.tokenizer.action_tokenizer import ActionTokenizer


def plan(speed: float, end_y: float = 0.0) -> np.ndarray:
    path = np.stack([np.arange(20.0), np.linspace(0, end_y, 20)], axis=1)
    return np.concatenate([path, np.stack([speed * 0.25 * np.arange(1, 11), np.zeros(10)], axis=1)])


def test_a_perfect_plan_has_no_errors():
    labels = np.stack([plan(0.0), plan(5.0)])
    found = scores(labels, labels, np.array([Tag.RED_LIGHT, 0]))
    assert all(found[name] == 0.0 for name in ("path_ade", "path_fde", "waypoint_ade", "waypoint_fde", "speed_error"))
    assert found["red_stop"] == 1.0 and found["false_stop"] == 0.0
    assert np.isnan(found["lead_stop"]) and np.isnan(found["start"])


def test_errors_by_hand():
    found = scores(np.stack([plan(6.0, 3.8)]), np.stack([plan(4.0)]), np.zeros(1, int))
    assert found["path_fde"] == pytest.approx(3.8)
    assert found["path_ade"] == pytest.approx(1.9)
    assert found["waypoint_fde"] == pytest.approx(5.0)  # 2 m/s too fast for 2.5 s
    assert found["waypoint_ade"] == pytest.approx(2.0 * np.mean(0.25 * np.arange(1, 11)))
    assert found["speed_error"] == pytest.approx(2.0)
    assert np.isnan(found["turn_fde"])


def test_one_who_never_moves_stops_well_and_starts_badly():
    labels = np.stack([plan(0.0), plan(0.0), plan(3.0)])
    tags = np.array([Tag.RED_LIGHT, Tag.LEAD, Tag.START])
    found = scores(np.stack([plan(0.0)] * 3), labels, tags)
    assert found["red_stop"] == found["lead_stop"] == 1.0
    assert found["start"] == 0.0 and found["false_stop"] == 1.0


@settings(max_examples=60, deadline=None)
@given(st.floats(0.0, 15.0), st.floats(-10.0, 10.0))
def test_cells_keep_labels_within_five_percent(speed, end_y):
    label = plan(speed, end_y)[None]
    error = np.abs(quantised(label, ActionTokenizer()) - label)
    assert np.all(error <= 0.052 * (np.abs(label) + 0.2) + 1e-6)


def test_batches_and_darkness(tiny, record_folder):
    network = Network(*tiny)
    source = RecordingSource(Recording.open(record_folder(9)))
    whole = drive(network, Frames([source]).batches(9))
    parts = drive(network, Frames([source]).batches(4))
    assert whole.points == pytest.approx(parts.points, abs=1e-3)
    assert np.all(whole.points[:, 0] == 0.0)
    assert np.array_equal(whole.labels[3], source.read([3])[0].points_in_ego)
    dark = drive(network.variant(black=True), Frames([source]).batches(9))
    assert np.abs(dark.points - whole.points).max() > 1e-3
    hard = drive(network.variant(mode="hard"), Frames([source]).batches(9)).points[:, 1:]
    assert hard == pytest.approx(quantised(hard, network.model.action_tokenizer), abs=1e-4)
