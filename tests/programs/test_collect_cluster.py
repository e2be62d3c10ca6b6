"""``linkvla collect`` as a process: on a Ray cluster, and killed in the middle."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import psutil
import pytest

from linkvla.launch.collection import CollectSettings, collect
from linkvla.launch.collection.cluster_crew import RayCrew
from linkvla.launch.collection.shards import shards_of
from linkvla.model.data.check import check_data
from linkvla.model.data.recording import Recording

pytestmark = pytest.mark.system

WAIT = 300.0  # s


def started(out: Path, *arguments: str) -> subprocess.Popen:
    base = [sys.executable, "-m", "linkvla.launch.cli", "collect", "--out", str(out), "--town", "Aspen", "--seed", "3"]
    return subprocess.Popen([*base, *arguments], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)


def finished(out: Path) -> dict[str, int]:
    """When the shards were finished, by name."""
    return {path.parent.name: path.stat().st_mtime_ns for path in out.glob("*/manifest.json")}


def wait_until(true, program: subprocess.Popen) -> None:
    end = time.monotonic() + WAIT
    while not true():
        assert program.poll() is None, program.communicate()[1]
        assert time.monotonic() < end
        time.sleep(0.05)


def test_a_killed_run_loses_what_was_being_made_and_no_more(tmp_path):
    arguments = ("--frames", "200", "--shard-frames", "10", "--workers", "1", "--no-language")
    program = started(tmp_path, *arguments)
    wait_until(lambda: len(finished(tmp_path)) >= 2, program)
    workers = psutil.Process(program.pid).children(recursive=True)
    os.kill(program.pid, signal.SIGKILL)
    program.communicate()
    with contextlib.suppress(psutil.TimeoutExpired):
        psutil.wait_procs(workers, timeout=30.0)
    assert not any(worker.is_running() and worker.status() != psutil.STATUS_ZOMBIE for worker in workers)
    kept = finished(tmp_path)
    assert 2 <= len(kept) < 20
    again = started(tmp_path, *arguments)
    assert again.wait(WAIT) == 0, again.communicate()[1]
    after = finished(tmp_path)
    assert len(after) == 20 and {name: after[name] for name in kept} == kept
    report = check_data(tmp_path)
    assert report.sound and report.frames == 200 and not report.missing["recordings without checksums"]


def test_a_cluster_makes_the_same_shards(tmp_path):
    pytest.importorskip("ray", reason="Ray is not installed: pip install 'linkvla[cluster]'")
    settings = {"frames": 3, "shard_frames": 2, "towns": ("Aspen",), "seed": 3, "language": False}
    here = collect(CollectSettings(tmp_path / "here", workers=1, **settings))
    there = collect(CollectSettings(tmp_path / "there", workers=2, cluster="local", **settings))
    for one, other in zip(here, there):
        assert np.array_equal(Recording.open(one).view, Recording.open(other).view)
    assert [len(Recording.open(part)) for part in there] == [2, 1]


def make(shard, tell):
    if shard.number == 0:
        os.kill(os.getpid(), signal.SIGKILL)
    if shard.number == 1:
        shard.folder.mkdir(parents=True)
        (shard.folder / "manifest.json").touch()


def test_a_lost_worker_is_replaced_and_a_disk_that_is_not_shared_is_noticed(tmp_path):
    pytest.importorskip("ray", reason="Ray is not installed: pip install 'linkvla[cluster]'")
    shards = shards_of(CollectSettings(tmp_path, frames=3, shard_frames=1))
    news = list(RayCrew(1, lambda: make, "local").work(shards))
    assert "worker was lost" in news[0].error and not news[0].hopeless
    assert not news[1].error
    assert "disk that all machines share" in news[2].error and news[2].hopeless
