"""Merging flows and cut-ins against hand-made roads; lanes that run into a route on a stub map."""

import math
from dataclasses import replace
from types import SimpleNamespace

import carla
import numpy as np
import pytest

from linkvla.agent.autonomous_agent import AutonomousAgent
from linkvla.agent.expert.cutting_in import cutting_in
from linkvla.agent.expert.expert_agent import ExpertAgent
from linkvla.agent.expert.merging import Merging
from linkvla.agent.expert.planner import ExpertPlanner, ExpertSettings, Leader
from linkvla.agent.expert.road_users import Traffic
from linkvla.agent.expert.tributaries import Tributary, find_tributaries
from linkvla.agent.expert.watchful import WatchfulDriver
from linkvla.agent.navigation.dense_route import DenseRoute

ZEROS = np.zeros(200)
ROUTE = DenseRoute(
    np.arange(200.0), ZEROS, ZEROS, ZEROS, ZEROS, ZEROS.astype(int) + 4, ZEROS > 0, ZEROS + 3.5, ZEROS + np.nan
)
EGO_ARCS = 60.0 + 3.0 * np.arange(1, 11)
SLOPE = math.radians(20.0)
BACK = np.arange(0.0, 80.0, 2.0)
RAMP = Tributary(  # joins at 100 m from the right, under 20 degrees
    100.0, BACK, 99.0 - BACK * math.cos(SLOPE), 2.5 + BACK * math.sin(SLOPE), 0.0 * BACK, 0.0 * BACK - SLOPE, 0.0
)


def on_ramp(left: float, speed: float, yaw: float = -SLOPE) -> list[float]:
    """A car whose centre has ``left`` metres to the merge."""
    x, y = 99.0 - left * math.cos(SLOPE), 2.5 + left * math.sin(SLOPE)
    return [x, y, 0.0, yaw, 2.4, 1.0, speed * math.cos(yaw), speed * math.sin(yaw), 0.0]


def merging(*rows: list[float], arc: float = 60.0, speed: float = 10.0) -> list[Leader]:
    outlook = arc + speed * 0.25 * np.arange(1, 25)
    return Merging([RAMP]).leaders(np.array(rows).reshape(-1, 9), arc, outlook, 0.25)


def test_who_is_nearer_to_the_merge_leads_at_its_distance():
    (leader,) = merging(on_ramp(25.0, 10.0))
    left = 100.0 - 60.0 - 2.45
    assert leader == (pytest.approx(100.0 - 25.0 - 2.4 + 0.4 * left, abs=0.1), pytest.approx(10.0))


@pytest.mark.parametrize(
    "row",
    [
        on_ramp(70.0, 10.0),  # far behind
        on_ramp(25.0, 0.5),  # waits
        on_ramp(25.0, 10.0, math.pi - SLOPE),  # drives away from it
        [80.0, 30.0, 0.0, -SLOPE, 2.4, 1.0, 10.0, 0.0, 0.0],  # on another road
    ],
)
def test_who_does_not_come_first_does_not_lead(row):
    assert merging(row) == []


def test_who_still_has_to_turn_into_the_lane_does_not_lead():
    assert len(merging(on_ramp(25.0, 10.0))) == 1
    bend = replace(RAMP, merge_yaw=math.pi / 2)
    assert Merging([bend]).leaders(np.array([on_ramp(25.0, 10.0)]), 60.0, 60.0 + 2.5 * np.arange(1, 25), 0.25) == []


def test_a_faster_one_close_behind_is_let_past():
    assert merging(on_ramp(50.0, 10.0)) == []
    assert merging(on_ramp(60.0, 18.0)) == [(RAMP.merge_arc, 0.0)]


def test_a_standing_ego_waits_for_a_flow_and_goes_through_a_gap():
    standing = ExpertPlanner(ROUTE, ExpertSettings()).outlook(92.0, 0.0, [], [], 24)
    flow, gap = np.array([on_ramp(20.0, 8.0)]), np.array([on_ramp(60.0, 8.0)])
    assert len(Merging([RAMP]).leaders(flow, 92.0, standing, 0.25)) == 1
    assert Merging([RAMP]).leaders(gap, 92.0, standing, 0.25) == []


def test_a_merge_behind_or_far_ahead_does_not_matter():
    assert merging(on_ramp(10.0, 10.0), arc=99.0) == []
    assert merging(on_ramp(10.0, 10.0), arc=20.0) == []


