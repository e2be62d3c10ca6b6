"""A recorded drive as columns of small whole numbers, for pages: thin, and quick to draw."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from linkvla.agent.recorder import DriveRecording
from linkvla.launch.report.tick_adapter import command_text
from linkvla.launch.report.tick_values import likely_cells, mapping, number, numbers, points
from linkvla.launch.report.word_count import WordCount

SAMPLES_PER_SECOND = 20  # every tick: pedals that change from tick to tick would look calm if some were left out
PLANS_PER_SECOND = 4
SPEED_SPAN = 0.5  # s: between the two speed waypoints that tell the speed that a plan asks for, at its start

SCALES = {"t": 100, "speed": 100, "wish": 100, "steer": 1000, "throttle": 100, "brake": 100, "x": 10, "y": 10,
          "yaw": 1000, "route": 10}  # fmt: skip
"""Columns and their units' fraction: 100 is hundredths. t in s, speeds in m/s, x and y in m, yaw in rad, route in %."""

PLAN_SCALE = 10  # plans are in tenths of a metre
PROBABILITY_SCALE = 1000
_PICTURE = re.compile(r"frames/(\d{6,9})\.jpg")
WORDS = ("instruction", "said", "caption")
_OUTLINE = ("t", "speed", "x", "y")


@dataclass
class DriveLog:
    """What a page shows of a drive."""

    columns: dict[str, list[int | None]] = field(default_factory=lambda: {name: [] for name in SCALES})
    plans: list[list[Any]] = field(default_factory=list)  # [hundredths of s, path, waypoints, cells], flat
    words: list[list[Any]] = field(default_factory=list)  # [hundredths of s, kind, text]: said from then on
    pictures: list[list[int]] = field(default_factory=list)  # [hundredths of s, tick]: frames/TICK.jpg
    stages: dict[str, list[float]] = field(default_factory=dict)  # ms of each stage: median, 95th percentile, most
    spoken: WordCount = field(default_factory=WordCount)
    ticks: int = 0

    @property
    def track(self) -> list[tuple[float, float]]:
        """m, world; places of ticks without a pose are left out, as in ``track_times``."""
        return [(x / SCALES["x"], y / SCALES["y"]) for x, y in zip(self.columns["x"], self.columns["y"]) if _both(x, y)]

    @property
    def track_times(self) -> list[float]:
        """s, of the places of ``track``."""
        columns = zip(self.columns["t"], self.columns["x"], self.columns["y"])
        return [t / SCALES["t"] for t, x, y in columns if _both(x, y)]

    def outline(self) -> DriveLog:
        """What a table and a map need of it; a tenth of the whole."""
        kept = {name: values if name in _OUTLINE else [] for name, values in self.columns.items()}
        return replace(self, columns=kept, plans=[], words=[])

    def document(self) -> dict[str, Any]:
        """Plain data for the page."""
        return {"scales": SCALES, "planScale": PLAN_SCALE, "columns": self.columns, "plans": self.plans,
                "words": self.words, "pictures": self.pictures, "stages": self.stages, "ticks": self.ticks}  # fmt: skip


def read_log(folder: Path) -> DriveLog:
    """Read a recorded drive.

    Raises:
        DataError: there is none, or it is damaged.
    """
    return make_log(DriveRecording.open(folder).ticks())


def make_log(ticks: Iterable[dict[str, Any]]) -> DriveLog:
    """The log of ticks as the recorder writes them; what a tick lacks is missing in the columns."""
    log, spent, last_words = DriveLog(), {}, {}
    next_sample = next_plan = -math.inf
    for tick in ticks:
        time = number(tick.get("time"))
        if time is None:
            continue
        log.ticks += 1
        log.spoken.add(tick)
        for stage, milliseconds in mapping(tick.get("ms")).items():
            if (value := number(milliseconds)) is not None:
                spent.setdefault(stage, []).append(value)
        _add_words(log, tick, time, last_words)
        if isinstance(tick.get("frame"), str) and (picture := _PICTURE.fullmatch(tick["frame"])):
            log.pictures.append([round(time * SCALES["t"]), int(picture[1])])
        if time >= next_sample:
            next_sample = time + 1.0 / SAMPLES_PER_SECOND - 1e-3
            _add_sample(log, tick, time)
        if time >= next_plan and (plan := _plan(tick)) is not None:
            next_plan = time + 1.0 / PLANS_PER_SECOND - 1e-3
            log.plans.append([round(time * SCALES["t"]), *plan])
    log.stages = {stage: _spread(values) for stage, values in spent.items()}
    return log


def _add_sample(log: DriveLog, tick: dict[str, Any], time: float) -> None:
    throttle, steer, brake = numbers(tick.get("control"), 3)
    x, y, yaw = numbers(tick.get("pose"), 3)
    values = {"t": time, "speed": number(tick.get("speed")), "wish": _wished_speed(tick.get("waypoints")),
              "steer": steer, "throttle": throttle, "brake": brake, "x": x, "y": y, "yaw": yaw,
              "route": number(tick.get("route"))}  # fmt: skip
    for name, value in values.items():
        log.columns[name].append(None if value is None else round(value * SCALES[name]))


def _add_words(log: DriveLog, tick: dict[str, Any], time: float, last: dict[str, str]) -> None:
    """Words are kept where they change; an instruction that is over leaves an empty text."""
    texts = {kind: tick.get(kind) for kind in WORDS}
    texts["command"] = command_text(tick.get("command")) or None
    texts["agreement"] = mapping(tick.get("agreement")).get("summary")
    if texts["instruction"] is None and last.get("instruction"):
        texts["instruction"] = ""
    for kind, text in texts.items():
        if isinstance(text, str) and text != last.get(kind):
            last[kind] = text
            log.words.append([round(time * SCALES["t"]), kind, text])


def _plan(tick: dict[str, Any]) -> list[list[int]] | None:
    """Path and waypoints as x, y, x, y ..., and the end points' likely cells as x, y, probability ...; ego."""
    path, waypoints = points(tick.get("path")), points(tick.get("waypoints"))
    if not path and not waypoints:
        return None
    flat = [[round(value * PLAN_SCALE) for point in line for value in point] for line in (path, waypoints)]
    scales = (PLAN_SCALE, PLAN_SCALE, PROBABILITY_SCALE)
    cells = likely_cells(tick.get("cells"))
    return [*flat, [round(value * scale) for cell in cells for value, scale in zip(cell, scales)]]


def _wished_speed(waypoints: Any) -> float | None:
    """m/s that a plan asks for half a second from now: from its second to its fourth speed waypoint."""
    ahead = points(waypoints)
    return math.dist(ahead[1], ahead[3]) / SPEED_SPAN if len(ahead) >= 4 else None


def _both(x: int | None, y: int | None) -> bool:
    return x is not None and y is not None


def _spread(values: list[float]) -> list[float]:
    ordered = sorted(values)
    last = len(ordered) - 1
    return [round(ordered[round(part * last)], 2) for part in (0.5, 0.95, 1.0)]
