"""LinkVLA at the wheel, with a stub in place of the network."""

import math
from types import SimpleNamespace

import carla
import numpy as np
import pytest

from linkvla.agent import driving_agent
from linkvla.agent.autonomous_agent import AutonomousAgent, SensorInterface, Track
from linkvla.agent.driving_agent import LinkVLAAgent
from linkvla.agent.entry import expert_agent, linkvla_agent
from linkvla.agent.localization.geodesy import GeoReference
from linkvla.agent.probes import wrong_commands
from linkvla.agent.settings import AgentSettings
from linkvla.model.interface.errors import ConfigurationError, RouteError, ServerError
from linkvla.model.interface.types import Command, Observation, Plan

REFERENCE = GeoReference(49.0, 8.0)
STRAIGHT = np.stack([np.arange(20.0), np.zeros(20)], axis=1)
RIG = SimpleNamespace(x=-1.5, y=0.0, z=2.0, width=64, height=32, fov=110.0)


class StubPolicy:
    """Always wants to drive straight on at 5 m/s."""

    camera = RIG

    def __init__(self):
        self.seen = []

    def reset(self):
        self.seen.clear()

    def predict(self, observation):
        self.seen.append(observation)
        return Plan(STRAIGHT, np.stack([1.25 * np.arange(1, 11), np.zeros(10)], axis=1))


def plans():
    """A road to the south with a right turn after 40 m: 150 points."""
    points = [(0.0, float(k), 90.0) for k in range(40)] + [(-float(k), 40.0, 180.0) for k in range(110)]
    commands = [4] * 40 + [2] * 10 + [4] * 100
    places = [carla.Transform(carla.Location(x, y, 0.0), carla.Rotation(yaw=yaw)) for x, y, yaw in points]
    world = list(zip(places, commands))
    degrees = REFERENCE.to_geographic(np.array(points)[:, :2])
    return [({"lat": lat, "lon": lon, "z": 0.0}, c) for (lat, lon), c in zip(degrees, commands)], world


def data(y=0.0, speed=3.0, compass=math.pi, tick=0, image=True):
    """Sensor data at (0, y), heading south."""
    latitude, longitude = REFERENCE.to_geographic(np.array([0.0, y]))
    found = {
        "imu": (tick, np.array([0, 0, 9.8, 0, 0, 0, compass])),
        "gps": (tick, np.array([latitude, longitude, 0.0])),
        "speed": (tick, {"speed": speed}),
    }
    if image:
        bgra = np.zeros((32, 64, 4), np.uint8)
        bgra[:, :, 0] = 200  # blue
        found["rgb_0"] = (tick, bgra)
    return found


@pytest.fixture
def policy(monkeypatch):
    stub = StubPolicy()
    monkeypatch.setattr(driving_agent, "borrow_policy", lambda *_: stub)
    return stub


@pytest.fixture
def agent(policy):
    made = LinkVLAAgent("localhost", 2000)
    made.set_global_plan(*plans())
    made.setup("")
    return made


def test_sensors_are_simlingos(agent):
    kinds = {spec["type"]: spec for spec in agent.sensors()}
    assert set(kinds) == {"sensor.camera.rgb", "sensor.other.imu", "sensor.other.gnss", "sensor.speedometer"}
    camera = kinds["sensor.camera.rgb"]
    assert (camera["x"], camera["z"], camera["width"], camera["fov"]) == (-1.5, 2.0, 64, 110.0)
    assert agent.track is Track.SENSORS


def test_first_tick_brakes_then_the_policy_drives(agent, policy):
    first = agent.run_step(data(), 0.0)
    assert (first.throttle, first.brake, agent.control_source) == (0.0, 1.0, "first tick")
    second = agent.run_step(data(tick=1), 0.05)
    assert second.throttle > 0 and second.brake == 0.0 and agent.control_source == "model"
    seen = policy.seen[-1]
    assert seen.image[0, 0].tolist() == [0, 0, 200]  # RGB
    assert seen.speed == 3.0
    assert seen.command == Command.RIGHT and agent.last_command == Command.RIGHT
    assert seen.target_points_in_ego[0] == pytest.approx([40.0, 0.0], abs=0.5)
    assert seen.distance_to_command == pytest.approx(40.0, abs=0.5)
    assert agent.last_plan is not None and agent.last_observation is seen


def test_missing_frames_are_held_over_and_then_stop_the_car(agent):
    for tick in range(3):
        agent.run_step(data(tick=tick), 0.0)
    for tick in range(10):
        assert agent.run_step(data(tick=tick, image=False), 0.0).brake == 0.0
    control = agent.run_step(data(image=False), 0.0)
    assert control.brake == pytest.approx(0.4) and control.throttle == 0.0
    assert agent.control_source == "safe stop" and agent.incidents.counts == {"no sensor data": 1}
    assert agent.run_step(data(), 0.0).brake == 0.0


def test_values_that_are_not_numbers_do_not_reach_the_policy(agent, policy):
    agent.run_step(data(compass=math.nan), 0.0)
    broken = data(compass=math.nan, speed=math.nan)
    broken["gps"] = (0, np.full(3, math.nan))
    agent.run_step(broken, 0.05)
    assert np.isfinite(policy.seen[-1].target_points_in_ego).all()
    assert policy.seen[-1].target_points_in_ego[0] == pytest.approx([40.0, 0.0], abs=1.0)  # heading of the plan


