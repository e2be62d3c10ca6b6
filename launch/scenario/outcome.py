"""What came out of a scenario: scenario_runner's own verdict, and what we add to it."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

from rich.markup import escape
from rich.table import Table

from linkvla.launch.scenario.names import FAREWELL
from linkvla.model.interface.errors import DataError

PASSED, FAILED, ENDED, ERROR, TIME_LIMIT, INTERRUPTED = (
    "passed", "failed", "ended without criteria", "error", "time limit", "interrupted",
)  # fmt: skip

MAX_REPORT_BYTES = 4 * 1024 * 1024

_NO_CRITERIA = "this scenario has no criteria"
_MOST_ROWS = 60


@dataclass(frozen=True)
class Criterion:
    """One of scenario_runner's criteria."""

    name: str
    actual: Any
    expected: Any
    passed: bool
    optional: bool


@dataclass(frozen=True)
class Drive:
    """What the ego did, from the agent's recording."""

    seconds: float  # simulated
    metres: float
    top_speed: float  # m/s
    standing: float  # s below 0.1 m/s
    instructions: tuple[tuple[float, str], ...]  # s, words: when each came into force


@dataclass(frozen=True)
class Outcome:
    """The result of one scenario."""

    status: str  # one of the above
    criteria: tuple[Criterion, ...] = ()
    report: dict | None = None  # scenario_runner's own, as it wrote it
    drive: Drive | None = None
    error: str | None = None  # the last words, where there is no verdict


def read_outcome(folder: Path, log: Path, ended: str | None, drive: Drive | None = None) -> Outcome:
    """From what scenario_runner left.

    Args:
        folder: where it writes its reports.
        log: what it printed.
        ended: TIME_LIMIT or INTERRUPTED where it was not left to end by itself.
        drive: what the agent wrote down.
    """
    said = log.read_text(encoding="utf-8", errors="replace") if log.is_file() else ""
    report = _report(folder)
    if report is None:
        status = ended or (ENDED if _NO_CRITERIA in said else ERROR)
        return Outcome(status, drive=drive, error=_last_words(said) if status == ERROR else None)
    rows = report.get("criteria") if isinstance(report.get("criteria"), list) else []
    criteria = tuple(
        Criterion(
            str(row.get("name", "")), row.get("actual"), row.get("expected"),
            bool(row.get("success")), bool(row.get("optional")),
        )
        for row in rows[:_MOST_ROWS]
        if isinstance(row, dict)
    )  # fmt: skip
    return Outcome(ended or (PASSED if report.get("success") else FAILED), criteria, report, drive)


def read_drive(folder: Path) -> Drive | None:
    """What the agent wrote down; None where it wrote nothing (the expert does not).

    A scenario that gives another route under way starts another drive there, in a folder with a number.
    """
    found = _read_one(folder)
    number = 2
    while found is not None and (more := _read_one(folder / str(number))) is not None:
        found = Drive(
            found.seconds + more.seconds,
            found.metres + more.metres,
            max(found.top_speed, more.top_speed),
            found.standing + more.standing,
            found.instructions + tuple((round(found.seconds + when, 2), words) for when, words in more.instructions),
        )
        number += 1
    return found


def _read_one(folder: Path) -> Drive | None:
    from linkvla.agent.recorder import DriveRecording

    try:
        rows = [row for row in DriveRecording.open(folder).ticks() if isinstance(row.get("time"), (int, float))]
    except DataError:
        return None
    if not rows:
        return None
    speeds = [float(row.get("speed") or 0.0) for row in rows]
    steps = [after["time"] - before["time"] for before, after in pairwise(rows)]
    words, told = [], None
    for row in rows:
        if row.get("instruction") not in (told, None):
            words.append((round(float(row["time"]), 2), str(row["instruction"])))
        told = row.get("instruction")
    standing = sum(step for step, speed in zip(steps, speeds) if speed < 0.1)
    metres = sum(step * speed for step, speed in zip(steps, speeds))
    return Drive(rows[-1]["time"] - rows[0]["time"], metres, max(speeds), standing, tuple(words))


def outcome_table(title: str, outcome: Outcome, facts: Sequence[tuple[str, str]]) -> Table:
    """For the terminal and for ``table.txt``."""
    table = Table(title=escape(title), show_header=False)
    table.add_column(style="bold")
    table.add_column()
    for name, value in (*facts, ("status", outcome.status)):
        table.add_row(name, escape(value))
    if outcome.error:
        table.add_row("last words", escape(outcome.error))
    if outcome.criteria:
        table.add_section()
    for one in outcome.criteria:
        verdict = "ok" if one.passed else ("not met (optional)" if one.optional else "NOT MET")
        found = f"{verdict}: {_short(one.actual)}, wanted {_short(one.expected)}"
        table.add_row(escape(one.name), escape(found))
    if outcome.drive is not None:
        drive = outcome.drive
        table.add_section()
        table.add_row("driven", f"{drive.metres:.0f} m in {drive.seconds:.1f} s, {drive.standing:.1f} s of it standing")
        table.add_row("top speed", f"{3.6 * drive.top_speed:.0f} km/h")
        for seconds, words in drive.instructions:
            table.add_row(f"told at {seconds:.1f} s", escape(words))
    return table


def _report(folder: Path) -> dict | None:
    """scenario_runner's report; its name ends in the time of day."""
    for file in sorted(folder.glob("*.json"), key=lambda one: one.stat().st_mtime, reverse=True):
        if file.stat().st_size <= MAX_REPORT_BYTES:
            try:
                found = json.loads(file.read_text(encoding="utf-8"))
            except ValueError:  # cut off by a full disk or a kill
                continue
            if isinstance(found, dict) and "criteria" in found:
                return found
    return None


def _last_words(said: str) -> str:
    """What explains the failure: the last line that names an exception, else the last line."""
    lines = [line.strip() for line in said.splitlines() if line.strip() and FAREWELL not in line]
    telling = [line for line in lines if "Error" in line.split(":")[0] or "Exception" in line.split(":")[0]]
    return (telling or lines or ["scenario_runner said nothing"])[-1][:500]


def _short(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.2f}" if math.isfinite(value) else str(value)
    return str(value)