def beside(x: float, y: float, speed: float, sideways: float) -> np.ndarray:
    yaw = math.atan2(sideways, max(speed, 2.0))
    return np.array([[x, y, 0.0, yaw, 2.4, 1.0, speed, sideways, 0.0]])


def test_one_who_changes_into_the_lane_leads():
    (leader,) = cutting_in(ROUTE, 20.0, beside(40.0, 3.5, 6.0, -1.0))
    assert leader.speed == pytest.approx(6.0) and leader.arc_of_rear == pytest.approx(37.4, abs=0.3)
    assert cutting_in(ROUTE, 20.0, beside(40.0, -3.5, 6.0, 1.0)) == [pytest.approx(leader, abs=0.01)]


def test_one_beside_the_ego_that_pushes_in_is_let_in():
    (leader,) = cutting_in(ROUTE, 20.0, beside(22.0, 3.5, 6.0, -1.0))
    assert leader.arc_of_rear == pytest.approx(23.45)


@pytest.mark.parametrize(
    "row",
    [
        beside(40.0, 3.5, 6.0, 0.0),  # keeps its lane
        beside(40.0, 3.5, 6.0, 1.0),  # leaves
        beside(40.0, 7.0, 6.0, -0.5),  # far off yet
        beside(10.0, 3.5, 6.0, -1.0),  # behind
        beside(40.0, 3.5, -6.0, -1.0),  # oncoming
        beside(40.0, 0.0, 6.0, -1.0),  # already leads
    ],
)
def test_others_are_no_cut_ins(row):
    assert cutting_in(ROUTE, 20.0, row) == []


class Waypoint(SimpleNamespace):
    """Two lanes that become one at x = 100: the route's and one 4 m beside it."""

    def __init__(self, x: float, lane: int = -1):
        key = (1, 0, lane) if x < 100.0 else (2, 0, -1)
        aside = 0.0 if lane == -1 else min(8.0, max(0.0, (100.0 - x) * 0.4))
        super().__init__(x=x, lane=lane, road_id=key[0], section_id=key[1], lane_id=key[2], is_junction=False)
        self.lane_type = carla.LaneType.Driving
        self.transform = carla.Transform(carla.Location(x, aside, 0.0))

    def previous(self, step: float) -> list["Waypoint"]:
        x = self.x - step
        if x < 0.0:
            return []
        return [Waypoint(x, -1), Waypoint(x, -2)] if self.x >= 100.0 > x else [Waypoint(x, self.lane)]


def test_lanes_that_run_into_the_route_are_found_once():
    (found,) = find_tributaries(SimpleNamespace(get_waypoint=lambda place: Waypoint(place.x)), ROUTE)
    assert 90.0 < found.merge_arc < 100.0
    assert found.distance[0] == 0.0 and found.distance[-1] > 60.0 and np.all(np.diff(found.x) < 0.0)


class Watchful(WatchfulDriver, AutonomousAgent):
    """The evaluators' expert on our own base."""


def watchful(arc: float) -> Watchful:
    """Under way on the straight route, with a ramp beside it."""
    agent = Watchful("localhost", 2000)
    agent.setup("")
    agent.arc, agent._planner, agent._merging = arc, ExpertPlanner(ROUTE, agent.expert_settings), Merging([RAMP])
    return agent


def test_the_watchful_expert_foresees_all_three():
    ramp, pushes, walks = (
        on_ramp(25.0, 10.0),
        beside(80.0, 3.5, 6.0, -1.0)[0],
        [110.0, -6.0, 0, 1.57, 0.2, 0.2, 0, 1.7, 0],
    )
    rows = np.array([ramp, pushes, walks], float)
    traffic = Traffic(ROUTE, 60.0, rows, ["vehicle", "vehicle", "walker"], ahead=Watchful.sight)
    found = sorted(watchful(60.0)._foresee(traffic, 12.0, EGO_ARCS))
    assert [leader.speed for leader in found] == pytest.approx([6.0, 10.0, 0.0])
    assert ExpertAgent("localhost", 2000)._foresee(traffic, 12.0, EGO_ARCS) == []


def test_only_the_evaluators_expert_drives_faster_than_in_town():
    assert ExpertAgent.expert_settings == ExpertSettings()
    assert Watchful.expert_settings.cruise_speed > 2 * ExpertSettings().cruise_speed
