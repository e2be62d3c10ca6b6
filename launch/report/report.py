"""``linkvla report``: tables in the terminal, a page to look at, recordings for the rerun viewer."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.markup import escape

from linkvla.agent.atomic_file import write_text
from linkvla.launch.evaluation.scoring.score_tables import score_tables
from linkvla.launch.report.page.render import PageSettings, render
from linkvla.launch.report.run_folder import DrivenRoute, Run, read_run
from linkvla.launch.report.run_tables import failure_table, time_table, word_table
from linkvla.model.interface.errors import ConfigurationError

PAGE = "report.html"


@dataclass(frozen=True)
class ReportSettings:
    """What to make of a run."""

    run: Path
    out: Path | None = None  # of the page; None: report.html in the run's folder
    page: bool = True
    film_megabytes: float = 0.0  # of films that go into the page; the others are named relative to it
    towns: tuple[Path, ...] = ()
    rerun: bool = False
    routes: tuple[str, ...] = ()  # ids for rerun; empty: all that were recorded

    def __post_init__(self) -> None:
        if self.film_megabytes < 0.0:
            raise ConfigurationError(f"megabytes of films must not be negative, got {self.film_megabytes}")
        if self.routes and not self.rerun:
            raise ConfigurationError("routes are chosen for recordings only; add --rerun, or leave out --route")
        if not self.page and (self.film_megabytes or self.out is not None):
            raise ConfigurationError("no page is written; leave out --embed-films and --out, or --no-page")

    @property
    def page_file(self) -> Path:
        """Where the page goes."""
        folder = self.run if self.run.is_dir() else self.run.parent
        return self.out or folder / PAGE


def report(settings: ReportSettings, console: Console | None = None) -> list[Path]:
    """Print the tables, and write what was asked for.

    Returns:
        The files that were made.

    Raises:
        ConfigurationError: no results there, or rerun is not installed.
        DataError: a damaged file.
    """
    console = console or Console()
    run = read_run(settings.run, settings.towns)
    _print(run, console)
    made = []
    if settings.page:
        file = settings.page_file
        page = PageSettings(file.absolute(), settings.towns, int(settings.film_megabytes * 1e6))
        with console.status("making the page"):
            _write(file, render(run, page))
        _name(console, "Page", file)
        made.append(file)
    if settings.rerun:
        from linkvla.launch.report.rerun_file import write_rerun

        for route in _recorded(run, settings.routes):
            made.append(write_rerun(route, run.path, settings.towns))
            _name(console, "Recording", made[-1])
    return made


def _name(console: Console, what: str, file: Path) -> None:
    shown = os.fsencode(file).decode("utf-8", "replace")
    console.print(f"{what}: [bold]{escape(shown)}[/bold]", highlight=False, soft_wrap=True)


def _recorded(run: Run, ids: tuple[str, ...]) -> list[DrivenRoute]:
    """The routes with a recording that are meant: ids as the records or as the route file have them; none: all."""
    there = {route.record.route_id: route for route in run.routes if route.log is not None}
    if not ids:
        return list(there.values())
    names = [name if name in there else f"RouteScenario_{name}_rep0" for name in ids]
    for wanted, name in zip(ids, names):
        if name not in there:
            known = ", ".join(sorted(there)) or "none"
            raise ConfigurationError(f"route {wanted!r} has no recording in {run.path}; recorded are: {known}")
    return [there[name] for name in names]


def _print(run: Run, console: Console) -> None:
    whole, abilities, scenarios, towns = score_tables(run.scores)
    console.print(whole.rich())
    if any(value is not None for value in run.scores.abilities.values()):
        console.print(abilities.rich())
    if set(run.scores.by_scenario()) != {"none"}:
        console.print(scenarios.rich())
    console.print(towns.rich())
    console.print(failure_table(run))
    for table in (time_table(run), word_table(run)):
        if table is not None:
            console.print(table)
    for note in run.notes[len(run.scores.notes) :]:  # those of the scores stand under their table
        console.print(f"[dim]{escape(note)}[/dim]", highlight=False)


def _write(file: Path, text: str) -> None:
    """The whole page or none."""
    try:
        write_text(file, text)
    except OSError as error:
        raise ConfigurationError(
            f"{file} cannot be written ({error.strerror or error}); name another place with --out"
        ) from error
