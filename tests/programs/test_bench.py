"""The same seed gives the same world; a short soak; the benchmark's figures add up."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from linkvla.launch.bench.sim import STAGES
from linkvla.launch.bench.soak import Episode, SoakReport
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


def bench(*options: str, codes: tuple[int, ...] = (0,)) -> None:
    """``linkvla bench`` in a process of its own: a TrafficManager outlives its server in the process that made it."""
    command = [sys.executable, "-c", "from linkvla.launch.cli import main; main()", "bench", *options]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False, cwd=ROOT)
    assert done.returncode in codes, f"exit code {done.returncode}\n{done.stdout}\n{done.stderr}"


def test_a_short_soak_loses_no_frame(tmp_path: Path):
    out = tmp_path / "soak.json"
    options = ("--ticks", "240", "--loads", "4", "--cars", "8", "--camera", "96x48", "--out", str(out))
    towns = ("--town", "Birch", "--town", "Maple")
    bench("soak", *options, *towns, codes=(0, 1))  # 1: so few ticks do not show whether memory is flat
    written = json.loads(out.read_text())
    assert written["lost"] == 0
    assert [episode["town"] for episode in written["episodes"]] == ["Birch", "Maple", "Birch", "Maple"]
    assert sum(episode["ticks"] for episode in written["episodes"]) == 240
    assert all(episode["memory_mb"] > 50.0 for episode in written["episodes"])


def episode(memory_mb: float, lost: int = 0) -> Episode:
    return Episode("Maple", 1.0, 100, lost, 50.0, memory_mb)


def test_a_soak_fails_on_growth_and_on_lost_frames():
    assert SoakReport((episode(400.0), episode(410.0))).passed
    assert not SoakReport((episode(400.0), episode(430.0))).passed
    assert not SoakReport((episode(400.0, lost=1), episode(400.0))).passed


def test_the_benchmark_accounts_for_the_servers_time(tmp_path: Path):
    out = tmp_path / "bench.json"
    bench(
        "sim", "--load", "Birch", "--cars", "4", "--camera", "128x64", "--ticks", "20", "--core", "0", "--out", str(out)
    )
    found = json.loads(out.read_text())
    (speed,), (load,) = found["speed"], found["load"]
    assert speed["cars"] == 4
    assert set(speed["milliseconds"]) == set(STAGES)
    assert all(speed["milliseconds"][stage] > 0.0 for stage in ("rpc", "physics", "render", "stream"))
    total = sum(speed["milliseconds"].values())
    assert speed["ticks_per_second_of_one_core"] == pytest.approx(1e3 / total, rel=0.01)
    assert load["town"] == "Birch" and load["cpu_seconds"] > 0.0


def test_the_closed_loop_is_driven_and_accounted_for(tmp_path: Path):
    out = tmp_path / "evaluate.json"
    agents = ("--agent", "expert", "--agent", "linkvla-nano;threads=1")
    bench("evaluate", *agents, "--cars", "3", "--ticks", "30", "--rounds", "1", "--out", str(out))
    expert, network = json.loads(out.read_text())["loops"]
    for loop in (expert, network):
        assert loop["cars"] == 3 and loop["ticks"][0] in (30, 31)
        per_tick = sum(loop["phases"].values())
        assert loop["real_time"] == pytest.approx(50.0 / per_tick, rel=0.02)
        assert loop["server"]["physics"] > 0.0
    assert network["server"]["render"] > 0.0  # the expert has no camera
    stages = network["agent_stages"]
    assert stages["localise"] > 0.0 and stages["control"] > 0.0
    assert sum(stages.values()) < network["phases"]["agent"]
