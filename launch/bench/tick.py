"""``linkvla bench tick``: from the camera's bytes to the control, through the agent that drives; where the time goes.

There is no simulator: sensor data come from a car that follows a winding road at constant speed, with the real sizes
and payloads. What is measured is what an evaluator waits for: the bytes of the camera are taken over as the client's
callback does, all sensors are delivered, the agent is called.

Stages: receive, from the camera's bytes to the sensor interface; localise, colours, filter and the way ahead; then the
policy's own; control; other, what is in none of them, such as records and the guard around the policy.
"""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import carla
import cv2
import numpy as np
import torch
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from linkvla.agent.driving_agent import LinkVLAAgent
from linkvla.agent.localization.geodesy import GeoReference
from linkvla.agent.sensors import CAMERA, GNSS, IMU, SPEED
from linkvla.agent.settings import AgentSettings
from linkvla.launch.bench.ceilings import surroundings
from linkvla.launch.bench.pictures import Pictures
from linkvla.launch.bench.stopwatch import Repeats, Spread, measure
from linkvla.launch.evaluation.stage_times import mean_stages, stages
from linkvla.launch.json_file import write_json
from linkvla.model.interface.types import Command

TICK_S = 0.05

_REFERENCE = GeoReference(49.0, 8.0)
_ROAD = 8000  # m
_TURNS = 400  # m from one junction to the next
_SPEED = 6.0  # m/s


@dataclass(frozen=True)
class TickSettings:
    """What to measure."""

    agents: tuple[str, ...]  # configurations of the agent, as evaluators give them
    repeats: Repeats
    seed: int
    out: Path | None  # of the JSON file


@dataclass(frozen=True)
class TickSpeed:
    """One configuration."""

    agent: str
    whole: Spread
    milliseconds: dict[str, float]  # mean of each stage, of the measured ticks
    tokens: float  # said, per tick
    passes: float  # of the language model for these words, per tick
    incidents: dict[str, int]  # ticks that were not driven on a plan, by reason; the first of all is none


def bench_tick(settings: TickSettings, console: Console | None = None) -> dict:
    """Measure, print a table, write JSON; returns what was written.

    Raises CheckpointError or ConfigurationError for an agent that cannot be set up.
    """
    console = console or Console()
    rides: dict[str, Ride] = {}
    try:
        for agent in settings.agents:
            rides[agent] = Ride(agent, settings.seed)
        device = torch.device(AgentSettings.parse(settings.agents[0]).device)
        with Progress(transient=True, console=console) as progress:
            task = progress.add_task("ticks", total=len(rides) * (settings.repeats.rounds + 1))
            found = measure(rides, device, settings.repeats, lambda: progress.advance(task))
        speeds = [rides[agent].speed(found[agent]) for agent in settings.agents]
    finally:
        for ride in rides.values():
            ride.agent.destroy()
    document = {"machine": surroundings(device), "ticks": [asdict(speed) for speed in speeds]}
    _print(console, speeds, document["machine"])
    if settings.out is not None:
        write_json(settings.out, document)
    return document


@dataclass(frozen=True)
class SensorData:
    """One tick of it."""

    camera: bytes  # BGRA
    shape: tuple[int, ...]  # (height, width, 4)
    others: dict[str, Any]  # payload by sensor


