"""The route runner on the embedded server: a clean drive, a reckless one, and agents that fail in every way."""

from __future__ import annotations

from pathlib import Path

import carla
import numpy as np
import pytest

import linkvla.launch.evaluation as evaluation
from linkvla.agent.expert.expert_agent import ExpertAgent
from linkvla.launch.evaluation.results import results_document
from linkvla.launch.evaluation.route_file import RouteSpec, read_routes
from linkvla.launch.evaluation.route_runner import run_route
from linkvla.launch.evaluation.run_settings import RunSettings
from linkvla.model.interface.errors import CheckpointError, ConfigurationError, RouteError, ServerError

pytestmark = pytest.mark.system

ROUTE = read_routes(Path(evaluation.__file__).parent / "routes" / "smoke.xml", "0")[0]
CAMERA = {
    "type": "sensor.camera.rgb",
    "id": "eye",
    "x": -1.5,
    "y": 0.0,
    "z": 2.0,
    "roll": 0.0,
    "pitch": 0.0,
    "yaw": 0.0,
}
CAMERA |= {"width": 128, "height": 64, "fov": 110}
OTHERS = [
    {"type": "sensor.other.gnss", "id": "gps", "x": 0.0, "y": 0.0, "z": 0.0},
    {"type": "sensor.other.imu", "id": "imu", "x": 0.0, "y": 0.0, "z": 0.0, "roll": 0.0, "pitch": 0.0, "yaw": 0.0},
    {"type": "sensor.speedometer", "id": "speed"},
]


def quick(**others):
    return RunSettings(traffic=0, **others)


def leftovers(client: carla.Client) -> list[str]:
    """What a route left behind; looks at an asynchronous world."""
    world = client.get_world()
    world.wait_for_tick()
    return [actor.type_id for actor in world.get_actors() if actor.type_id.startswith(("vehicle", "sensor", "walker"))]


class Reckless(ExpertAgent):
    """Drives the route through lights that are all red."""

    def run_step(self, input_data, timestamp):
        if self.route is None:
            self._prepare()
            self._signals.stop_arcs = lambda arc, speed: []
            for light in self._world.get_actors().filter("traffic.traffic_light"):
                light.set_state(carla.TrafficLightState.Red)
            self._world.freeze_all_traffic_lights(True)
        return super().run_step(input_data, timestamp)


class Watcher(ExpertAgent):
    """Looks at its sensors."""

    seen: list

    def sensors(self):
        return [CAMERA, *OTHERS]

    def run_step(self, input_data, timestamp):
        type(self).seen.append((input_data, timestamp))
        return super().run_step(input_data, timestamp)


def failing(step=None, setup=None, sensors=None):
    class Failing(ExpertAgent):
        def setup(self, path_to_conf_file):
            super().setup(path_to_conf_file)
            if setup:
                raise setup

        def sensors(self):
            return sensors or []

        def run_step(self, input_data, timestamp):
            if step and self._ticks == 3:
                raise step
            return super().run_step(input_data, timestamp)

    return Failing


def test_expert_completes_among_traffic(server, client):
    views = []
    record = run_route(server, ROUTE, ExpertAgent, RunSettings(traffic=6), views.append)
    assert record.status == "Completed", record.error
    assert record.success
    assert record.score_composed == 100.0
    assert len(record.infractions["min_speed_infractions"]) >= 15
    assert record.timing.ticks > 100
    assert set(record.timing.phases) == {"tick", "criteria", "observer", "sensors", "agent", "control"}
    percents = [view.route_percent for view in views]
    assert percents == sorted(percents)
    assert any(view.actors for view in views)
    assert views[-1].plan is not None
    assert results_document([record], 1)["entry_status"] == "Finished"
    assert leftovers(client) == []
    assert not client.get_world().get_settings().synchronous_mode


def test_the_same_seed_gives_the_same_drive(server):
    first, second = (run_route(server, ROUTE, ExpertAgent, RunSettings(traffic=6, max_ticks=200)) for _ in range(2))
    assert first.score_route == second.score_route
    assert first.timing.ticks == second.timing.ticks == 201
    assert first.status == "Failed - TickRuntime"


def test_red_lights_are_judged(server, client):
    record = run_route(server, ROUTE, Reckless, quick())
    client.get_world().freeze_all_traffic_lights(False)
    assert record.status == "Completed"
    assert record.infractions["red_light"]
    assert record.score_penalty == pytest.approx(0.7 ** len(record.infractions["red_light"]))


def test_sensors_arrive_as_in_the_leaderboard(server):
    Watcher.seen = []
    views = []
    run_route(server, ROUTE, Watcher, quick(max_ticks=20), views.append)
    assert len(Watcher.seen) == 20
    frames = [data["eye"][0] for data, _ in Watcher.seen]
    assert frames == list(range(frames[0], frames[0] + 20))
    data, timestamp = Watcher.seen[-1]
    assert all(frame == frames[-1] for frame, _ in data.values())
    assert timestamp - Watcher.seen[-2][1] == pytest.approx(0.05)
    image = data["eye"][1]
    assert image.shape == (64, 128, 4)
    assert image.dtype == np.uint8
    assert image[..., :3].std() > 10
    assert data["gps"][1].shape == (3,)
    assert data["imu"][1].shape == (7,)
    assert data["imu"][1][2] == pytest.approx(9.81, abs=2.0)
    assert 0.0 < data["speed"][1]["speed"] < 10.0
    assert views[-1].image.shape == (64, 128, 3)


@pytest.mark.parametrize(
    ("agent", "status"),
    [
        (failing(step=ValueError("my bug")), "Failed - Agent crashed"),
        (failing(step=ConfigurationError("my bug")), "Failed - Agent crashed"),
        (failing(step=ServerError("no data")), "Failed - Simulation crashed"),
        (failing(setup=ValueError("my bug")), "Failed - Agent couldn't be set up"),
        (failing(sensors=[{"type": "sensor.lidar.own", "id": "x"}]), "Failed - Agent's sensors were invalid"),
        (failing(sensors=[CAMERA | {"z": 9.0}]), "Failed - Agent's sensors were invalid"),
    ],
)
def test_failing_agents_leave_a_record_and_a_clean_world(server, client, agent, status):
    record = run_route(server, ROUTE, agent, quick())
    assert record.status == status
    assert record.score_composed < 5.0
    assert record.error
    assert record.route_length > 50.0
    assert leftovers(client) == []


@pytest.mark.parametrize("stop", [KeyboardInterrupt(), CheckpointError("no such weights")])
def test_interruptions_and_user_errors_come_through(server, client, stop):
    agent = failing(step=stop) if isinstance(stop, KeyboardInterrupt) else failing(setup=stop)
    with pytest.raises(type(stop)):
        run_route(server, ROUTE, agent, quick())
    assert leftovers(client) == []


def test_route_off_the_road(server):
    nowhere = RouteSpec("far", ROUTE.town, ((9000.0, 9000.0, 0.0), (9100.0, 9000.0, 0.0)))
    with pytest.raises(RouteError, match="'far' in Maple"):
        run_route(server, nowhere, ExpertAgent, quick())


def test_unknown_town(server):
    with pytest.raises(RouteError, match="Atlantis"):
        run_route(server, RouteSpec("1", "Atlantis", ROUTE.keypoints), ExpertAgent, quick())
