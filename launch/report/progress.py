"""Live progress of a drive on the terminal; a line now and then where the output is a file."""

from __future__ import annotations

from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn

from linkvla.launch.report.view import DriveView

LINE_EVERY = 10.0  # simulated seconds, where no terminal is attached


class DriveProgress:
    """Shows route percent, simulated time, speed, the ratio to real time and the command in force."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._next_line = 0.0
        self._progress = Progress(
            TextColumn("[bold]route"),
            BarColumn(bar_width=30),
            TextColumn("{task.percentage:>3.0f} %"),
            TextColumn("{task.fields[clock]}"),
            TextColumn("[cyan]{task.fields[speed]}"),
            TextColumn("{task.fields[ratio]}"),
            TextColumn("[dim]{task.fields[command]}"),
            console=console,
            refresh_per_second=4,
            transient=True,
            disable=not console.is_terminal,
        )
        self._task = self._progress.add_task("route", total=100.0, clock="", speed="", ratio="", command="")

    def update(self, view: DriveView) -> None:
        """Show this instant."""
        facts = {
            "clock": f"{view.simulated_seconds:.0f} s simulated",
            "speed": f"{view.speed * 3.6:.0f} km/h",
            "ratio": f"{view.real_time_ratio:.2f}x real time",
            "command": view.command,
        }
        if self._console.is_terminal:
            self._progress.update(self._task, completed=view.route_percent, **facts)
        elif view.simulated_seconds >= self._next_line:
            self._next_line += LINE_EVERY
            self._console.print(f"  {view.route_percent:3.0f} % of the route, " + ", ".join(facts.values()))

    def __enter__(self) -> DriveProgress:
        self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._progress.stop()
