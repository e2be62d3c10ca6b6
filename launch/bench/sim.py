"""``linkvla bench sim``: how fast the embedded server is, and where its time goes.

Two figures for speed. *ticks/s* is what a client saw on the wall clock, on this machine with whatever else it was
doing. *ticks/s of one core* is 1 / (CPU seconds of the server per tick): what one core of this machine gives when it
does nothing else, whoever else is at work. The client and its TrafficManager are not counted.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from linkvla.launch.bench.load import Load, connect
from linkvla.launch.bench.watch import VIEW_OPTIONS, ServerWatch, machine
from linkvla.launch.carla_server.process import SimServer
from linkvla.launch.json_file import write_json

WARM_UP = 40  # ticks before the clock starts
STAGES = ("rpc", "physics", "sensors", "render", "stream", "other")


@dataclass(frozen=True)
class BenchSettings:
    """What to measure."""

    town: str
    towns: tuple[Path, ...]
    load_towns: tuple[str, ...]  # whose load time is taken
    cars: int
    sizes: tuple[tuple[int, int], ...]  # of the camera, px
    ticks: int
    core: int | None  # to which the server is pinned
    seed: int
    out: Path | None  # of the JSON file


@dataclass(frozen=True)
class Speed:
    """One camera size."""

    width: int  # px
    height: int  # px
    cars: int
    ticks_per_second: float  # by the wall clock
    ticks_per_second_of_one_core: float  # by the server's CPU time
    milliseconds: dict[str, float]  # of CPU per tick, by stage


@dataclass(frozen=True)
class TownLoad:
    """One ``load_world``."""

    town: str
    seconds: float  # until the call returned
    cpu_seconds: float  # of the server


def bench_sim(settings: BenchSettings) -> dict:
    """Measure, print tables, write JSON; returns what was written.

    Raises:
        CarlaServerError: the server did not start.
        RuntimeError: it did not answer.
    """
    with SimServer(town=settings.town, towns=settings.towns, seed=settings.seed, options=VIEW_OPTIONS) as server:
        watch = ServerWatch(server)
        if settings.core is not None:
            watch.pin(settings.core)
        with Progress(transient=True) as progress:
            task = progress.add_task("", total=len(settings.sizes) * settings.ticks)
            speeds = []
            for size in settings.sizes:
                progress.update(task, description=f"{settings.cars} cars, camera {size[0]}x{size[1]}")
                speeds.append(_speed(server, watch, settings, size, lambda: progress.advance(task)))
            progress.update(task, description="loading towns")
            loads = _loads(server, watch, settings.load_towns)
    found = {
        "machine": machine(),
        "town": settings.town,
        "pinned_to_core": settings.core,
        "ticks": settings.ticks,
        "speed": [asdict(speed) for speed in speeds],
        "load": [asdict(load) for load in loads],
    }
    _print(found, speeds, loads)
    if settings.out is not None:
        write_json(settings.out, found)
    return found


def _speed(server: SimServer, watch: ServerWatch, settings: BenchSettings, size: tuple[int, int], advance) -> Speed:
    client = connect(server.host, server.port)
    with Load(client, server.traffic_manager_port, settings.cars, size, settings.seed) as load:
        for _ in range(WARM_UP):
            load.tick()
        before, started = watch.stages(), time.perf_counter()
        for _ in range(settings.ticks):
            load.tick()
            advance()
        seconds, after = time.perf_counter() - started, watch.stages()
        spent = {stage: (after[stage] - before[stage]) / settings.ticks for stage in STAGES}
        return Speed(
            width=size[0],
            height=size[1],
            cars=load.placed,
            ticks_per_second=settings.ticks / seconds,
            ticks_per_second_of_one_core=1.0 / sum(spent.values()),
            milliseconds={stage: round(1e3 * share, 3) for stage, share in spent.items()},
        )


def _loads(server: SimServer, watch: ServerWatch, towns: Sequence[str]) -> list[TownLoad]:
    client = connect(server.host, server.port)
    found = []
    for town in towns:
        before, started = sum(watch.stages().values()), time.perf_counter()
        client.load_world(town)
        seconds = time.perf_counter() - started
        found.append(TownLoad(town, seconds, sum(watch.stages().values()) - before))
    return found


def _print(found: dict, speeds: list[Speed], loads: list[TownLoad]) -> None:
    console = Console()
    title = f"{found['town']}, {found['ticks']} ticks; CPU time by stage in ms per tick"
    table = Table(box=SIMPLE_HEAD, title=title, padding=0)
    for name in ("camera", "cars", "ticks/s", "of one core", *STAGES, "sum"):
        table.add_column(name, justify="right")
    for speed in speeds:
        parts = [f"{speed.milliseconds[stage]:.2f}" for stage in STAGES]
        rates = (f"{speed.ticks_per_second:.0f}", f"{speed.ticks_per_second_of_one_core:.0f}")
        total = f"{sum(speed.milliseconds.values()):.2f}"
        table.add_row(f"{speed.width}x{speed.height}", str(speed.cars), *rates, *parts, total)
    console.print(table)
    if loads:
        table = Table(box=SIMPLE_HEAD, title="load_world")
        for name in ("town", "seconds", "CPU s"):
            table.add_column(name, justify="right" if name != "town" else "left")
        for load in loads:
            table.add_row(load.town, f"{load.seconds:.2f}", f"{load.cpu_seconds:.2f}")
        console.print(table)
    console.print(
        ", ".join(f"{name} {value}" for name, value in found["machine"].items()), style="dim", highlight=False
    )
