"""A small evaluation with recorded drives, as `linkvla evaluate` leaves it."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from linkvla.agent.recorder import Recorder, TickRecord
from linkvla.launch.evaluation.records import RouteRecord, Timing
from linkvla.launch.evaluation.scores import INFRACTION_KINDS
from linkvla.launch.json_file import write_json
from linkvla.launch.report.video import VideoWriter
from linkvla.model.interface.types import Command, Plan

SECONDS = 12.0
START = (204.0, -190.0)  # in Nutmeg
PATH = np.stack([np.arange(20.0), np.zeros(20)], axis=1)
WORDS = {
    40: {"tokens": 18, "drafted": 0, "accepted": 0, "passes": 18},
    80: {"tokens": 18, "drafted": 20, "accepted": 18, "passes": 1},
}  # at ticks
WAYPOINTS = np.stack([np.arange(1, 11) * 1.5, np.zeros(10)], axis=1)


def route_record(name: str, **changes: object) -> RouteRecord:
    values = {
        "route_id": f"RouteScenario_{name}_rep0",
        "town": "Nutmeg",
        "status": "Perfect",
        "infractions": {kind: [] for kind in INFRACTION_KINDS},
        "score_route": 100.0,
        "score_penalty": 1.0,
        "score_composed": 100.0,
        "route_length": 60.0,
        "duration_game": SECONDS,
        "duration_system": 20.0,
        "timing": Timing(240, SECONDS, 10.0, {"tick": 10.0, "agent": 30.0}),
    }
    return RouteRecord(**{**values, **changes})


def write_record(run: Path, record: RouteRecord) -> None:
    document = {
        "header": {"linkvla": "0.1.0", "checkpoint": "linkvla-nano", "seed": 0},
        "record": record.to_leaderboard(),
        "timing": vars(record.timing),
        "error": record.error,
    }
    write_json(run / "routes" / f"{record.route_id}.json", document)


def record_ticks(folder: Path, said: str = "Following the road.", picture_every: int = 0) -> None:
    """Twelve seconds at 5 m/s along x; pictures that grow lighter."""
    cells = {"end_point_cells": [[[19.0, 0.0, 0.7]], [[15.0, 0.5, 0.6], [14.0, 0.0, 0.2]]]}
    recorder = Recorder(folder, {"agent": "linkvla", "settings": {}, "camera": None}, picture_every)
    for k in range(int(SECONDS * 20)):
        recorder.record(
            TickRecord(
                tick=k,
                time=k * 0.05,
                pose=(START[0] + k * 0.25, START[1], 0.0),
                speed=5.0 + math.sin(k / 20),
                control=(0.5, 0.1 * math.sin(k / 9), 0.0),
                source="model",
                route=k / 2.4,
                command=Command.LANE_FOLLOW,
                instruction="Slow down." if 60 <= k < 120 else None,
                plan=Plan(PATH, WAYPOINTS, said if k == 40 else "", cells | WORDS.get(k, {})),
                image=np.full((32, 64, 3), k, np.uint8),
                milliseconds={"see": 5.0, "total": 20.0 + k % 10},
            )
        )
    recorder.close()


def write_film(file: Path) -> None:
    """Ten pictures a second, each of another grey."""
    with VideoWriter(file, lambda view: np.full((64, 96, 3), view % 200, np.uint8)) as film:
        for k in range(int(SECONDS * 10)):
            film.add(k)


@pytest.fixture
def recorded_run(tmp_path: Path) -> Callable[..., Path]:
    """Makes the folder: a clean route, one with a collision at 6 s that has ticks and a film, one that failed,
    with a picture a second."""

    def make(said: str = "Following the road.", films: bool = True) -> Path:
        run = tmp_path / "run"
        collision = (
            f"Agent collided against object with type=vehicle.a and id=7 at (x={START[0] + 30}, y=-190.4, z=6.0)"
        )
        events = {kind: [] for kind in INFRACTION_KINDS} | {"collisions_vehicle": [collision]}
        crash = {"status": "Completed", "infractions": events, "score_penalty": 0.6, "score_composed": 60.0}
        slow = {"town": "Maple", "status": "Failed - TickRuntime", "score_route": 40.0, "score_composed": 40.0}
        for record in (route_record("1"), route_record("2", **crash), route_record("3", **slow)):
            write_record(run, record)
        record_ticks(run / "drives" / "RouteScenario_2_rep0", said)
        record_ticks(run / "drives" / "RouteScenario_3_rep0", picture_every=20)
        if films:
            write_film(run / "drives" / "RouteScenario_2_rep0" / "drive.mp4")
        return run

    return make
