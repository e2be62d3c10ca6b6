"""What ``linkvla data check`` prints."""

from __future__ import annotations

from collections.abc import Mapping

from rich.table import Table

from linkvla.model.data.check import DataReport

_SHOWN = 20  # broken files named on screen; JSON names all


def data_table(report: DataReport) -> Table:
    """The findings as one table."""
    table = Table(title=f"{report.folder} ({report.layout})", show_header=False)
    table.add_column(style="bold")
    table.add_column(justify="right")
    table.add_column(overflow="fold")
    table.add_row("frames", f"{report.frames:,}", f"{report.read:,} of them opened")
    _section(table, "task", report.tasks, "of the frames opened")
    _section(table, "town", report.towns, "")
    _section(table, "tag", report.tags, "of the frames opened" if report.layout == "simlingo" else "")
    _section(table, "dreams", report.dreams, "")
    _section(table, "bucket", report.buckets, "")
    _section(table, "missing", report.missing, "")
    table.add_section()
    for name, values in sorted(report.ranges.items()):
        table.add_row(name, f"{values.low:.2f}", f"to {values.high:.2f}")
    table.add_section()
    for name, counts in report.grid.items():
        off = f"{counts.clamped:,} clamped, {counts.censored:,} at the border, {counts.masked:,} without loss"
        table.add_row(f"{name} on the grid", f"{counts.points:,}", off)
    table.add_section()
    for path, reason in report.broken[:_SHOWN]:
        table.add_row("[red]broken[/red]", path, reason)
    if len(report.broken) > _SHOWN:
        table.add_row("[red]broken[/red]", f"{len(report.broken) - _SHOWN:,}", "more; see --json")
    table.add_row("[green]sound[/green]" if report.sound else "[red]not fit to learn from[/red]", "", "")
    return table


def _section(table: Table, title: str, counts: Mapping[str, int], note: str) -> None:
    rows = [(name, count) for name, count in counts.items() if count]
    if rows:
        table.add_section()
    for name, count in rows:
        table.add_row(f"{title}: {name}", f"{count:,}", note)
