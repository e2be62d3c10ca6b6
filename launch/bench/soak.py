"""``linkvla bench soak``: many ticks and many towns on one server; memory must stay flat and no frame be lost."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from linkvla.launch.bench.load import Load, LostFrameError, connect
from linkvla.launch.bench.watch import VIEW_OPTIONS, ServerWatch, machine
from linkvla.launch.carla_server.process import SimServer
from linkvla.launch.json_file import write_json

FLAT = 0.05  # the memory may grow by this share
_MEGABYTE_EVERY = 50  # ticks between looks at the memory


@dataclass(frozen=True)
class SoakSettings:
    """How long and with what."""

    ticks: int  # in all
    loads: int  # calls of load_world; the ticks are shared among them
    towns: tuple[str, ...]  # loaded in turn
    directories: tuple[Path, ...]  # of further towns
    cars: int
    size: tuple[int, int]  # of the camera, px
    seed: int
    out: Path | None  # of the JSON file


@dataclass(frozen=True)
class Episode:
    """One load_world and what followed."""

    town: str
    load_seconds: float
    ticks: int
    lost: int  # frames
    ticks_per_second: float
    memory_mb: float  # the most that was resident


@dataclass(frozen=True)
class SoakReport:
    """All episodes, and the verdict."""

    episodes: tuple[Episode, ...]

    @property
    def lost(self) -> int:
        """Frames."""
        return sum(episode.lost for episode in self.episodes)

    @property
    def growth(self) -> float:
        """Peak memory of the second half over that of the first, less one. Both halves see every town when the loads
        go round at least twice.
        """
        half = len(self.episodes) // 2
        if half == 0:
            return 0.0
        peaks = [max(episode.memory_mb for episode in part) for part in (self.episodes[:half], self.episodes[half:])]
        return peaks[1] / peaks[0] - 1.0

    @property
    def passed(self) -> bool:
        """No frame lost, memory flat."""
        return self.lost == 0 and self.growth <= FLAT


def soak(settings: SoakSettings, console: Console | None = None) -> SoakReport:
    """Run it with a progress bar; print a table; write JSON.

    Raises:
        CarlaServerError: the server did not start.
        RuntimeError: it did not answer.
    """
    console = console or Console()
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    first = settings.towns[0]
    with (
        SimServer(town=first, towns=settings.directories, seed=settings.seed, options=VIEW_OPTIONS) as server,
        Progress(*columns, console=console, transient=True) as progress,
    ):
        task = progress.add_task("", total=settings.ticks)
        episodes = []
        for number in range(settings.loads):
            town = settings.towns[number % len(settings.towns)]
            progress.update(task, description=f"{number + 1}/{settings.loads} {town}")
            ticks = settings.ticks * (number + 1) // settings.loads - settings.ticks * number // settings.loads
            episodes.append(_episode(server, settings, town, ticks, lambda: progress.advance(task)))
    report = SoakReport(tuple(episodes))
    _print(console, report)
    if settings.out is not None:
        document = {"machine": machine(), "growth": report.growth, "lost": report.lost, "passed": report.passed}
        write_json(settings.out, document | {"episodes": [asdict(episode) for episode in report.episodes]})
    return report


def _episode(server: SimServer, settings: SoakSettings, town: str, ticks: int, advance: Callable[[], None]) -> Episode:
    watch, client = ServerWatch(server), connect(server.host, server.port)
    started = time.perf_counter()
    client.load_world(town)
    loaded = time.perf_counter()
    lost, memory = 0, 0.0
    with Load(client, server.traffic_manager_port, settings.cars, settings.size, settings.seed) as load:
        for number in range(ticks):
            try:
                load.tick()
            except LostFrameError:
                lost += 1
            if number % _MEGABYTE_EVERY == 0 or number == ticks - 1:
                memory = max(memory, watch.memory_mb())
            advance()
    seconds = time.perf_counter() - loaded
    return Episode(town, loaded - started, ticks, lost, ticks / seconds, memory)


def _print(console: Console, report: SoakReport) -> None:
    table = Table(box=SIMPLE_HEAD)
    for name in ("", "town", "load s", "ticks", "ticks/s", "lost", "memory MB"):
        table.add_column(name, justify="left" if name == "town" else "right")
    for number, episode in enumerate(report.episodes, 1):
        table.add_row(
            str(number),
            episode.town,
            f"{episode.load_seconds:.2f}",
            str(episode.ticks),
            f"{episode.ticks_per_second:.0f}",
            str(episode.lost),
            f"{episode.memory_mb:.0f}",
        )
    console.print(table)
    verdict = "passed" if report.passed else "FAILED"
    ticks = sum(episode.ticks for episode in report.episodes)
    console.print(
        f"{verdict}: {ticks} ticks, {len(report.episodes)} load_world, {report.lost} frames lost, "
        f"memory {100 * report.growth:+.1f} % (second half over first; at most {100 * FLAT:.0f} %)",
        highlight=False,
    )
