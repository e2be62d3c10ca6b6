"""The page's figures: the run as a whole, beside published results, by kind of event, town, scenario and stage."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from linkvla.launch.evaluation.scoring.abilities import ABILITIES
from linkvla.launch.evaluation.scoring.benchmark_scores import ABILITY_MEAN, GroupScores, Statistic
from linkvla.launch.evaluation.scoring.published import RESULTS
from linkvla.launch.report.infraction_places import KINDS
from linkvla.launch.report.page.routes import RouteRow
from linkvla.launch.report.run_folder import Run

_MEASURES = (
    ("driving_score", "driving score", "", 1),
    ("success_rate", "success rate", "%", 1),
    ("route_completion", "route completion", "%", 1),
    ("infraction_penalty", "infraction penalty", "", 3),
    ("efficiency", "efficiency", "%", 1),
    ("comfortness", "comfortness", "%", 1),
    ("steering_change", "steering per decision", "%", 2),
)


_OF_WHAT_WAS_DRIVEN = ("efficiency", "comfortness", "steering_change")  # the others: over all routes asked for

FOREMOST = ("LEAD", "LinkVLA", "SimLingo", "ORION", "UniAD-Base", "TCP (")
"""Systems that are shown at once; the rest on request."""


def figures(run: Run) -> list[dict[str, str]]:
    """The large numbers at the top."""
    unfinished = "" if len(run.routes) >= run.total else "of the routes so far"
    counted = "routes to go count 0" if any(one.drive.missing for one in run.scores.passes) else unfinished
    shown = []
    for name, label, unit, digits in _MEASURES:
        value = run.scores.measures[name]
        if value is not None:
            passes = "" if value.spread is None else f"± {value.spread:.{digits}f} over {len(run.scores.passes)} passes"
            hint = passes or (unfinished if name in _OF_WHAT_WAS_DRIVEN else counted)
            shown.append({"label": label, "value": f"{value.mean:.{digits}f}", "unit": unit, "hint": hint})
    finished = {"label": "routes", "value": str(len(run.routes)), "unit": f"of {run.total}",
                "hint": "all finished" if not unfinished else f"{run.total - len(run.routes)} to go"}  # fmt: skip
    shown.append(finished)
    timings = [route.record.timing for route in run.routes]
    wall = sum(timing.wall_seconds for timing in timings)
    if wall:
        ratio = sum(timing.simulated_seconds for timing in timings) / wall
        shown.append({"label": "speed of the loop", "value": f"{ratio:.2f}", "unit": "×", "hint": "of real time"})
    return shown


def beside(run: Run) -> dict[str, Any]:
    """This run among published results, best first."""
    own = {name: _mean(run.scores.measures[name]) for name in ("driving_score", "success_rate")}
    rows = [
        {"name": f"{row.system} ({row.benchmark})", "source": row.source, "ours": False,
         "driving_score": row.driving_score, "success_rate": row.success_rate}
        for row in RESULTS
    ]  # fmt: skip
    rows.append({"name": f"this run, {run.title}", "source": str(run.path), "ours": True, **own})
    note = (
        "Published for Bench2Drive's 220 routes in CARLA; its version is in brackets, the source under the pointer. "
        "Numbers compare only with a run of the same routes of the same version."
    )
    best = sorted(rows, key=lambda row: -(row["driving_score"] or 0.0))
    shown = [row for row in best if row["ours"] or row["name"].startswith(FOREMOST)]
    return {"rows": shown, "others": [row for row in best if row not in shown], "note": note}


def kinds(rows: Sequence[RouteRow]) -> list[dict[str, Any]]:
    """Events by kind, most first."""
    counts = Counter(event.kind for row in rows for event in row.placed)
    most = max(counts.values(), default=1)
    return [
        {"key": kind, "label": KINDS.get(kind, kind), "count": count, "percent": round(100.0 * count / most, 1),
         "routes": sum(kind in row.kinds for row in rows)}
        for kind, count in counts.most_common()
    ]  # fmt: skip


def abilities(run: Run) -> list[dict[str, Any]]:
    """Bench2Drive's abilities, where the routes have scenarios that tell them."""
    found = run.scores.abilities
    names = [*ABILITIES, ABILITY_MEAN]
    return [
        {"label": name.replace("_", " ").capitalize(), "value": f"{found[name].mean:.1f}", "hint": "%",
         "percent": round(found[name].mean, 1)}
        for name in names
        if found.get(name) is not None
    ]  # fmt: skip


def groups(table: Mapping[str, GroupScores]) -> list[dict[str, Any]]:
    """Rows of a table by town or by scenario, the worst first."""
    order = sorted(table, key=lambda name: (_mean(table[name].measures["driving_score"]) or 0.0, name))
    measures = ("driving_score", "success_rate", "route_completion")
    return [
        {"name": name, "cells": [str(table[name].routes), *(_text(table[name].measures[each]) for each in measures)]}
        for name in order
    ]


def phases(run: Run) -> dict[str, Any]:
    """Mean milliseconds per tick, over all ticks of the run, and what is left of the wall clock."""
    timings = [route.record.timing for route in run.routes if route.record.timing.ticks]
    ticks = sum(timing.ticks for timing in timings)
    spent: Counter[str] = Counter()
    for timing in timings:
        spent.update({name: mean * timing.ticks for name, mean in timing.phases.items()})
    whole = sum(spent.values())
    if not ticks or not whole:
        return {"parts": [], "note": ""}
    parts = [{"name": name, "ms": total / ticks, "percent": round(100.0 * total / whole, 2)}
             for name, total in spent.most_common()]  # fmt: skip
    note = f"Means over {ticks:,} ticks of {len(timings)} routes; {whole / ticks:.1f} ms in all."
    return {"parts": parts, "note": note}


def stages(per_route: Sequence[Mapping[str, Sequence[float]]]) -> list[dict[str, Any]]:
    """The agent's own stages: the middle of the routes' medians and 95th percentiles, and the most of all."""
    names = list(dict.fromkeys(name for spent in per_route for name in spent))
    table = []
    for name in names:
        found = [spent[name] for spent in per_route if name in spent]
        middle = [sorted(values[k] for values in found)[len(found) // 2] for k in (0, 1)]
        table.append({"name": name, "cells": [*middle, max(values[2] for values in found)]})
    return table


def header_lines(header: Mapping[str, object], prefix: str = "") -> list[tuple[str, str]]:
    """What results depend on, as lines; nested parts with dotted names."""
    lines = []
    for name, value in header.items():
        if isinstance(value, Mapping):
            lines += header_lines(value, f"{prefix}{name}.")
        elif value not in (None, "", [], {}):
            lines.append((f"{prefix}{name}", ", ".join(map(str, value)) if isinstance(value, list) else str(value)))
    return lines


def _mean(value: Statistic | None) -> float | None:
    return None if value is None else value.mean


def _text(value: Statistic | None) -> str:
    return "–" if value is None else f"{value.mean:.1f}"
