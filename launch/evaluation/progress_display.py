"""Live table of an evaluation in the terminal; plain lines where there is none."""

from __future__ import annotations

from types import TracebackType

from rich.box import SIMPLE_HEAD
from rich.console import Console, Group
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from linkvla.launch.evaluation.evaluators.contract import Standing
from linkvla.launch.evaluation.records import RouteRecord
from linkvla.launch.evaluation.summary import events_text
from linkvla.launch.evaluation.supervisor.board import Board, Running
from linkvla.launch.evaluation.supervisor.work_queue import Failed, Finished, Moved

_COLUMNS = ("route", "town", "", "done", "game s", "m/s", "x real", "ms per tick", "events")


class ProgressDisplay:
    """Draws a board: one row per running route, and a line with what is done and what is left.

    Args:
        board: what is shown.
        console: where to draw; a new one on standard output if None.
    """

    def __init__(self, board: Board, console: Console | None = None) -> None:
        self.console = console or Console()
        self._board = board
        self._live = Live(get_renderable=self._draw, console=self.console, refresh_per_second=2, transient=True)

    def show(self, news: Moved | Failed | Finished) -> None:
        """Print what deserves a line of its own. The table draws itself."""
        if isinstance(news, Finished):
            self._print_record(news.record)
        elif isinstance(news, Failed):
            pause = f"again in {news.pause:.0f} s" if news.pause else "again"
            self._print_words(f"{_short(news.route_id):>8} {news.report.outcome.failure}; {pause}", "yellow")

    def _print_record(self, record: RouteRecord) -> None:
        colour = "green" if record.success else ("yellow" if record.score_route >= 100.0 else "red")
        events = events_text(record)
        self.console.print(
            f"[{colour}]{_short(record.route_id):>8}[/{colour}] {record.town}  score {record.score_composed:6.2f}  "
            f"{record.score_route:5.1f} %  {record.status}{'  (' + events + ')' if events else ''}  "
            f"{record.timing.real_time_ratio:.2f}x",
            highlight=False,
        )
        if record.error:
            self._print_words(f"         {record.error.strip().splitlines()[-1]}", "red")

    def _print_words(self, words: str, style: str) -> None:
        self.console.print(words, style=style, markup=False, highlight=False)

    def _draw(self) -> Group:
        table = Table(box=SIMPLE_HEAD, pad_edge=False, header_style="bold")
        for name in _COLUMNS:
            table.add_column(name, no_wrap=True)
        for entry in self._board.running.values():
            table.add_row(*_row(entry))
        return Group(table, Text(self._totals(), style="bold"))

    def _totals(self) -> str:
        board = self._board
        words = [f"{len(board.records)}/{board.total} routes"]
        if board.driving_score is not None:
            words.append(f"driving score {board.driving_score:.1f}")
        if board.gave_up:
            words.append(f"{len(board.gave_up)} given up")
        left = board.seconds_left
        words.append("time left unknown" if left is None else f"about {duration(left)} left")
        return ", ".join(words)

    def __enter__(self) -> ProgressDisplay:
        self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._live.stop()


def _row(entry: Running) -> tuple[str | ProgressBar, ...]:
    standing = entry.standing
    state = f"attempt {entry.attempt}" if entry.attempt > 1 else ""
    if not standing.driving:
        state = f"{state} starting".strip()
    bar = "" if standing.percent is None else ProgressBar(100.0, standing.percent, width=12)
    return (
        _short(entry.route_id),
        entry.town,
        state,
        bar,
        _number(standing.simulated_seconds, ".0f"),
        _number(standing.speed, ".1f"),
        _number(standing.real_time_ratio, ".2f"),
        phases_text(standing),
        _number(standing.infractions or None, "d"),
    )


def phases_text(standing: Standing) -> str:
    """How a tick's time is spent, the largest parts first: "tick 31, agent 22, sensors 9"."""
    largest = sorted(standing.phases.items(), key=lambda part: -part[1])[:4]
    return ", ".join(f"{name} {milliseconds:.0f}" for name, milliseconds in largest)


def duration(seconds: float) -> str:
    """For people: "45 s", "12 min", "3 h 20 min"."""
    if seconds < 90.0:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60.0)
    return f"{minutes} min" if minutes < 90 else f"{minutes // 60} h {minutes % 60} min"


def _number(value: float | None, form: str) -> str:
    return "" if value is None else format(value, form)


def _short(route_id: str) -> str:
    return route_id.removeprefix("RouteScenario_").removesuffix("_rep0")
