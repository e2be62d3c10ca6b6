"""A route as the page shows it: its row in the table, and what its own view needs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from linkvla.launch.evaluation.records import OUT_OF_TICKS, SIMULATION_CRASHED, RouteRecord
from linkvla.launch.evaluation.scoring.passes import split_id
from linkvla.launch.report.drive_log import SCALES, DriveLog
from linkvla.launch.report.infraction_places import KINDS, NOTES, PlacedInfraction
from linkvla.launch.report.run_folder import DrivenRoute

GOOD, WARN, BAD, LOST = "good", "warn", "bad", "lost"
STATES = {BAD: "not completed", LOST: "no result", WARN: "with infractions", GOOD: "clean"}
"""In the order of the table: failures first."""

SPARK_WIDTH, SPARK_HEIGHT, SPARK_POINTS = 140.0, 26.0, 70
SPARK_SPEED = 12.0  # m/s at the top of every spark line, so that they compare; more where a drive was faster


@dataclass
class RouteRow:
    """A route, ready for the templates. ``detail`` is what the page's script reads."""

    key: str  # the record's id: by it the parts of the page find each other
    name: str
    town: str
    scenario: str
    state: str
    status: str
    score: float
    done: float
    seconds: float
    ratio: float
    kinds: tuple[str, ...]
    events: list[dict[str, Any]]
    sort: dict[str, float | str]
    detail: dict[str, Any]
    spark: dict[str, Any] | None = None
    log: str = ""  # packed, base64
    film_data: str = ""  # base64
    placed: list[PlacedInfraction] = field(default_factory=list)
    track: list[tuple[float, float]] = field(default_factory=list)  # m, world


def state_of(record: RouteRecord) -> str:
    """How a route ended, in one of four words."""
    if SIMULATION_CRASHED in record.status:
        return LOST
    if record.success:
        return GOOD
    return WARN if record.status in ("Completed", "Perfect") else BAD


def route_row(route: DrivenRoute, placed: list[PlacedInfraction], log: DriveLog | None) -> RouteRow:
    """The row of a route.

    Args:
        route: what was read.
        placed: its events.
        log: of its drive, or None.
    """
    record = route.record
    state = state_of(record)
    base, repetition = split_id(record.route_id)
    name = f"{base} · {repetition}" if repetition else base
    failure = "out of time" if OUT_OF_TICKS in record.status else record.status.removeprefix("Failed - ")
    status = "completed" if record.score_route >= 100.0 else failure.lower()
    counts = Counter(event.kind for event in placed)
    events = [{"kind": kind, "label": _plain(kind), "count": counts[kind]} for kind in KINDS if counts[kind]]
    return RouteRow(
        key=record.route_id,
        name=name,
        town=record.town,
        scenario=record.scenario_name,
        state=state,
        status=status,
        score=record.score_composed,
        done=record.score_route,
        seconds=record.duration_game,
        ratio=record.timing.real_time_ratio,
        kinds=tuple(kind for kind in KINDS if counts[kind]),
        events=events,
        sort={
            "failures": list(STATES).index(state) * 1000.0 + min(record.score_composed, 999.0),
            "name": name,
            "town": record.town,
            "score": record.score_composed,
            "done": record.score_route,
            "events": len(placed),
            "seconds": record.duration_game,
            "ratio": round(record.timing.real_time_ratio, 4),
        },
        detail=_detail(route, name, state, status, placed),
        spark=None if log is None else _spark(log, placed),
        placed=placed,
        track=[] if log is None else log.track,
    )


def _plain(kind: str) -> str:
    return KINDS.get(kind, kind.replace("_", " "))


def _detail(
    route: DrivenRoute, name: str, state: str, status: str, placed: Sequence[PlacedInfraction]
) -> dict[str, Any]:
    record = route.record
    facts = [
        ["score", f"{record.score_composed:.2f}"],
        ["completion", f"{record.score_route:.1f} % of {record.route_length:.0f} m"],
        ["penalty", f"{record.score_penalty:.3f}"],
        ["time", f"{record.duration_game:.1f} s"],
    ]
    if record.scenario_name:
        facts.append(["scenario", record.scenario_name])
    if record.weather_id is not None:
        facts.append(["weather", str(record.weather_id)])
    if record.timing.real_time_ratio:
        facts.append(["speed of the loop", f"{record.timing.real_time_ratio:.2f}× real time"])
    if route.attempts > 1:
        facts.append(["attempts", str(route.attempts)])
    notes = sum(len(record.infractions.get(kind, ())) for kind in NOTES)
    if notes:
        facts.append(["speed checks", str(notes)])
    events = [
        {"kind": event.kind, "label": _plain(event.kind), "message": event.message, "seconds": event.seconds}
        for event in sorted(placed, key=lambda event: event.seconds if event.seconds is not None else -1.0)
    ]
    why = "This drive was not recorded: there is a result, but nothing to play."
    return {"key": record.route_id, "name": name, "town": record.town, "state": state,
            "status": status, "facts": facts, "events": events, "error": record.error, "why": why,
            "film": None, "pictures": None}  # fmt: skip


def _spark(log: DriveLog, placed: Sequence[PlacedInfraction]) -> dict[str, Any] | None:
    times, speeds = log.columns["t"], log.columns["speed"]
    if len(times) < 2:
        return None
    begin, span = times[0], max(times[-1] - times[0], 1)
    top = max(SPARK_SPEED, max((speed or 0) for speed in speeds) / SCALES["speed"])

    def x(hundredths: float) -> float:
        return round((hundredths - begin) / span * SPARK_WIDTH, 1)

    step = max(1, len(times) // SPARK_POINTS)
    heights = [SPARK_HEIGHT - 1 - (speed or 0) / SCALES["speed"] / top * (SPARK_HEIGHT - 2) for speed in speeds]
    points = [f"{x(time)} {height:.1f}" for time, height in list(zip(times, heights))[::step]]
    marks = [x(event.seconds * SCALES["t"]) for event in placed if event.seconds is not None]
    return {"line": "M" + "L".join(points), "events": marks}
