"""GNSS of CARLA 0.9.16 and of its predecessors: the agent drives the same route equally well with either.

A driver that sees nothing takes the network's place: with the wrong place under it, it would be off the road at once.
The embedded server sends latitude as its predecessors did; CARLA's own client library, which is 0.9.16, has the other
projection and translates for the test.
"""

from __future__ import annotations

import dataclasses
import logging
from pathlib import Path

import carla
import numpy as np
import pytest

import linkvla.launch.evaluation as evaluation
from linkvla.agent import driving_agent
from linkvla.agent.driving_agent import LinkVLAAgent
from linkvla.launch.evaluation.route_file import read_routes
from linkvla.launch.evaluation.route_runner import run_route
from linkvla.launch.evaluation.run_settings import RunSettings
from linkvla.model.data.view import CameraRig
from linkvla.model.interface.types import Observation, Plan

pytestmark = pytest.mark.system

WHOLE = read_routes(Path(evaluation.__file__).parent / "routes" / "smoke.xml", "0")[0]
ROUTE = dataclasses.replace(WHOLE, keypoints=WHOLE.keypoints[:3])


class ByPlace:
    """Follows the road's middle at 6 m/s by where the agent believes it is, and by nothing else."""

    camera = CameraRig(width=64, height=32)

    def __init__(self, agent: Surveyed) -> None:
        self._agent = agent

    def reset(self) -> None:
        """It remembers nothing."""

    def predict(self, observation: Observation) -> Plan:
        ahead = self._agent.last_state.to_ego(self._agent.line)
        ahead = ahead[int(np.argmin(np.hypot(*ahead.T))) :]
        arc = np.concatenate([[0.0], np.cumsum(np.hypot(*np.diff(ahead, axis=0).T))])
        path = np.stack([np.interp(np.arange(20.0), arc, side) for side in ahead.T], axis=1)
        return Plan(path, np.stack([1.5 * np.arange(1, 11), np.zeros(10)], axis=1))


class Surveyed(LinkVLAAgent):
    """Keeps how far its idea of its place is from the truth, and where it was."""

    line: np.ndarray  # (n, 2) m, world
    town: carla.Map
    ego: carla.Vehicle

    def set_global_plan(self, global_plan_gps, global_plan_world_coord) -> None:
        """Every point of it, and as many metres straight on as a plan looks ahead."""
        super().set_global_plan(global_plan_gps, global_plan_world_coord)
        places = [(place.location.x, place.location.y) for place, _ in global_plan_world_coord]
        onwards = np.subtract(places[-1], places[-2]) / np.hypot(*np.subtract(places[-1], places[-2]))
        self.line = np.concatenate([places, places[-1] + np.arange(1.0, 21.0)[:, None] * onwards])

    def set_world(self, world: carla.World, ego: carla.Vehicle) -> None:
        """From the route runner."""
        self.town, self.ego = world.get_map(), ego
        self.places: list[tuple[float, float]] = []
        self.errors: list[float] = []

    def run_step(self, input_data, timestamp):
        control = super().run_step(input_data, timestamp)
        truth = self.ego.get_transform().location
        self.places.append((truth.x, truth.y))
        self.errors.append(float(np.hypot(self.last_state.x - truth.x, self.last_state.y - truth.y)))
        return control


class Mirrored(Surveyed):
    """Hears the GNSS of CARLA 0.9.16."""

    def run_step(self, input_data, timestamp):
        frame, fix = input_data["gps"]
        x, y = self._localizer.reference.to_world(fix[:2])
        found = self.town.transform_to_geolocation(carla.Location(float(x), float(y), 0.0))
        uncorrected = self._localizer.reference.to_world(np.array([found.latitude, found.longitude]))
        assert np.hypot(*(uncorrected - (x, y))) > 30.0  # a car that believed this would be off its route
        input_data["gps"] = (frame, np.array([found.latitude, found.longitude, 0.0]))
        return super().run_step(input_data, timestamp)


def test_both_conventions_drive_the_same_route_equally_well(server, caplog, monkeypatch):
    monkeypatch.setattr(driving_agent, "borrow_policy", lambda _, agent: ByPlace(agent))
    agents: list[Surveyed] = []
    records = []
    for kind in (Surveyed, Mirrored):

        def make(host: str, port: int, kind: type[Surveyed] = kind) -> Surveyed:
            agents.append(kind(host, port))
            return agents[-1]

        caplog.clear()
        with caplog.at_level(logging.WARNING, logger="linkvla.agent"):
            records.append(run_route(server, ROUTE, make, RunSettings(traffic=0)))
        said = [record.message for record in caplog.records if "mirrored" in record.message]
        assert len(said) == (1 if kind is Mirrored else 0)
    for record, agent in zip(records, agents):
        assert record.status in ("Completed", "Perfect"), record
        assert record.score_composed == 100.0
        assert np.mean(agent.errors) < 0.4  # m; a single fix is 0.7 m off
    plain, mirrored = (np.array(agent.places) for agent in agents)
    apart = np.hypot(*(plain[:, None] - mirrored[None]).transpose(2, 0, 1)).min(axis=1)
    assert apart.max() < 0.5  # the two lines driven
