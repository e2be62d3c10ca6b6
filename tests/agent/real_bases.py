"""Drives two ticks with the agent file on an evaluator's own classes, without a simulator; prints what came of it.

    python tests/agent/real_bases.py leaderboard|scenario_runner

A program of its own, for the interpreter and the search path that the evaluator needs.
"""

from __future__ import annotations

import importlib
import json
import math
import sys
from pathlib import Path
from types import SimpleNamespace

import carla
import numpy as np

ENTRY = Path(__file__).resolve().parents[2] / "agent" / "entry" / "linkvla_agent.py"
LENGTH = 300  # m of road to the east, a point per metre

seen: list = []


class Policy:
    """Wants to drive straight on at 5 m/s."""

    camera = SimpleNamespace(x=-1.5, y=0.0, z=2.0, width=64, height=32, fov=110.0)

    def reset(self) -> None:
        pass

    def predict(self, observation):
        from linkvla.model.interface.types import Plan

        seen.append(observation)
        path = np.stack([np.arange(20.0), np.zeros(20)], axis=1)
        return Plan(path, np.stack([1.25 * np.arange(1, 11), np.zeros(10)], axis=1))


class Actor:
    """What a world's list of actors holds, and what an ego answers."""

    id, attributes, is_alive = 1, {"role_name": "hero"}, True

    def get_transform(self) -> carla.Transform:
        return carla.Transform(carla.Location(0.0, 500.0, 0.0))

    def get_velocity(self) -> carla.Vector3D:
        return carla.Vector3D(3.0, 0.0, 0.0)

    get_acceleration = get_angular_velocity = get_velocity


def plans(option: object) -> tuple[list, list]:
    from linkvla.agent.localization.geodesy import GeoReference

    points = np.stack([np.arange(float(LENGTH)), np.full(LENGTH, 500.0)], axis=1)
    degrees = GeoReference(0.0, 0.0).to_geographic(points)
    gps = [({"lat": lat, "lon": lon, "z": 0.0}, option) for lat, lon in degrees]
    return gps, [(carla.Transform(carla.Location(float(x), float(y), 0.0)), option) for x, y in points]


def main(form: str) -> None:
    from agents.navigation.local_planner import RoadOption
    from srunner.scenariomanager.carla_data_provider import CarlaDataProvider
    from srunner.scenariomanager.timer import GameTime

    from linkvla.agent import driving_agent

    ego = Actor()
    CarlaDataProvider._world = SimpleNamespace(get_actors=lambda: [ego])
    CarlaDataProvider._carla_actor_pool = {ego.id: ego}
    driving_agent.borrow_policy = lambda *_: Policy()
    sys.path.insert(0, str(ENTRY.parent))
    module = importlib.import_module(ENTRY.stem)
    gps, world = plans(RoadOption.LANEFOLLOW)
    if form == "leaderboard":
        agent = getattr(module, module.get_entry_point())("localhost", 2000, 0)
        agent.set_global_plan(gps, world)
        agent.setup("linkvla-nano+RouteScenario_1+RouteScenario_2")
        callback = importlib.import_module("leaderboard.envs.sensor_interface").CallBack
        for spec in agent.sensors():
            callback(spec["id"], spec["type"], object(), agent.sensor_interface)
    else:
        agent = getattr(module, module.__name__.title().replace("_", ""))("linkvla-nano")
        agent.set_global_plan(gps, world)
        callback = importlib.import_module("srunner.autoagents.sensor_interface").CallBack
        for spec in agent.sensors():
            callback(spec["id"], object(), agent.sensor_interface)
    for frame in (1, 2):
        GameTime.on_carla_tick(SimpleNamespace(frame=frame, delta_seconds=0.05, elapsed_seconds=0.05 * frame))
        data = {
            "rgb_0": np.zeros((32, 64, 4), np.uint8),
            "gps": np.array([gps[0][0]["lat"], gps[0][0]["lon"], 0.0]),
            "imu": np.array([0, 0, 9.8, 0, 0, 0, math.pi / 2]),
            "speed": {"speed": 3.0},
        }
        for spec in agent.sensors():
            agent.sensor_interface.update_sensor(spec["id"], data[spec["id"]], frame)
        control = agent()
    agent.destroy()
    found = {
        "bases": [base.__module__ for base in type(agent).__mro__],
        "throttle": control.throttle,
        "manual": control.manual_gear_shift,
        "target": float(seen[-1].target_points_in_ego[0, 0]),
        "speed": seen[-1].speed,
        "track": str(agent.track),
    }
    print("FOUND " + json.dumps(found))


if __name__ == "__main__":
    main(sys.argv[1])
