"""Tables of results, for the terminal and for the model card."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from linkvla.launch.evaluation import scores
from linkvla.launch.evaluation.records import RouteRecord

if TYPE_CHECKING:
    from rich.table import Table

_SHORT = {
    "collisions_pedestrian": "pedestrian",
    "collisions_vehicle": "vehicle",
    "collisions_layout": "static",
    "red_light": "red light",
    "stop_infraction": "stop sign",
    "outside_route_lanes": "off lane",
    "yield_emergency_vehicle_infractions": "no yield",
    "scenario_timeouts": "scenario timeout",
    "route_dev": "deviated",
    "vehicle_blocked": "blocked",
    "route_timeout": "timeout",
}


@dataclass(frozen=True)
class EvaluationSummary:
    """The outcome of an evaluation. Means are over all ``total`` routes; one without a record counts as 0."""

    records: tuple[RouteRecord, ...]
    total: int
    interrupted: bool = False

    @property
    def driving_score(self) -> float:
        """Mean driving score, 0..100."""
        return scores.mean([record.score_composed for record in self.records], self.total)

    @property
    def route_completion(self) -> float:
        """Mean route completion, percent."""
        return scores.mean([record.score_route for record in self.records], self.total)

    @property
    def infraction_penalty(self) -> float:
        """Mean penalty factor, 0..1."""
        return scores.mean([record.score_penalty for record in self.records], self.total)

    @property
    def completed(self) -> float:
        """Part of the routes that were completed, percent."""
        return 100.0 * scores.mean([float(record.score_route >= 100.0) for record in self.records], self.total)

    @property
    def success_rate(self) -> float:
        """Bench2Drive's success rate, percent."""
        return 100.0 * scores.mean([float(record.success) for record in self.records], self.total)

    @property
    def gave_up(self) -> tuple[RouteRecord, ...]:
        """Routes that nobody could judge. They count as 0."""
        return tuple(record for record in self.records if record.gave_up)

    @property
    def judged_driving_score(self) -> float | None:
        """Mean driving score of the routes that were judged; None if there are none."""
        judged = [record.score_composed for record in self.records if not record.gave_up]
        return scores.mean(judged, len(judged)) if judged else None

    @property
    def milliseconds(self) -> dict[str, float]:
        """Mean wall time per tick of each phase, over all ticks, the longest first."""
        ticks = sum(record.timing.ticks for record in self.records if record.timing.phases)
        sums: dict[str, float] = {}
        for record in self.records:
            for phase, mean in record.timing.phases.items():
                sums[phase] = sums.get(phase, 0.0) + mean * record.timing.ticks
        return dict(sorted(((phase, total / ticks) for phase, total in sums.items()), key=lambda part: -part[1]))

    def notes(self) -> list[str]:
        """What the table does not say: the time of a tick, and the routes that were given up."""
        lines = []
        if self.milliseconds:
            parts = ", ".join(f"{phase} {time:.1f}" for phase, time in self.milliseconds.items())
            lines.append(f"Milliseconds per tick: {parts}.")
        if self.gave_up:
            score = self.judged_driving_score
            without = "none was judged" if score is None else f"without them {score:.2f}"
            lines.append(
                f"Given up and counted as 0: {len(self.gave_up)}; driving score {self.driving_score:.2f}, {without}."
            )
            lines += [f"  {record.route_id} {record.town}: {record.error}" for record in self.gave_up]
        return lines

    @property
    def real_time_ratio(self) -> float:
        """Simulated over wall seconds of all closed loops."""
        wall = sum(record.timing.wall_seconds for record in self.records)
        return sum(record.timing.simulated_seconds for record in self.records) / wall if wall else 0.0


def events_text(record: RouteRecord) -> str:
    """The penalised events of a route, such as "vehicle x2, red light"; "" for none."""
    counts = ((name, len(record.infractions[kind])) for kind, name in _SHORT.items())
    return ", ".join(name if count == 1 else f"{name} x{count}" for name, count in counts if count)


HEADINGS = ("route", "status", "done %", "penalty", "score", "infractions", "time s", "x real")
_NUMBERS = ("done %", "penalty", "score", "time s", "x real")


def rows(summary: EvaluationSummary) -> list[list[str]]:
    """Cells of the table under ``HEADINGS``: one row per route, then the means.

    ``score`` is the driving score, ``x real`` the speed of the closed loop as a multiple of real time.
    """
    clean = sum(record.success for record in summary.records)
    means = [
        f"all {summary.total}",
        f"{summary.completed:.0f} % completed",
        f"{summary.route_completion:.1f}",
        f"{summary.infraction_penalty:.3f}",
        f"{summary.driving_score:.2f}",
        f"none in {clean}",
        f"{sum(record.duration_game for record in summary.records):.0f}",
        f"{summary.real_time_ratio:.2f}",
    ]
    return [*map(_row, summary.records), means]


def _row(record: RouteRecord) -> list[str]:
    return [
        f"{record.route_id.removeprefix('RouteScenario_').removesuffix('_rep0')} {record.town}",
        record.status.removeprefix("Failed - "),
        f"{record.score_route:.1f}",
        f"{record.score_penalty:.3f}",
        f"{record.score_composed:.2f}",
        events_text(record),
        f"{record.duration_game:.0f}",
        f"{record.timing.real_time_ratio:.2f}",
    ]


def rich_table(summary: EvaluationSummary, title: str = "") -> Table:
    """The table for the terminal."""
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    table = Table(title=title or None, header_style="bold", box=SIMPLE_HEAD, pad_edge=False)
    for heading in HEADINGS:
        number = heading in _NUMBERS
        table.add_column(heading, justify="right" if number else "left", no_wrap=number or heading == "route")
    *routes, mean = rows(summary)
    for record, row in zip(summary.records, routes):
        table.add_row(*row, style=None if record.success else ("yellow" if record.score_route >= 100.0 else "red"))
    table.add_section()
    table.add_row(*mean, style="bold")
    return table


def markdown_table(summary: EvaluationSummary, command: str, notes: Sequence[str] = ()) -> str:
    """The table for a model card, with the command that made it."""
    lines = [f"`{command}`", "", *notes, *([""] if notes else []), _line(HEADINGS), _line("---" for _ in HEADINGS)]
    lines += [_line(row) for row in rows(summary)]
    return "\n".join(lines) + "\n"


def _line(cells: Iterable[str]) -> str:
    return "| " + " | ".join(cell.replace("|", "/") for cell in cells) + " |"