def told(policy, options):
    """What the network gets to see at the second tick, and the agent that drives."""
    made = LinkVLAAgent("localhost", 2000)
    made.set_global_plan(*plans())
    made.setup(options)
    for tick in range(2):
        made.run_step(data(tick=tick), 0.0)
    return policy.seen[-1], made


def test_a_probe_reaches_the_network_and_nobody_else(policy):
    seen, made = told(policy, "probe=black-frames,wrong-commands")
    assert not seen.image.any() and seen.command == Command.STRAIGHT
    assert made.last_observation.image.any() and made.last_command == made.last_observation.command == Command.RIGHT
    assert np.array_equal(seen.target_points_in_ego, made.last_observation.target_points_in_ego)


def test_what_is_withheld_leaves_the_rest_as_it_is(policy):
    whole, _ = told(policy, "")
    seen, _ = told(policy, "probe=no-commands")
    assert (seen.command, seen.next_command, seen.distance_to_command) == (4, 4, 0.0)
    assert seen.image.any() and np.array_equal(seen.target_points_in_ego, whole.target_points_in_ego)
    seen, _ = told(policy, "probe=no-target-points")
    assert seen.command == Command.RIGHT and not seen.target_points_in_ego[:, 1].any()
    assert np.hypot(*seen.target_points_in_ego.T) == pytest.approx(np.hypot(*whole.target_points_in_ego.T))
    assert abs(whole.target_points_in_ego[1, 1]) > 5.0  # the turn that is no longer to be seen


@pytest.mark.parametrize("command", [command for command in Command if command != Command.LANE_FOLLOW])
def test_a_wrong_command_is_never_the_right_one(command):
    observation = Observation(np.zeros((2, 4, 3), np.uint8), 1.0, np.zeros((2, 2)), command, command, 9.0)
    seen = wrong_commands(observation)
    assert seen.command != command and seen.next_command == seen.command and seen.distance_to_command == 9.0
    assert seen.command != Command.LANE_FOLLOW


@pytest.mark.parametrize("names", ["deaf", "black-frames,black-frames", "black-frames,"])
def test_probes_that_are_none(names):
    with pytest.raises(ConfigurationError, match="probes are black-frames"):
        AgentSettings.parse(f"probe={names}")


def test_a_route_is_needed(policy):
    with pytest.raises(RouteError, match="set_global_plan"):
        LinkVLAAgent("localhost", 2000).setup("")


def test_called_as_an_evaluator_does(agent):
    for spec in agent.sensors():
        agent.sensor_interface.register_sensor(spec["id"], spec["type"], object())
    for tick in range(2):
        for tag, (frame, payload) in data(tick=tick).items():
            agent.sensor_interface.update_sensor(tag, payload, frame)
        control = agent()
    assert isinstance(control, carla.VehicleControl) and control.throttle > 0 and not control.manual_gear_shift
    agent.destroy()


def test_plan_is_thinned_as_bench2drive_does():
    agent = AutonomousAgent("localhost", 2000)
    agent.set_global_plan(*plans())
    assert [int(option) for _, option in agent._global_plan] == [4, 2, 4, 4, 4]
    assert len(agent._global_plan) == len(agent._global_plan_world_coord)


def test_sensor_interface_waits_for_whole_frames():
    interface = SensorInterface()
    assert interface.get_data(3) == {}
    for tag in ("a", "b"):
        interface.register_sensor(tag, "sensor.camera.rgb", None)
    with pytest.raises(ConfigurationError, match="twice"):
        interface.register_sensor("a", "sensor.camera.rgb", None)
    with pytest.raises(ConfigurationError, match="unknown sensor"):
        interface.update_sensor("c", 0, 1)
    interface.update_sensor("a", 1, 5)
    with pytest.raises(ServerError, match="no data of b"):
        interface.get_data(5, timeout=0.01)
    interface.update_sensor("b", 2, 5)
    interface.update_sensor("a", 3, 6)
    assert interface.get_data() == {"a": (5, 1), "b": (5, 2)}


@pytest.mark.parametrize("module", [linkvla_agent, expert_agent])
def test_entry_points_name_their_class(module):
    found = getattr(module, module.get_entry_point())
    assert found.get_ros_version() == -1
    assert callable(found("localhost", 2000, 0).set_global_plan)


def test_settings():
    assert AgentSettings.parse("") == AgentSettings.parse(None) == AgentSettings()
    parsed = AgentSettings.parse("weights/mine;threads=2;release_when_stuck=false+RouteScenario_1_rep0")
    assert parsed == AgentSettings(checkpoint="weights/mine", threads=2, release_when_stuck=False)
    assert [AgentSettings.parse(f"language={text}").speak_every for text in ("off", "on", "7")] == [0, 1, 7]
    spoken = [AgentSettings.parse(f"language={text}").policy_options for text in ("on", "change")]
    assert [(one["speak_every"], one["speak_on_change"]) for one in spoken] == [(1, False), (0, True)]
    assert AgentSettings.parse("navigation=command").navigation_style == "command"
    assert AgentSettings().navigation_style is None
    wrong = ("a;b", "colour=red", "threads=many", "camera=off", "release_when_stuck=maybe")
    for text in (
        *wrong,
        "language=often",
        "agreement=change",
        "language=0",
        "language=-3",
        "hypotheses=0",
        "navigation=map",
        "dtype=float16",
        "budget_ms=-1",
    ):
        with pytest.raises(ConfigurationError):
            AgentSettings.parse(text)
