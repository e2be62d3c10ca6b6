"""Where background cars come from around a route, and when one is brought there."""

import math

import carla
import numpy as np
import pytest

from linkvla.agent.navigation.road_graph import trace_route
from linkvla.launch.evaluation.benchmarks import SHIPPED
from linkvla.launch.evaluation.facts import EgoFacts, RouteLine
from linkvla.launch.evaluation.route_file import read_routes
from linkvla.launch.evaluation.scenarios.places import lanes_beside
from linkvla.launch.evaluation.traffic import CarState, Wishes
from linkvla.launch.evaluation.traffic_around import TrafficAround
from linkvla.launch.evaluation.traffic_places import junctions_of, oncoming
from linkvla.launch.sim.world.town_loader import load_town

HIDDEN = 50.0  # m; nearer ones may only appear where the ego does not look


@pytest.fixture(scope="module")
def maple():
    return load_town("Maple").map


@pytest.fixture(scope="module")
def line(maple):
    dense = trace_route(maple, read_routes(SHIPPED / "heldout.xml", "1")[0].keypoints)
    return RouteLine(np.stack([dense.x, dense.y, dense.z], axis=1), dense.yaw_rad)


class Parked:
    """Thirty cars far away that stay where they are put."""

    def __init__(self, centre):
        self.wishes, self.centre, self.held, self.gone = Wishes(), centre, set(), []
        self.cars = {number: CarState(number, 5000.0 + number, 0.0, 0.0) for number in range(1, 31)}
        self.moves = []

    @property
    def actor_ids(self):
        return list(self.cars)

    def states(self):
        return list(self.cars.values())

    def is_held(self, number):
        return number in self.held

    def move(self, number, pose, speed=0.0):
        self.moves.append((number, pose.location))
        self.cars[number] = CarState(number, pose.location.x, pose.location.y, speed)

    def remove(self, ids):
        self.gone += ids


def facts(line, index, tick, speed=8.0):
    yaw = math.atan2(line.directions[index, 1], line.directions[index, 0])
    return EgoFacts(time=tick / 20, tick=tick, location=tuple(line.points[index]), yaw=yaw, speed=speed)


def drive(line, maple, traffic, quiet=False, seed=0):
    """Along the whole route at 8 m/s; returns (ego's index, tick, car, place) of all who were put somewhere."""
    around, put, tick = TrafficAround(line, maple, traffic, seed), [], 1
    for index in range(len(line)):
        for _ in range(3):  # a route has a point every metre
            before = len(traffic.moves)
            around.step(facts(line, index, tick), float(line.arcs[index]), quiet)
            put += [(index, tick, *move) for move in traffic.moves[before:]]
            tick += 1
    return put


def test_the_arms_of_a_junction_are_all_lanes_to_it_but_the_routes_own(line, maple):
    junctions = junctions_of(line, maple)
    assert len(junctions) >= 3
    for junction in junctions:
        own = maple.get_waypoint(carla.Location(*line.points[int(junction.entry) - 3]))
        for arm in junction.arms:
            assert not arm.place.is_junction and arm.length >= 15.0
            assert (arm.place.road_id, arm.place.lane_id) != (own.road_id, own.lane_id)
            way = arm.place
            for _ in range(int(arm.length) + 6):
                way = way.next(1.0)[0]
            assert way.is_junction


def test_lanes_beside_go_along_and_oncoming_ones_against(line, maple):
    waypoint = maple.get_waypoint(carla.Location(*line.points[20]))
    along = waypoint.transform.get_forward_vector()
    lanes = [(lane, 1.0) for lane in lanes_beside(waypoint)] + [(lane, -1.0) for lane in oncoming(waypoint)]
    assert {sign for _, sign in lanes} == {1.0, -1.0}
    for lane, sign in lanes:
        forward = lane.transform.get_forward_vector()
        assert sign * (along.x * forward.x + along.y * forward.y) > 0.99


def test_cars_come_to_every_junction_and_appear_where_they_are_not_seen(line, maple):
    traffic = Parked(carla.Location(*line.points[0]))
    put = drive(line, maple, traffic)
    junctions = junctions_of(line, maple)
    came = [
        any(place.distance(arm.place.transform.location) < 0.5 for *_, place in put for arm in junction.arms)
        for junction in junctions
    ]
    assert all(came)
    for index, tick, _, place in put:
        x, y = place.x - line.points[index, 0], place.y - line.points[index, 1]
        ahead = x * line.directions[index, 0] + y * line.directions[index, 1]
        assert tick == 1 or math.hypot(x, y) > HIDDEN or ahead < 0.5 * math.hypot(x, y)


def test_the_same_seed_brings_the_same_cars_and_another_seed_others(line, maple):
    first, same, other = (drive(line, maple, Parked(carla.Location()), seed=seed) for seed in (3, 3, 4))

    def where(put):
        return [(tick, number, place.x, place.y) for _, tick, number, place in put]

    assert where(first) == where(same) != where(other)


def test_nobody_is_brought_while_a_scenario_plays_or_where_the_route_wants_none(line, maple):
    assert not drive(line, maple, Parked(carla.Location()), quiet=True)
    traffic = Parked(carla.Location())
    traffic.wishes.arm_share, traffic.wishes.oncoming = 0.0, False
    wanted = len(drive(line, maple, Parked(carla.Location())))
    assert 0 < len(drive(line, maple, traffic)) < wanted / 2


def test_cars_whose_pace_a_scenario_sets_stay(line, maple):
    traffic = Parked(carla.Location())
    traffic.held = set(range(1, 16))
    moved = {number for _, _, number, _ in drive(line, maple, traffic)}
    assert moved and not moved & traffic.held


def test_cars_that_block_a_junction_before_which_the_ego_stands_are_sent_away(line, maple):
    traffic = Parked(carla.Location())
    entry = junctions_of(line, maple)[0].entry
    inside, before = (line.points[int(entry) + offset] for offset in (6, -25))
    traffic.cars[1] = CarState(1, inside[0], inside[1], 0.0)
    traffic.cars[2] = CarState(2, before[0], before[1], 0.0)
    around = TrafficAround(line, maple, traffic)
    for tick in range(1, 600):
        around.step(facts(line, int(entry) - 8, tick, speed=0.0), entry - 8.0, quiet=True)
        assert tick > 480 or not traffic.gone
    assert set(traffic.gone) == {1}
