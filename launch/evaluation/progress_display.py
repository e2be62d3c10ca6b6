"""Live progress of an evaluation in the terminal; plain lines where there is none."""

from __future__ import annotations

from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, TaskID, TextColumn, TimeElapsedColumn
from rich.progress import Progress as Bars

from linkvla.launch.evaluation.records import RouteRecord
from linkvla.launch.evaluation.summary import events_text
from linkvla.launch.evaluation.worker_pool import Progress


class ProgressDisplay:
    """A bar over all routes and one per running route.

    Args:
        total: number of jobs.
        finished: jobs that are already done.
        console: where to draw; a new one on standard output if None.
    """

    def __init__(self, total: int, finished: int = 0, console: Console | None = None) -> None:
        self.console = console or Console()
        self._bars = Bars(
            TextColumn("{task.description}"),
            BarColumn(),
            TextColumn("{task.percentage:>3.0f} %"),
            TextColumn("{task.fields[note]}"),
            TimeElapsedColumn(),
            console=self.console,
            transient=True,
        )
        self._routes: dict[str, TaskID] = {}
        self._scores: list[float] = []
        self._all = self._bars.add_task(f"{finished}/{total} routes", total=total, completed=finished, note="")
        self._total, self._finished = total, finished

    def update(self, progress: Progress) -> None:
        """Show how far a route is."""
        note = f"{progress.speed:4.1f} m/s  {progress.real_time_ratio:.2f}x real time"
        if progress.infractions:
            note += f"  [red]{progress.infractions} infractions[/red]"
        if progress.route_id not in self._routes:
            name = f"{_short(progress.route_id)} {progress.town}"
            self._routes[progress.route_id] = self._bars.add_task(name, total=100.0, note=note)
        self._bars.update(self._routes[progress.route_id], completed=progress.percent, note=note)

    def finish(self, record: RouteRecord) -> None:
        """Replace the bar of a route by a line with its result."""
        task = self._routes.pop(record.route_id, None)
        if task is not None:
            self._bars.remove_task(task)
        self._finished += 1
        self._scores.append(record.score_composed)
        mean = sum(self._scores) / len(self._scores)
        self._bars.update(
            self._all,
            completed=self._finished,
            description=f"{self._finished}/{self._total} routes",
            note=f"mean score {mean:.1f}",
        )
        colour = "green" if record.success else ("yellow" if record.score_route >= 100.0 else "red")
        events = events_text(record)
        self.console.print(
            f"[{colour}]{_short(record.route_id):>8}[/{colour}] {record.town}  score {record.score_composed:6.2f}  "
            f"{record.score_route:5.1f} %  {record.status}{'  (' + events + ')' if events else ''}  "
            f"{record.timing.real_time_ratio:.2f}x",
            highlight=False,
        )

    def __enter__(self) -> ProgressDisplay:
        self._bars.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bars.stop()


def _short(route_id: str) -> str:
    return route_id.removeprefix("RouteScenario_").removesuffix("_rep0")
