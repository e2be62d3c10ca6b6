"""Out of a parking bay: a straight road with one lane, the ego four metres to its right."""

import math
from types import SimpleNamespace

import carla
import numpy as np
import pytest

from linkvla.agent.control.plan_follower import PlanFollower
from linkvla.agent.expert.departing import Departure
from linkvla.agent.expert.expert_agent import ExpertDriver
from linkvla.agent.expert.planner import EGO_HALF_LENGTH, ExpertPlanner
from linkvla.agent.expert.road_users import Traffic
from linkvla.agent.expert.surroundings import Nature, Other
from linkvla.agent.expert.watchful import WatchfulDriver
from linkvla.agent.navigation.dense_route import DenseRoute

COUNT = 200
ZEROS = np.zeros(COUNT)
ROUTE = DenseRoute(
    np.arange(float(COUNT)), ZEROS, ZEROS, ZEROS, ZEROS, ZEROS.astype(int) + 4, ZEROS.astype(bool), ZEROS + 3.5,
    ZEROS + 15.0,
)  # fmt: skip
START, ASIDE = 40.0, 4.1  # m
WHEELBASE, LOCK = 2.86, math.radians(40.0)


def car(first, speed=0.0, nature=Nature.DRIVING):
    return Other(1, nature, first, first + 4.6, -0.95, 0.95, speed, 1.0)


@pytest.mark.parametrize(
    ("one", "waits"),
    [
        (None, False),
        (car(START - 2.3), True),  # stands beside
        (car(START - 2.3, 6.0), True),
        (car(START + 15.0, 6.0), False),  # drives off
        (car(START - 30.0, 12.0), True),  # comes from behind
        (car(START - 85.0, 12.0), False),
        (car(START + 30.0, nature=Nature.PARKED), False),  # is gone round later
        (car(START - 2.3)._replace(left=2.9, right=4.8), False),  # in the bay
        (car(START + 40.0, -12.0)._replace(along=-1.0, left=-4.4, right=-2.5), False),  # in the oncoming lane
    ],
)
def test_the_lane_is_entered_when_nobody_needs_the_place(one, waits):
    assert Departure().waits(START, 0.0, [] if one is None else [one]) is waits


def test_who_has_waited_asks_more_of_those_from_behind():
    departure = Departure()
    coming = [car(START - 36.0, 12.0)]
    assert departure.waits(START, 0.0, coming)
    assert not all(departure.waits(START, 0.0, coming) for _ in range(1000))


def test_only_an_ego_beside_the_road_departs():
    inside, outside = (START, 0.4, 0.0), (START, ASIDE, 0.0)
    departure = Departure()
    assert departure.is_over(ROUTE, inside, START, 0.0)
    assert not departure.is_over(ROUTE, outside, START, 0.0)
    assert departure.is_over(ROUTE, outside, START, 2.0)
    assert departure.is_over(ROUTE, outside, START, 0.0)  # has begun, and carries on


def test_the_way_out_clears_a_car_parked_four_metres_ahead():
    """A bicycle model with a modest lock; the front car's centre is 9 m ahead."""
    planner, follower = ExpertPlanner(ROUTE, WatchfulDriver.expert_settings), PlanFollower()
    x, y, yaw, speed, steer, room = START, ASIDE, 0.0, 0.0, 0.0, math.inf
    outline = np.array([(along, aside) for along in np.linspace(-1.0, 1.0, 9) for aside in (-1.0, 1.0)])
    for _ in range(120):
        pedals = follower.step(planner.plan(planner.project(x, y, x), (x, y, yaw), speed), speed)
        steer += np.clip(pedals.steer - steer, -0.12, 0.12)
        speed = max(0.0, speed + (3.0 * pedals.throttle - 6.0 * pedals.brake) * 0.05)
        slip = math.atan(0.5 * math.tan(steer * LOCK))
        x, y = x + speed * math.cos(yaw + slip) * 0.05, y + speed * math.sin(yaw + slip) * 0.05
        yaw += 2.0 * speed / WHEELBASE * math.sin(slip) * 0.05
        along, aside = (outline * (EGO_HALF_LENGTH, 0.92)).T
        ahead = np.abs(x + along * math.cos(yaw) - aside * math.sin(yaw) - START - 9.0) - 2.4
        beside = np.abs(y + along * math.sin(yaw) + aside * math.cos(yaw) - ASIDE) - 0.95
        room = min(room, float(np.maximum(ahead, beside).min()))
    assert room > 0.3
    assert abs(y) < 0.1 and abs(yaw) < 0.05


class Bystander(ExpertDriver):
    """Sees one car that stands in the lane, its middle as far along the road as ``car_at`` (m)."""

    car_at = START

    def _look(self, snapshot, speed):
        rows = np.array([(self.car_at, 0.0, 0.0, 0.0, 2.3, 0.95, 0.0, 0.0, 0.0)])
        return Traffic(self.route, self.arc, rows, ["vehicle"], [1])


@pytest.mark.parametrize(("car_at", "aside", "goes"), [(START, ASIDE, False), (START, 0.0, True), (5.0, ASIDE, True)])
def test_the_expert_plans_to_stand_until_then(car_at, aside, goes):
    driver = Bystander()
    driver.setup("")
    control = carla.VehicleControl()
    actor = SimpleNamespace(attributes={}, get_control=lambda: control)
    driver.car_at, driver.route, driver.arc = car_at, ROUTE, START
    driver._planner = ExpertPlanner(ROUTE)
    driver._signals = SimpleNamespace(stop_arcs=lambda arc, speed: [])
    driver._users = SimpleNamespace(actors={1: actor})
    plan = driver._decide(None, (START, aside, 0.0), 0.0)
    assert (np.hypot(*plan.speed_waypoints_in_ego[-1]) > 1.0) == goes
