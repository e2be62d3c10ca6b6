"""What the agent is told reaches the policy, and what it does is written down."""

from __future__ import annotations

import http.client
import json
import math
import socket
from collections.abc import Callable
from pathlib import Path

import carla
import numpy as np
import pytest

from linkvla.agent import driving_agent
from linkvla.agent.driving_agent import LinkVLAAgent
from linkvla.agent.localization.geodesy import GeoReference
from linkvla.agent.recorder import DriveRecording
from linkvla.agent.settings import AgentSettings
from linkvla.model.data.view import CameraRig
from linkvla.model.interface.errors import ConfigurationError
from linkvla.model.interface.types import Plan

REFERENCE = GeoReference(49.0, 8.0)
STRAIGHT = np.stack([np.arange(20.0), np.zeros(20)], axis=1)
STANDING = np.zeros((10, 2))
TICK = 0.05
START = 0.0  # m south of the reference, where both readings of a latitude are the same


class ObedientPolicy:
    """Drives straight on at 5 m/s, unless it is told anything: then it stands."""

    camera = CameraRig(width=64, height=32)

    def __init__(self):
        self.seen = []

    def reset(self):
        self.seen.clear()

    def predict(self, observation):
        self.seen.append(observation)
        waypoints = np.stack([1.25 * np.arange(1, 11), np.zeros(10)], axis=1)
        told = observation.instruction is not None
        return Plan(STRAIGHT, STANDING if told else waypoints, "Standing." if told else "", {"see_ms": 1.0})


def plans():
    """200 m to the south."""
    points = [(0.0, START + k) for k in range(201)]
    world = [(carla.Transform(carla.Location(x, y, 0.0), carla.Rotation(yaw=90.0)), 4) for x, y in points]
    degrees = REFERENCE.to_geographic(np.array(points))
    return [({"lat": lat, "lon": lon, "z": 0.0}, 4) for lat, lon in degrees], world


def data(y: float, speed: float) -> dict:
    latitude, longitude = REFERENCE.to_geographic(np.array([0.0, START + y]))
    return {
        "imu": (0, np.array([0, 0, 9.8, 0, 0, 0, math.pi])),
        "gps": (0, np.array([latitude, longitude, 0.0])),
        "speed": (0, {"speed": speed}),
        "rgb_0": (0, np.zeros((32, 64, 4), np.uint8)),
    }


@pytest.fixture
def policy(monkeypatch: pytest.MonkeyPatch) -> ObedientPolicy:
    stub = ObedientPolicy()
    monkeypatch.setattr(driving_agent, "borrow_policy", lambda *_: stub)
    monkeypatch.setattr(driving_agent, "give_back_policy", lambda *_: None)
    return stub


@pytest.fixture
def start(policy: ObedientPolicy):
    made = []

    def do(config: str) -> LinkVLAAgent:
        agent = LinkVLAAgent("localhost", 2000)
        agent.set_global_plan(*plans())
        made.append(agent)
        agent.setup(config)
        return agent

    yield do
    for agent in made:
        agent.destroy()


def drive(agent: LinkVLAAgent, ticks: int, speed: float = 5.0, clock: float = 1000.0) -> list[carla.VehicleControl]:
    """South at a constant speed, whatever the agent does; simulators' clocks do not begin at zero."""
    return [agent.run_step(data(speed * TICK * n, speed), clock + TICK * n) for n in range(ticks)]


def test_the_timeline_reaches_the_policy(start: Callable, policy: ObedientPolicy, tmp_path: Path):
    path = tmp_path / "timeline.yaml"
    path.write_text(
        "- {time: 2, text: Stop now., duration: 1}\n- {distance: 50, text: By distance., duration: 0.05}\n"
        "- {place: {x: 0, y: 75, radius: 0.13}, text: By place., duration: 0.05}\n"
        "- {route: 50, text: By route., duration: 0.05}\n"
    )
    agent = start(f"linkvla-nano;instructions={path};refuse_unsafe=true")
    controls = drive(agent, 500)
    told = {n: one.instruction for n, one in enumerate(policy.seen, 1) if one.instruction}
    assert [n for n, text in told.items() if text == "Stop now."] == list(range(40, 60))
    found = {text: n for n, text in told.items() if text != "Stop now."}
    assert found["By distance."] == pytest.approx(200, abs=1)
    assert found["By place."] == pytest.approx(300, abs=10)  # the position is filtered
    assert found["By route."] == pytest.approx(400, abs=10)
    assert controls[39].brake == 0.0 and controls[45].brake > 0.0 and controls[70].brake == 0.0
    assert all(one.refuse_unsafe for one in policy.seen)


def test_a_program_may_speak_and_is_heard_on_the_next_tick(start: Callable, policy: ObedientPolicy):
    agent = start("")
    drive(agent, 3)
    assert agent.last_instruction is None
    agent.say("  Stop   now. ", duration=0.1)
    drive(agent, 3, clock=1001.0)
    assert [one.instruction for one in policy.seen[-3:]] == ["Stop now.", "Stop now.", None]


