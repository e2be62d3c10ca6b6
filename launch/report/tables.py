"""Tables of a single drive, for the terminal and for ``table.txt``."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.console import Console
from rich.markup import escape
from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:
    from linkvla.launch.evaluation.records import RouteRecord

SPEED_NOTES = "min_speed_infractions"

TEXT_WIDTH = 110  # columns of table.txt


def drive_table(record: RouteRecord, facts: Sequence[tuple[str, str]] = ()) -> Table:
    """What came out of one drive.

    Args:
        record: from the route runner.
        facts: further lines for the top, such as who drove.
    """
    table = Table(title=escape(f"{record.route_id} in {record.town}"), show_header=False)
    table.add_column(style="bold")
    table.add_column()
    for name, value in facts:
        table.add_row(name, Text(value))
    table.add_row("status", Text(record.status))
    table.add_row("route completion", f"{record.score_route:.1f} % of {record.route_length:.0f} m")
    table.add_row("infraction penalty", f"{record.score_penalty:.3f}")
    table.add_row("driving score", f"{record.score_composed:.2f}")
    table.add_section()
    messages = [
        (kind, message)
        for kind, events in record.infractions.items()
        if kind != SPEED_NOTES  # a stretch-by-stretch comparison with the traffic, which costs no score
        for message in events
    ]
    if not messages:
        table.add_row("infractions", "none")
    for kind, message in messages:
        table.add_row(kind.replace("_", " "), Text(message))
    timing = record.timing
    table.add_section()
    table.add_row("time", f"{timing.simulated_seconds:.1f} s simulated, {timing.wall_seconds:.1f} s on the clock")
    table.add_row("closed loop", f"{timing.real_time_ratio:.2f}x real time, {timing.ticks} ticks")
    if timing.phases:
        table.add_row("ms per tick", ", ".join(f"{name} {value:.1f}" for name, value in timing.phases.items()))
    return table


def as_text(table: Table) -> str:
    """The table as plain text."""
    console = Console(file=io.StringIO(), width=TEXT_WIDTH, color_system=None)
    console.print(table)
    return console.file.getvalue()
