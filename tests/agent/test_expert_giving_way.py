"""Crossing traffic: gaps are used whole, waiting makes content with less, and nobody is touched, on hand-made roads."""

import math

import numpy as np
import pytest

from linkvla.agent.expert.giving_way import ACCELERATION, GivingWay
from linkvla.agent.expert.planner import EGO_HALF_LENGTH, TICK, ExpertPlanner, ExpertSettings, Leader
from linkvla.agent.expert.road_users import EGO_HALF_WIDTH, Traffic
from linkvla.agent.navigation.dense_route import DenseRoute

ZEROS = np.zeros(200)
BRAKE = 7.0  # m/s^2
SIDES = np.array([(x, y) for x in np.linspace(-1, 1, 11) for y in np.linspace(-1, 1, 5)])


def straight(junction: bool = True) -> DenseRoute:
    """200 m, all of it within a junction or none of it."""
    inside = np.full(200, junction)
    return DenseRoute(
        np.arange(200.0), ZEROS, ZEROS, ZEROS, ZEROS, ZEROS.astype(int) + 4, inside, ZEROS + 3.5, ZEROS + np.nan
    )


def row(x: float, y: float, yaw: float, speed: float) -> list[float]:
    return [x, y, 0.0, yaw, 2.4, 1.0, speed * math.cos(yaw), speed * math.sin(yaw), 0.0]


def flow(*ahead: float, speed: float = 8.0) -> list[list[float]]:
    """Cars that cross at x = 60 under 135 degrees, so many metres before the route."""
    yaw = math.radians(135.0)
    return [row(60.0 - left * math.cos(yaw), -left * math.sin(yaw), yaw, speed) for left in ahead]


class Ego:
    """Drives along a straight route and gives way; ``strength`` of the acceleration that is reckoned with."""

    def __init__(self, arc: float, speed: float, junction: bool = True, strength: float = 1.0, wish: float = 8.0):
        self.route = straight(junction)
        self.planner = ExpertPlanner(self.route, ExpertSettings(cruise_speed=max(wish, speed)))
        self.arc, self.speed, self.strength = arc, speed, strength
        self.giving_way = GivingWay()

    def hold(self, *rows: list[float], blocks: tuple[Leader, ...] = ()) -> list[Leader]:
        """Whom it gives way to now; whoever is no crosser leads as usual."""
        kinds = ["vehicle"] * len(rows)
        self.traffic = Traffic(self.route, self.arc, np.array(rows).reshape(-1, 9), kinds)
        self.giving_way.look(self.route, self.arc, self.traffic)
        blocks = [*self.traffic.leaders(), *blocks]
        profile = self.planner.speed_profile
        return self.giving_way.leaders(self.route, self.arc, self.speed, self.traffic, profile, blocks)

    def drive(self, *rows: list[float]) -> None:
        """One tick, with the pedals as the agent's controls press them: fully, once the plan is a little faster."""
        leaders = self.hold(*rows) + self.traffic.leaders()
        first, _, third = self.planner.outlook(self.arc, self.speed, leaders, [], 3)
        wish = 2.0 * (third - first)
        if wish < 0.4 or self.speed > 1.1 * wish:
            self.speed = max(0.0, self.speed - BRAKE * TICK)
        else:
            self.speed += self.strength * ACCELERATION * TICK * min(1.0, max(0.0, (wish - self.speed) / 0.57))
        self.arc += self.speed * TICK

    def touches(self, *rows: list[float]) -> bool:
        """Whether a point of its box lies within one of the others."""
        points = SIDES * (EGO_HALF_LENGTH, EGO_HALF_WIDTH) + (self.arc, 0.0)
        for x, y, _, yaw, half_length, half_width, *_ in rows:
            away = points - (x, y)
            along, aside = away @ (math.cos(yaw), math.sin(yaw)), away @ (-math.sin(yaw), math.cos(yaw))
            if ((np.abs(along) < half_length) & (np.abs(aside) < half_width)).any():
                return True
        return False


def test_one_that_crosses_at_the_same_time_is_waited_for_before_its_way():
    (leader,) = Ego(40.0, 10.0).hold(row(60.0, -16.0, math.pi / 2, 10.0))
    assert leader.speed == 0.0 and 53.0 < leader.arc_of_rear < 56.0


@pytest.mark.parametrize(
    "other",
    [
        row(60.0, -3.0, math.pi / 2, 12.0),  # will be past
        row(60.0, -70.0, math.pi / 2, 10.0),  # comes later
        row(60.0, -16.0, -math.pi / 2, 10.0),  # drives away
        row(60.0, 3.5, math.pi, 10.0),  # oncoming in its own lane
        row(60.0, -16.0, math.pi / 2, 3.0),  # has room to stop
    ],
)
def test_others_do_not_stop_it(other):
    assert Ego(40.0, 10.0).hold(other) == []


