"""``linkvla bench evaluate``: the closed loop on this machine, in times of real time, and the share of each stage.

Everything is what ``linkvla evaluate`` uses: the embedded server, the built-in runner with its judges and traffic,
the agent. Each drive has a process and a server of its own; where agents are compared, they take turns.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from linkvla.launch.bench.closed_loop import RESULT, LoopTask
from linkvla.launch.bench.watch import machine
from linkvla.launch.environment import child_environment
from linkvla.launch.evaluation.stage_times import PREFIX
from linkvla.launch.json_file import write_json
from linkvla.model.interface.errors import ConfigurationError

_PATIENCE_S = 1800.0


@dataclass(frozen=True)
class EvaluateBenchSettings:
    """What to measure."""

    agents: tuple[tuple[str, str], ...]  # "linkvla" or "expert", and its configuration
    route_id: str
    cars: int
    ticks: int
    rounds: int  # drives of each agent
    seed: int
    port: int | None
    out: Path | None  # of the JSON file


def bench_evaluate(settings: EvaluateBenchSettings, console: Console | None = None) -> dict:
    """Drive, print tables, write JSON; returns what was written.

    Raises ConfigurationError for a drive that could not be.
    """
    console = console or Console()
    found: dict[tuple[str, str], list[dict]] = {agent: [] for agent in settings.agents}
    for number in range(settings.rounds):
        for agent in settings.agents:
            with console.status(f"{' '.join(agent)}, drive {number + 1} of {settings.rounds}"):
                found[agent].append(_drive(settings, *agent))
    loops = [_joined(agent, drives) for agent, drives in found.items()]
    document = {"machine": machine(), "settings": _plain(settings), "loops": loops}
    _print(console, settings, loops, document["machine"])
    if settings.out is not None:
        write_json(settings.out, document)
    return document


def _drive(settings: EvaluateBenchSettings, agent: str, config: str) -> dict:
    task = LoopTask(agent, config, settings.route_id, settings.cars, settings.ticks, settings.seed, settings.port)
    with tempfile.TemporaryDirectory(prefix="linkvla-bench-") as folder:
        file = Path(folder) / "task.json"
        write_json(file, asdict(task))
        command = [sys.executable, "-m", "linkvla.launch.bench.closed_loop", str(file)]
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=_PATIENCE_S, check=False, env=child_environment()
        )
        if done.returncode != 0:
            said = (done.stderr or done.stdout).strip().splitlines() or ["nothing"]
            raise ConfigurationError(f"the drive of {agent} {config} ended with code {done.returncode}: {said[-1]}")
        return json.loads((Path(folder) / RESULT).read_text(encoding="utf-8"))


def _joined(agent: tuple[str, str], drives: Sequence[dict]) -> dict:
    """The drives of an agent as one: medians over drives."""
    first = drives[0]
    times = [drive["real_time"] for drive in drives]
    joined = {
        "agent": agent[0],
        "agent_config": agent[1],
        "cars": first["cars"],
        "ticks": [drive["ticks"] for drive in drives],
        "status": [drive["status"] for drive in drives],
        "real_time": statistics.median(times),
        "real_time_of_each": times,
    }
    for name in ("median_ms", "p95_ms"):
        joined[f"tick_{name}"] = statistics.median(drive["tick"][name] for drive in drives)
    for part in ("phases", "agent", "server"):
        key = part if part != "agent" else "agent_stages"
        joined[key] = {
            stage: round(statistics.median(drive[part].get(stage, 0.0) for drive in drives), 3) for stage in first[part]
        }
    return joined


def _plain(settings: EvaluateBenchSettings) -> dict:
    return {key: value for key, value in asdict(settings).items() if key not in ("out", "agents")}


def _print(console: Console, settings: EvaluateBenchSettings, loops: Sequence[dict], where: dict) -> None:
    title = f"Held-out route {settings.route_id}, {loops[0]['cars']} cars, {settings.rounds} drives each; ms per tick"
    table = Table("", box=SIMPLE_HEAD, title=title)
    for loop in loops:
        table.add_column(" ".join((loop["agent"], *loop["agent_config"].split(";"))).strip(), justify="right")
    table.add_row("x real time", *(f"{loop['real_time']:.2f}" for loop in loops))
    table.add_row("ticks", *(str(sum(loop["ticks"])) for loop in loops))
    table.add_row("tick, median", *(f"{loop['tick_median_ms']:.1f}" for loop in loops))
    table.add_row("tick, p95", *(f"{loop['tick_p95_ms']:.1f}" for loop in loops), end_section=True)
    for part, prefix in (("phases", ""), ("agent_stages", PREFIX), ("server", "server CPU: ")):
        for stage in dict.fromkeys(stage for loop in loops for stage in loop[part]):
            shares = [_share(loop, part, stage) for loop in loops]
            table.add_row(prefix + stage, *shares)
        table.add_section()
    console.print(table)
    console.print(", ".join(f"{name} {value}" for name, value in where.items()), style="dim", highlight=False)


def _share(loop: dict, part: str, stage: str) -> str:
    """Milliseconds, and per cent of the loop where the stage is a part of it."""
    took = loop[part].get(stage)
    if took is None:
        return ""
    whole = sum(loop["phases"].values())
    return f"{took:.2f}" if part == "server" or not whole else f"{took:.2f} {100.0 * took / whole:3.0f} %"