class Ride:
    """An agent on the winding road; an entrant of ``measure``."""

    def __init__(self, config: str, seed: int) -> None:
        self.config = config
        self.agent = LinkVLAAgent("127.0.0.1", 0)
        self.agent.set_global_plan(*_plans())
        self.agent.setup(config)
        for spec in self.agent.sensors():
            self.agent.sensor_interface.register_sensor(spec["id"], spec["type"], None)
            if spec["id"] == CAMERA:
                self._pictures = Pictures(spec["width"], spec["height"], seed)
        self._tick = 0
        self._laps: list[dict[str, float]] = []
        self._said: list[tuple[int, int]] = []  # tokens, and passes for them

    def prepare(self) -> SensorData:
        """What the sensors measure one tick later."""
        self._tick += 1
        picture = cv2.cvtColor(self._pictures.next(), cv2.COLOR_RGB2BGRA)
        x, y, yaw = _road(_SPEED * TICK_S * self._tick)
        latitude, longitude = _REFERENCE.to_geographic(np.array([x, y]))
        others = {
            GNSS: np.array([latitude, longitude, 0.0]),
            IMU: np.array([0.0, 0.0, 9.8, 0.0, 0.0, 0.0, yaw + math.pi / 2]),
            SPEED: {"speed": _SPEED},
        }
        return SensorData(picture.tobytes(), picture.shape, others)

    def run(self, inputs: SensorData) -> None:
        """One tick."""
        begun = time.perf_counter()
        interface = self.agent.sensor_interface
        frame = np.frombuffer(inputs.camera, np.uint8).reshape(inputs.shape).copy()
        for tag, payload in {CAMERA: frame, **inputs.others}.items():
            interface.update_sensor(tag, payload, self._tick)
        received = time.perf_counter()
        self.agent(self._tick, TICK_S * self._tick)
        whole = time.perf_counter() - begun
        told = {} if self.agent.last_plan is None else self.agent.last_plan.diagnostics
        self._said.append((told.get("tokens", 0), told.get("passes", 0)))
        self._laps.append({"receive": 1e3 * (received - begun), **stages(self.agent.timing), "whole": 1e3 * whole})

    def speed(self, whole: Spread) -> TickSpeed:
        """Of the ticks that counted, which are the last ones."""
        counted = self._laps[-whole.repeats :]
        means = mean_stages(counted)
        means["other"] = means.pop("whole") - sum(means.values())
        tokens, passes = (sum(said) / len(counted) for said in zip(*self._said[-whole.repeats :]))
        rounded = {stage: round(took, 3) for stage, took in means.items()}
        return TickSpeed(self.config, whole, rounded, tokens, passes, dict(self.agent.incidents.counts))


def _road(driven: float) -> tuple[float, float, float]:
    """x, y (m) and yaw (rad) after so many metres to the east: bends of 20 m to either side."""
    x = driven % _ROAD
    return x, 20.0 * math.sin(x / 60.0), math.atan(math.cos(x / 60.0) / 3.0)


def _plans() -> tuple[list, list]:
    """The road in the leaderboard's two formats, a point per metre, with a junction now and then."""
    gps, world = [], []
    for metre in range(_ROAD):
        x, y, yaw = _road(metre)
        turn = Command.LEFT if metre // _TURNS % 2 else Command.RIGHT
        command = turn if metre % _TURNS > _TURNS - 20 else Command.LANE_FOLLOW
        latitude, longitude = _REFERENCE.to_geographic(np.array([x, y]))
        gps.append(({"lat": float(latitude), "lon": float(longitude), "z": 0.0}, command))
        place = carla.Transform(carla.Location(x, y, 0.0), carla.Rotation(yaw=math.degrees(yaw)))
        world.append((place, command))
    return gps, world


def _print(console: Console, speeds: Sequence[TickSpeed], where: dict) -> None:
    names = dict.fromkeys(stage for speed in speeds for stage in speed.milliseconds)
    table = Table("", box=SIMPLE_HEAD, title="Camera bytes to control, ms; stages are means per tick")
    for speed in speeds:
        table.add_column(speed.agent.replace(";", " "), justify="right")
    table.add_row("ticks", *(str(speed.whole.repeats) for speed in speeds))
    table.add_row("median", *(f"{speed.whole.median_ms:.1f}" for speed in speeds))
    table.add_row("p95", *(f"{speed.whole.p95_ms:.1f}" for speed in speeds))
    table.add_row("tokens", *(f"{speed.tokens:.1f}" for speed in speeds))
    table.add_row("passes for them", *(f"{speed.passes:.1f}" for speed in speeds), end_section=True)
    for stage in names:
        table.add_row(stage, *(f"{speed.milliseconds.get(stage, 0.0):.2f}" for speed in speeds))
    console.print(table)
    for speed in speeds:
        if speed.incidents:
            console.print(f"{speed.agent}: {speed.incidents}", style="yellow", highlight=False)
    first = speeds[0].whole.median_ms
    ratios = [f"{speed.agent} {speed.whole.median_ms / first:.2f}" for speed in speeds]
    console.print(f"medians, {ratios[0].rpartition(' ')[0]} being 1: {', '.join(ratios)}", highlight=False)
    console.print(", ".join(f"{name} {value}" for name, value in where.items()), style="dim", highlight=False)