def test_in_a_junction_those_who_come_towards_the_ego_go_first_from_further_away():
    far = flow(40.0)[0]
    assert Ego(50.0, 0.0).hold(far) == []  # it gets through before
    assert len(Ego(40.0, 0.0).hold(far)) == 1
    assert Ego(40.0, 0.0, junction=False).hold(far) == []


@pytest.mark.parametrize(
    ("other", "leads"),
    [
        (row(60.0, 0.0, math.pi / 2, 6.0), False),  # drives across, and is there now
        (row(60.0, 0.0, math.pi / 2, 0.0), True),  # stands across
        (row(60.0, 0.0, 0.3, 6.0), True),  # drives along
        (row(90.0, 0.0, math.pi, 6.0), True),  # comes head-on, in the ego's lane
    ],
)
def test_who_only_drives_across_leads_nobody(other, leads):
    ego = Ego(40.0, 5.0)
    ego.hold(other)
    assert len(ego.traffic.leaders()) == leads


def test_whoever_cannot_stop_before_the_place_any_more_clears_it():
    near = row(60.0, -8.0, math.pi / 2, 6.0)
    assert len(Ego(52.0, 1.0).hold(near)) == 1
    assert Ego(60.0 - 1.7 - EGO_HALF_LENGTH, 5.0).hold(near) == []


def test_a_gap_is_no_use_while_the_way_behind_it_is_blocked():
    assert Ego(50.0, 0.0).hold(*flow(34.0)) == []
    assert len(Ego(50.0, 0.0).hold(*flow(34.0), blocks=(Leader(66.0, 0.0),))) == 1


def test_waiting_makes_content_with_a_smaller_gap_and_free_road_forgets_it():
    ego, gap = Ego(50.0, 0.0), flow(30.0)
    began = next(tick for tick in range(600) if not ego.hold(*gap))
    assert 1.0 < began * TICK < 15.0
    ego = Ego(50.0, 0.0)
    for tick in range(began + 1):
        held = ego.hold(*gap) if tick != began // 2 else ego.hold()
    assert held != []


def test_a_gap_is_not_given_up_half_way():
    tight = flow(26.0)
    assert len(Ego(50.0, 3.0).hold(*tight)) == 1
    ego = Ego(50.0, 3.0)
    assert ego.hold(*flow(40.0)) == [] and ego.hold(*tight) == []


def stream(seed: int, least: float, most: float, count: int = 60) -> np.ndarray:
    """Metres before the route of cars that follow one another."""
    return np.cumsum(np.random.default_rng(seed).uniform(least, most, count)) - 30.0


@pytest.mark.parametrize(("seed", "strength"), [(1, 1.0), (2, 0.7), (3, 1.2)])
def test_an_unbroken_flow_is_crossed_soon_and_without_a_touch(seed, strength):
    ego, left = Ego(30.0, 6.0, strength=strength), stream(seed, 24.0, 28.0)
    for tick in range(round(35.0 / TICK)):
        near = flow(*(left - 8.0 * TICK * tick)[np.abs(left - 8.0 * TICK * tick) < 90.0])
        ego.drive(*near)
        assert not ego.touches(*near)
        if ego.arc > 72.0:
            return
    pytest.fail(f"still at {ego.arc:.1f} m")


def test_a_flow_without_gaps_is_waited_for():
    ego, left = Ego(35.0, 6.0), stream(4, 9.0, 13.0, 90)
    for tick in range(round(30.0 / TICK)):
        near = flow(*(left - 8.0 * TICK * tick)[np.abs(left - 8.0 * TICK * tick) < 60.0])
        ego.drive(*near)
        assert not ego.touches(*near)
    assert ego.arc < 56.0 and ego.speed < 0.5


def test_it_never_starts_into_a_gap_that_it_cannot_clear():
    """Whoever comes towards it, and however fast: once it goes, full acceleration takes it through untouched."""
    random, went = np.random.default_rng(7), 0
    for _ in range(150):
        yaw, speed = math.radians(random.uniform(122.0, 140.0)), random.uniform(4.0, 14.0)
        left = np.cumsum(random.uniform(8.0, 50.0, 3)) - 15.0
        ego = Ego(random.uniform(48.0, 53.0), 0.0)
        ego.giving_way._waited = 30.0  # as content as it gets
        cars = [row(60.0 - one * math.cos(yaw), -one * math.sin(yaw), yaw, speed) for one in left]
        if ego.hold(*cars) or not ego.traffic.awaited.any():
            continue
        went += 1
        for _ in range(80):
            ego.speed = min(8.0, ego.speed + ACCELERATION * TICK)
            ego.arc += ego.speed * TICK
            cars = [[x + vx * TICK, y + vy * TICK, *rest, vx, vy, turn] for x, y, *rest, vx, vy, turn in cars]
            assert not ego.touches(*cars)
    assert 20 < went < 140
