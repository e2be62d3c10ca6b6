"""Teaching data from drives in the simulator: the real server, route runner and client."""

from __future__ import annotations

from dataclasses import replace
from itertools import islice
from pathlib import Path

import numpy as np
import pytest

from linkvla.launch.collection.closed_loop.drives import Drives
from linkvla.launch.collection.settings import CollectSettings
from linkvla.launch.collection.shards import Shard
from linkvla.model.data.recording import RecordingWriter, Tag, open_recordings
from linkvla.model.data.source import RecordingSource

pytestmark = pytest.mark.system

ROUTES = """<routes><route id="0" town="Maple"><waypoints>{}</waypoints></route></routes>"""


@pytest.fixture(scope="module")
def settings(tmp_path_factory):
    """A short stretch of a held-out route, so that a drive takes seconds."""
    from linkvla.launch.evaluation.benchmarks import benchmark_file
    from linkvla.launch.evaluation.route_file import read_routes

    places = read_routes(benchmark_file("heldout"), "5")[0].keypoints[:4]
    file = tmp_path_factory.mktemp("routes") / "short.xml"
    file.write_text(ROUTES.format("".join(f'<position x="{x}" y="{y}" z="{z}"/>' for x, y, z in places)))
    return CollectSettings(out=file.parent, frames=20, policy="expert", routes=(str(file),), language=False)


def shard(count: int, folder: Path) -> Shard:
    return Shard(0, count, folder)


def test_the_teacher_s_drives_become_a_recording_that_can_be_learnt_from(settings, tmp_path):
    with RecordingWriter(tmp_path / "shard", 20) as writer:
        for record in islice(Drives(settings).records(shard(20, tmp_path)), 20):
            writer.append(record)
    (recording,) = open_recordings(tmp_path)
    samples = RecordingSource(recording).read(range(20))
    assert all(sample.presence is None for sample in samples), "the client cannot see the renderer's buffers"
    assert recording.view.std() > 20.0 and set(recording.manifest["towns"]) == {"Maple"}
    speeds = np.array([sample.speed for sample in samples])
    assert speeds[0] < 1.0 < speeds.max(), "it sets off"
    ends = np.array([sample.speed_waypoints_in_ego[-1, 0] for sample in samples])
    assert np.corrcoef(speeds, ends)[0, 1] > 0.3


def test_a_network_at_the_wheel_is_labelled_by_the_teacher(settings, tmp_path):
    driven = replace(settings, policy="linkvla-nano")
    records = list(islice(Drives(driven).records(shard(12, tmp_path)), 12))
    assert all(record.tag & Tag.ON_POLICY for record in records)
    assert max(record.speed for record in records) > 0.5