def test_who_is_told_to_stand_is_not_pushed(start: Callable):
    """Without an instruction a car that stands for 40 s is."""
    told, untold = start(""), start("")
    told.say("Stop now.")
    assert {control.throttle for control in drive(told, 830, speed=0.0)[20:]} == {0.0}
    assert told.control_source == "model"
    drive(untold, 830, speed=0.0)
    assert untold.control_source == "stuck release"


def test_who_was_told_something_is_not_stuck_from_before(start: Callable):
    """It stands for 39 s, is told to drive, and stands again when that is over: at a light, perhaps."""
    agent = start("")
    drive(agent, 780, speed=0.0)
    agent.say("Go.")
    drive(agent, 20)
    agent.say("")
    drive(agent, 100, speed=0.0)
    assert agent.control_source == "model"


def test_the_endpoint_shows_the_tick_and_is_gone_after_the_drive(start: Callable, policy: ObedientPolicy):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    agent = start(f"listen={port}")
    drive(agent, 2)
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    connection.request("POST", "/instruction", b"Stop now.")
    assert connection.getresponse().status == 200
    connection.close()
    drive(agent, 1, clock=1000.1)
    assert (policy.seen[-1].instruction, agent.last_instruction.source) == ("Stop now.", "http")
    connection.request("GET", "/state")
    state = json.loads(connection.getresponse().read())
    connection.close()
    assert (state["tick"], state["instruction"], state["instruction_from"]) == (2, "Stop now.", "http")
    agent.destroy()
    agent.destroy()
    start(f"listen={port}")


def test_a_drive_is_recorded(start: Callable, tmp_path: Path):
    agent = start(f"linkvla-nano;record={tmp_path / 'drive'};record_pictures=10")
    drive(agent, 12)
    agent.say("Stop now.")
    drive(agent, 1, clock=1000.6)
    next_point = agent._global_plan_world_coord[1][0].location
    agent.destroy()
    recording = DriveRecording.open(tmp_path / "drive")
    assert recording.header["settings"]["record_pictures"] == 10 and recording.header["camera"]["fov"] == 110.0
    ticks = list(recording.ticks())
    assert [tick["tick"] for tick in ticks] == list(range(13))
    assert ticks[0]["time"] == 0.0 and ticks[0]["source"] == "first tick" and "path" not in ticks[0]
    assert ticks[11]["time"] == 0.55 and ticks[11]["driven"] == pytest.approx(2.75)
    south = ticks[11]["pose"][1] - START
    assert -0.1 < south < 4.0 and ticks[11]["route"] == pytest.approx(south / 2, abs=0.01)
    assert ticks[11]["targets"][0] == pytest.approx([next_point.y - START - south, 0.0], abs=0.1)
    assert len(ticks[11]["path"]) == 20 and "instruction" not in ticks[11]
    assert {"localise", "policy", "see", "control"} <= set(ticks[11]["ms"])
    assert (ticks[12]["instruction"], ticks[12]["said"], ticks[12]["control"][2] > 0) == (
        "Stop now.",
        "Standing.",
        True,
    )
    assert (tmp_path / "drive" / ticks[10]["frame"]).is_file() and "frame" not in ticks[11]


def test_a_record_may_go_where_the_evaluator_says(start: Callable, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv("SAVE_PATH", raising=False)
    with pytest.raises(ConfigurationError, match="SAVE_PATH"):
        start("record=auto")
    monkeypatch.setenv("SAVE_PATH", str(tmp_path))
    drive(start("record=auto"), 2)
    assert len(list(DriveRecording.open(tmp_path).ticks())) == 2


def test_what_was_said_last_is_kept_for_as_long_as_the_same_is_told(start: Callable):
    agent = start("")
    drive(agent, 2)
    assert agent.last_words == ""
    agent.say("Stop now.", duration=0.1)
    drive(agent, 2, clock=1000.1)
    assert agent.last_words == "Standing."
    drive(agent, 2, clock=1000.2)
    assert agent.last_words == ""


@pytest.mark.parametrize("option", ["instructions=/nowhere.yaml", "listen=80", "listen=70000", "record=/dev/null/x"])
def test_options_that_cannot_work_are_said_at_setup(start: Callable, option: str):
    with pytest.raises(ConfigurationError):
        start(option)


def test_settings_as_text():
    told = AgentSettings(checkpoint="weights/mine", instructions="a.yaml", console=True, listen=8100, agreement="5")
    assert told.text == "weights/mine;instructions=a.yaml;console=True;listen=8100;agreement=5"
    assert AgentSettings.parse(told.text) == told
    assert told.policy_options == AgentSettings(checkpoint="weights/mine", agreement="5").policy_options
    with pytest.raises(ConfigurationError, match="'record=a;b'"):
        _ = AgentSettings(record="a;b").text
    for wrong in ("agreement=often", "record_pictures=-1"):
        with pytest.raises(ConfigurationError):
            AgentSettings.parse(wrong)
