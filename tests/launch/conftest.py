"""For the tests of launch: result sets as official evaluators leave them, drawn at random."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest

Route = tuple[str, str, str]  # id, town, type of scenario

KINDS = (
    "collisions_layout", "collisions_pedestrian", "collisions_vehicle", "red_light", "stop_infraction",
    "outside_route_lanes", "min_speed_infractions", "yield_emergency_vehicle_infractions", "scenario_timeouts",
    "route_dev", "vehicle_blocked", "route_timeout",
)  # fmt: skip
FACTORS = {
    "collisions_layout": 0.65, "collisions_pedestrian": 0.5, "collisions_vehicle": 0.6, "red_light": 0.7,
    "stop_infraction": 0.8, "scenario_timeouts": 0.7, "yield_emergency_vehicle_infractions": 0.7,
}  # fmt: skip
FAILURES = (
    "Failed", "Failed - Simulation crashed", "Failed - Agent's sensors were invalid",
    "Failed - Agent couldn't be set up", "Failed - Agent crashed", "Failed - Agent timed out",
    "Failed - Agent deviated from the route", "Failed - Agent got blocked", "Failed - TickRuntime",
)  # fmt: skip


class ResultSets:
    """Makes records and metrics. The same seed makes the same ones."""

    def __init__(self, seed: int) -> None:
        self.rng = np.random.default_rng(seed)

    def record(self, route: Route, status: str = "Completed", repetition: int = 0, **counts: int) -> dict:
        """A record of Bench2Drive; ``counts`` are numbers of infractions by kind."""
        number, town, scenario = route
        failed = status.startswith("Failed")
        done = round(float(self.rng.uniform(0.5, 99.0)), 6) if failed else 100
        messages: dict[str, list[str]] = {kind: [] for kind in KINDS}
        penalty = 1.0
        for kind, count in counts.items():
            messages[kind] = [f"something happened at (x={k}.5, y=20.25, z=0.1)" for k in range(count)]
            penalty *= FACTORS.get(kind, 1.0) ** count
        if "outside_route_lanes" in counts:
            share = round(float(self.rng.uniform(0.1, 30.0)), 2)
            text = f"Agent went outside its route lanes for about 12.5 meters ({share}% of the completed route)"
            messages["outside_route_lanes"] = [text]
            penalty *= 1.0 - share / 100.0
        stretches = int(done / 5) + (not failed)
        messages["min_speed_infractions"] = [
            f"Average speed is {round(float(value), 2)}% of the surrounding traffic's one"
            for value in self.rng.lognormal(4.8, 1.0, stretches)
        ]
        run = f"RouteScenario_{number}_rep{repetition}"
        return {
            "index": 0,
            "route_id": run,
            "scenario_name": f"{scenario}_1",
            "weather_id": str(self.rng.integers(0, 23)),
            "save_name": f"{run}_{town}_{scenario}_1_3_11_22_10_00_00",
            "status": status,
            "num_infractions": sum(map(len, messages.values())),
            "infractions": messages,
            "scores": {
                "score_route": done,
                "score_penalty": round(penalty, 6),
                "score_composed": round(done * penalty, 6),
            },
            "meta": {"route_length": 105.25, "duration_game": 20.5, "duration_system": 40.75},
            "town_name": town,
        }

    def random_record(self, route: Route, may_fail: bool = True) -> dict:
        """A record with a status and infractions at random; without ``may_fail``, of a success."""
        if not may_fail or self.rng.random() < 0.4:
            return self.record(route, "Completed")
        status = str(self.rng.choice(["Completed", "Perfect", *FAILURES]))
        if status == "Perfect":
            record = self.record(route, status)
            record["infractions"]["min_speed_infractions"] = []
            return {**record, "num_infractions": 0}
        kinds = [kind for kind in KINDS if kind != "min_speed_infractions" and self.rng.random() < 0.15]
        return self.record(route, status, **{kind: int(self.rng.integers(1, 3)) for kind in kinds})

    def metrics(self, frames: int) -> dict:
        """A ``metric_info.json``: a walk with calm and rough stretches."""
        rough = np.repeat(self.rng.choice([0.3, 1.5, 8.0], -(-frames // 40), p=[0.6, 0.3, 0.1]), 40)[:frames]
        noise = self.rng.normal(0.0, 1.0, (3, frames)) * rough
        smooth = np.stack([np.convolve(row, np.ones(9) / 9)[4 : 4 + frames] for row in noise])
        yaw = np.cumsum(smooth[2]) * 0.05
        return {
            str(k): {
                "acceleration": [float(smooth[0, k]), float(smooth[1, k]), 0.0],
                "angular_velocity": [0.0, 0.0, float(smooth[2, k] * 2.0)],
                "forward_vector": [float(np.cos(yaw[k])), float(np.sin(yaw[k])), 0.0],
                "right_vector": [float(-np.sin(yaw[k])), float(np.cos(yaw[k])), 0.0],
                "location": [float(k), 0.0, 0.0],
                "rotation": [0.0, 0.0, float(np.degrees(yaw[k]))],
            }
            for k in range(frames)
        }

    def write_metrics(self, folder: Path, records: Sequence[dict]) -> None:
        """The metrics of each record, where Bench2Drive's agents leave them."""
        for record in records:
            place = folder / record["save_name"]
            place.mkdir(parents=True, exist_ok=True)
            (place / "metric_info.json").write_text(json.dumps(self.metrics(int(self.rng.integers(3, 150)))))


@pytest.fixture
def result_sets() -> Callable[[int], ResultSets]:
    """The maker of result sets, by seed."""
    return ResultSets


@pytest.fixture
def write_shards() -> Callable[..., Path]:
    """Write records as the checkpoint files of some shards into a folder."""

    def write(folder: Path, records: Sequence[dict], shards: int = 1) -> Path:
        folder.mkdir(parents=True, exist_ok=True)
        for number in range(shards):
            own = [{**record, "index": index} for index, record in enumerate(records[number::shards])]
            inner = {"global_record": {}, "progress": [len(own), len(own)], "records": own}
            document = {"_checkpoint": inner, "entry_status": "Finished", "eligible": True, "sensors": []}
            (folder / f"shard_{number:02d}.json").write_text(json.dumps({**document, "values": [], "labels": []}))
        return folder

    return write
