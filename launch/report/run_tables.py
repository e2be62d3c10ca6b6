"""``linkvla report`` in the terminal: the failures first, with what to watch, and where the time goes."""

from __future__ import annotations

from rich.box import SIMPLE_HEAD
from rich.table import Table
from rich.text import Text

from linkvla.agent.recorder import DriveRecording
from linkvla.launch.report.infraction_places import placed_infractions
from linkvla.launch.report.page import summary
from linkvla.launch.report.page.routes import BAD, GOOD, LOST, WARN, route_row
from linkvla.launch.report.run_folder import Run
from linkvla.launch.report.word_count import WordCount
from linkvla.model.interface.errors import DataError

STYLES = {BAD: "red", LOST: "magenta", WARN: "yellow", GOOD: "green"}


def failure_table(run: Run) -> Table:
    """The routes that were not clean, the worst first."""
    rows = [route_row(route, placed_infractions(route.record), None) for route in run.routes]
    films = {route.record.route_id: route.film for route in run.routes}
    bad = sorted((row for row in rows if row.state != GOOD), key=lambda row: (row.sort["failures"], row.key))
    title = f"{len(bad)} of {len(rows)} routes to look at"
    table = Table(title=title, box=SIMPLE_HEAD, pad_edge=False, title_justify="left")
    for heading in ("route", "town", "status"):
        table.add_column(heading, no_wrap=True)
    for heading in ("score", "done %"):
        table.add_column(heading, justify="right", no_wrap=True)
    table.add_column("infractions")
    table.add_column("film")
    for row in bad:
        events = ", ".join(f"{event['label']} x{event['count']}" for event in row.events)
        name = f"{row.name} {row.scenario}".rstrip()
        film = "yes" if films[row.key] else ""
        cells = (name, row.town, row.status, f"{row.score:.1f}", f"{row.done:.1f}", events, film)
        table.add_row(*map(Text, cells), style=STYLES[row.state])
    return table


def time_table(run: Run) -> Table | None:
    """Milliseconds of a tick by its parts; None where the results do not say."""
    parts = summary.phases(run)["parts"]
    if not parts:
        return None
    table = Table(title="Where a tick's time goes", box=SIMPLE_HEAD, pad_edge=False, title_justify="left")
    table.add_column("part")
    for heading in ("ms", "%"):
        table.add_column(heading, justify="right")
    for part in parts:
        table.add_row(part["name"], f"{part['ms']:.1f}", f"{part['percent']:.0f}")
    return table


def word_table(run: Run) -> Table | None:
    """What words cost, over all recorded drives that can be read; None where nothing was said."""
    count = WordCount()
    for route in run.routes:
        if route.log is None:
            continue
        try:
            for tick in DriveRecording.open(route.log).ticks():
                count.add(tick)
        except (DataError, OSError):  # the page says so, beside the route
            continue
    if not (rows := count.rows()):
        return None
    table = Table(title="What words cost", box=SIMPLE_HEAD, pad_edge=False, title_justify="left", show_header=False)
    table.add_column()
    table.add_column(justify="right")
    for row in rows:
        table.add_row(*row)
    return table
