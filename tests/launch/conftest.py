"""Made-up results of evaluations, in the shape that the leaderboard and Bench2Drive write."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest

from linkvla.launch.evaluation.scores import FACTORS, INFRACTION_KINDS
from linkvla.launch.json_file import write_json

Route = tuple[str, str, str]  # id, town, type of scenario


class ResultSets:
    """Makes records, and the metrics that an agent leaves; the same ones for the same seed."""

    def __init__(self, seed: int) -> None:
        self.rng = np.random.default_rng(seed)

    def record(self, route: Route, status: str = "Completed", repetition: int = 0, **counts: int) -> dict:
        """A record with so many events of each kind; one that failed has completed a part of its route."""
        number, town, kind = route
        events = {name: [f"{name} {k}" for k in range(counts.get(name, 0))] for name in INFRACTION_KINDS}
        speeds = self.rng.uniform(20.0, 180.0, 4).round(2)
        events["min_speed_infractions"] = [f"Average speed is {v}% of the surrounding traffic's one" for v in speeds]
        done = 100.0 if status in ("Completed", "Perfect") else round(float(self.rng.uniform(5.0, 95.0)), 2)
        penalty = float(np.prod([FACTORS.get(name, 1.0) ** count for name, count in counts.items()]))
        route_id = f"RouteScenario_{number}_rep{repetition}"
        return {
            "index": int(self.rng.integers(0, 1000)),
            "route_id": route_id,
            "status": status,
            "num_infractions": sum(map(len, events.values())),
            "infractions": events,
            "scores": {"score_route": done, "score_penalty": penalty, "score_composed": done * penalty},
            "meta": {"route_length": 250.0, "duration_game": 60.0, "duration_system": 90.0},
            "scenario_name": f"{kind}_1",
            "weather_id": "3",
            "save_name": f"{route_id}_{town}_{kind}_1_3_11_22_12_00_00",
            "town_name": town,
        }

    def random_record(self, route: Route, may_fail: bool = True) -> dict:
        """Any record; a route that may not fail is completed without an event."""
        if not may_fail:
            return self.record(route, "Perfect")
        if self.rng.random() < 0.25:
            return self.record(route, "Failed - Agent got blocked", vehicle_blocked=1)
        kinds = [name for name in FACTORS if self.rng.random() < 0.12]
        return self.record(route, "Completed" if kinds else "Perfect", **dict.fromkeys(kinds, 1))

    def write_metrics(self, folder: Path, records: Sequence[dict]) -> None:
        """``metric_info.json`` of each record, of rides between smooth and rough."""
        for record in records:
            count, roughness = int(self.rng.integers(45, 90)), self.rng.uniform(0.0, 2.0)
            heading = self.rng.uniform(-np.pi, np.pi) + np.cumsum(self.rng.normal(0.0, 0.02, count))
            forward = np.stack([np.cos(heading), np.sin(heading), np.zeros(count)], axis=1)
            right = np.stack([-np.sin(heading), np.cos(heading), np.zeros(count)], axis=1)
            pace = np.cumsum(self.rng.normal(0.0, 0.1 * roughness, count))[:, None]
            columns = {
                "acceleration": pace * forward + self.rng.normal(0.0, 0.2 * roughness, (count, 1)) * right,
                "angular_velocity": self.rng.normal(0.0, 0.2 * roughness, (count, 3)),
                "forward_vector": forward,
                "right_vector": right,
                "location": np.cumsum(forward, axis=0),
                "rotation": np.degrees(np.stack([np.zeros(count), heading, np.zeros(count)], axis=1)),
            }
            frames = {str(k): {name: rows[k].tolist() for name, rows in columns.items()} for k in range(count)}
            write_json(folder / record["save_name"] / "metric_info.json", frames)


@pytest.fixture
def result_sets() -> type[ResultSets]:
    """Called with a seed."""
    return ResultSets


@pytest.fixture
def write_shards() -> Callable[..., Path]:
    """Writes records as the official evaluators do: a checkpoint file for each shard."""

    def write(folder: Path, records: Sequence[dict], shards: int = 1) -> Path:
        folder.mkdir(parents=True, exist_ok=True)
        for number in range(shards):
            own = list(records[number::shards])
            checkpoint = {"global_record": {}, "progress": [len(own), len(own)], "records": own}
            document = {"_checkpoint": checkpoint, "entry_status": "Finished", "eligible": True, "sensors": []}
            (folder / f"shard_{number:02}.json").write_text(json.dumps(document))
        return folder

    return write
