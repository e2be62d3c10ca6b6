"""The same seed gives the same world; a short soak; the benchmark's figures add up."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from linkvla.launch.bench.sim import STAGES, BenchSettings, bench_sim
from linkvla.launch.bench.soak import Episode, SoakReport, SoakSettings, soak
from linkvla.launch.carla_server.process import SimServer

pytestmark = pytest.mark.system

ROOT = Path(__file__).resolve().parents[2]


def trace(seed: int) -> dict:
    """What one server with this seed and one client saw."""
    with SimServer(town="Maple", seed=seed) as server:
        command = [sys.executable, "-m", "tests.system.trace", str(server.port), str(server.traffic_manager_port)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=True, cwd=ROOT)
        return json.loads(done.stdout.splitlines()[-1])


def test_one_seed_gives_identical_trajectories_and_pixels():
    first, second = trace(3), trace(3)
    assert first["driven"] > 20.0, "a world in which nobody drives proves nothing"
    assert first == second


def test_a_short_soak_loses_no_frame(tmp_path: Path):
    report = soak(
        SoakSettings(
            ticks=240, loads=4, towns=("Birch", "Maple"), directories=(), cars=8, size=(96, 48), seed=1,
            out=tmp_path / "soak.json",
        )
    )  # fmt: skip
    written = json.loads((tmp_path / "soak.json").read_text())
    assert report.lost == written["lost"] == 0
    assert [episode.town for episode in report.episodes] == ["Birch", "Maple", "Birch", "Maple"]
    assert sum(episode.ticks for episode in report.episodes) == 240
    assert all(episode.memory_mb > 50.0 for episode in report.episodes)


def episode(memory_mb: float, lost: int = 0) -> Episode:
    return Episode("Maple", 1.0, 100, lost, 50.0, memory_mb)


def test_a_soak_fails_on_growth_and_on_lost_frames():
    assert SoakReport((episode(400.0), episode(410.0))).passed
    assert not SoakReport((episode(400.0), episode(430.0))).passed
    assert not SoakReport((episode(400.0, lost=1), episode(400.0))).passed


def test_the_benchmark_accounts_for_the_servers_time(tmp_path: Path):
    found = bench_sim(
        BenchSettings(
            town="Maple", towns=(), load_towns=("Birch",), cars=4, sizes=((128, 64),), ticks=20, core=0, seed=0,
            out=tmp_path / "bench.json",
        )
    )  # fmt: skip
    assert json.loads((tmp_path / "bench.json").read_text()) == json.loads(json.dumps(found))
    (speed,), (load,) = found["speed"], found["load"]
    assert speed["cars"] == 4
    assert set(speed["milliseconds"]) == set(STAGES)
    assert all(speed["milliseconds"][stage] > 0.0 for stage in ("rpc", "physics", "render", "stream"))
    total = sum(speed["milliseconds"].values())
    assert speed["ticks_per_second_of_one_core"] == pytest.approx(1e3 / total, rel=0.01)
    assert load["town"] == "Birch" and load["cpu_seconds"] > 0.0
