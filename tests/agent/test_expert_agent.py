"""The expert's eyes: road users and signals against a straight route, with a stub world."""

import math
from types import SimpleNamespace

import carla
import numpy as np
import pytest

from linkvla.agent.expert.expert_agent import ExpertAgent
from linkvla.agent.expert.road_users import Traffic
from linkvla.agent.expert.signals import RouteSignals
from linkvla.agent.navigation.dense_route import DenseRoute
from linkvla.model.interface.errors import ConfigurationError

ZEROS = np.zeros(200)
ROUTE = DenseRoute(
    np.arange(200.0), ZEROS, ZEROS, ZEROS, ZEROS, ZEROS.astype(int) + 4, np.arange(200) > 100, ZEROS + 3.5,
    ZEROS + np.nan,
)  # fmt: skip
EGO_ARCS = 20.0 + 2.0 * np.arange(1, 11)  # 8 m/s


def traffic(*rows, kinds=None):
    """Rows: x, y, yaw (rad), half length, half width, velocity x, y."""
    table = np.array([(x, y, 0.0, yaw, hx, hy, vx, vy, 0.0) for x, y, yaw, hx, hy, vx, vy in rows]).reshape(-1, 9)
    return Traffic(ROUTE, 20.0, table, kinds or ["vehicle"] * len(rows))


def test_the_car_ahead_leads_with_its_rear_and_speed():
    (leader,) = traffic((40.0, 0.2, 0.0, 2.4, 1.0, 5.0, 0.0)).leaders()
    assert leader == (pytest.approx(37.6, abs=0.01), pytest.approx(5.0))


@pytest.mark.parametrize(
    "row",
    [
        (40.0, 3.4, 0.0, 2.4, 1.0, 5.0, 0.0),  # next lane
        (40.0, -3.4, math.pi, 2.4, 1.0, -5.0, 0.0),  # oncoming
        (10.0, 0.0, 0.0, 2.4, 1.0, 5.0, 0.0),  # behind
        (150.0, 0.0, 0.0, 2.4, 1.0, 5.0, 0.0),  # far away
    ],
)
def test_others_do_not_matter(row):
    seen = traffic(row)
    assert seen.leaders() == [] and seen.crossing(EGO_ARCS) == []


def test_a_bus_across_the_road_blocks_it():
    assert traffic((40.0, 1.0, math.pi / 2, 6.0, 1.2, 0.0, 0.0)).leaders()[0].arc_of_rear == pytest.approx(
        38.8, abs=0.1
    )


def test_a_crossing_car_is_yielded_to_where_it_crosses():
    seen = traffic((30.0, -8.0, math.pi / 2, 2.4, 1.0, 0.0, 6.0))
    assert seen.leaders() == []
    (leader,) = seen.crossing(EGO_ARCS)
    assert leader.speed == 0.0 and 26.0 < leader.arc_of_rear < 29.0


def test_a_car_that_waits_or_will_be_past_is_not_yielded_to():
    assert traffic((30.0, -8.0, math.pi / 2, 2.4, 1.0, 0.0, 0.0)).crossing(EGO_ARCS) == []
    assert traffic((38.0, -30.0, math.pi / 2, 2.4, 1.0, 0.0, 6.0)).crossing(EGO_ARCS) == []


def test_a_walker_stepping_out_is_yielded_to():
    seen = traffic((30.0, -3.0, math.pi / 2, 0.2, 0.2, 0.0, 1.4), kinds=["walker"])
    assert len(seen.leaders() + seen.crossing(EGO_ARCS)) == 1


def light(state, x=76.0):
    pose = carla.Transform(carla.Location(x, 0.1, 0.0), carla.Rotation(yaw=1.0))
    stop = SimpleNamespace(transform=pose)
    area = SimpleNamespace(extent=carla.Vector3D(1.5, 4.0, 1.0))
    lanes = {"get_stop_waypoints": lambda: [stop], "trigger_volume": area}
    return SimpleNamespace(type_id="traffic.traffic_light", state=state, **lanes)


def sign(x, y):
    area = SimpleNamespace(location=carla.Location(0.0, 0.0, 0.0), extent=carla.Vector3D(1.5, 1.5, 1.0))
    pose = carla.Transform(carla.Location(x, y, 0.0))
    return SimpleNamespace(type_id="traffic.stop", trigger_volume=area, get_transform=lambda: pose)


def signals(*actors):
    return RouteSignals(SimpleNamespace(get_actors=lambda: actors), ROUTE)


def test_red_holds_and_green_lets_go():
    lamp = light(carla.TrafficLightState.Red)
    watched = signals(lamp)
    assert watched.stop_arcs(50.0, 8.0) == [pytest.approx(80.0, abs=0.1)]
    lamp.state = carla.TrafficLightState.Green
    assert watched.stop_arcs(50.0, 8.0) == []


def test_a_late_yellow_is_driven_through_and_stays_so():
    lamp = light(carla.TrafficLightState.Yellow)
    watched = signals(lamp)
    assert watched.stop_arcs(60.0, 8.0)
    watched = signals(lamp)
    assert watched.stop_arcs(72.0, 8.0) == []
    lamp.state = carla.TrafficLightState.Red
    assert watched.stop_arcs(73.0, 8.0) == []


def test_a_line_is_never_inside_the_junction():
    assert signals(light(carla.TrafficLightState.Red, 99.0)).stop_arcs(60.0, 8.0) == [101.0]


def test_a_light_of_another_road_does_not_hold():
    lamp = light(carla.TrafficLightState.Red)
    other = carla.Transform(carla.Location(76.0, 4.0, 0.0), carla.Rotation(yaw=180.0))
    lamp.get_stop_waypoints = lambda: [SimpleNamespace(transform=other)]
    assert signals(lamp).stop_arcs(50.0, 8.0) == []


def test_a_stop_sign_holds_until_stood_at():
    watched = signals(sign(94.0, 0.5), sign(94.0, 8.0))
    assert watched.stop_arcs(50.0, 8.0) == [95.5]
    assert watched.stop_arcs(91.0, 2.0) == [95.5]
    for _ in range(22):
        watched.stop_arcs(91.0, 0.0)
    assert watched.stop_arcs(91.0, 0.0) == []


def test_the_expert_needs_a_world():
    agent = ExpertAgent("localhost", 2000)
    agent.setup("")
    assert agent.sensors() == []
    with pytest.raises(ConfigurationError, match="set_world"):
        agent.run_step({}, 0.0)


def test_walkers_are_forecast_for_as_long_as_is_asked():
    """One that comes from far beside the road meets an ego that comes from far down it."""
    ego_arcs = 20.0 + 4.5 * np.arange(1, 17)
    walker = (80.0, -6.0, math.pi / 2, 0.2, 0.2, 0.0, 1.6)
    assert traffic(walker, kinds=["walker"]).crossing(ego_arcs[:10], 90.0) == []
    assert len(traffic(walker, kinds=["walker"]).crossing(ego_arcs, 90.0, walkers_only=True)) == 1
    assert traffic(walker, kinds=["walker"]).crossing(ego_arcs) == []
    assert traffic(walker).crossing(ego_arcs, 90.0, walkers_only=True) == []
