"""Each judge, fed by hand with what a drive would show it."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from linkvla.launch.evaluation.facts import CollisionFact, EgoFacts, LaneFact, RouteLine
from linkvla.launch.evaluation.judge_panel import JudgePanel
from linkvla.launch.evaluation.judges_route import (
    BlockedJudge,
    DeviationJudge,
    MinimumSpeedJudge,
    OutsideRouteLanesJudge,
    RouteCompletionJudge,
    TimeoutJudge,
    angle_between,
)
from linkvla.launch.evaluation.judges_traffic import (
    CollisionJudge,
    LaneStop,
    LightRule,
    RedLightJudge,
    StopRule,
    StopSignJudge,
    collision_kind,
    segments_cross,
)

LENGTH = 200
OUTSIDE = "Agent went outside its route lanes for about {} meters ({}% of the completed route)"


def straight(length=LENGTH):
    """A route along +x, one point a metre."""
    points = np.zeros((length + 1, 3))
    points[:, 0] = np.arange(length + 1)
    return RouteLine(points, np.zeros(length + 1))


def facts(x=0.0, y=0.0, time=0.0, tick=1, yaw=0.0, speed=5.0, **others):
    others.setdefault("forward_speed", speed)
    return EgoFacts(time=time, tick=tick, location=(x, y, 0.0), yaw=yaw, speed=speed, **others)


def feed(judge, sequence):
    for one in sequence:
        judge.step(one)
    return judge


def drive(start=0.0, end=LENGTH, step=0.5, **others):
    return [facts(x=float(x), time=i * 0.05, tick=i + 1, **others) for i, x in enumerate(np.arange(start, end, step))]


class TestRouteCompletion:
    def test_reaches_the_end(self):
        judge = feed(RouteCompletionJudge(straight()), drive(end=200.0))
        assert judge.done
        assert judge.percent == 100.0

    def test_99_percent_is_not_done(self):
        judge = feed(RouteCompletionJudge(straight()), drive(end=199.0))
        assert not judge.done
        assert judge.percent == 99.0

    def test_a_jump_ahead_does_not_count(self):
        judge = feed(RouteCompletionJudge(straight()), [facts(x=0.5), facts(x=150.0)])
        assert judge.percent == 1.0  # two points a tick at most
        assert not judge.done

    @given(st.lists(st.floats(-50, 250), max_size=30))
    @settings(max_examples=50)
    def test_never_goes_back(self, places):
        judge, last = RouteCompletionJudge(straight()), 0.0
        for x in places:
            judge.step(facts(x=x))
            assert 0.0 <= last <= judge.percent <= 100.0
            last = judge.percent


class TestOutsideRouteLanes:
    def test_clean(self):
        assert feed(OutsideRouteLanesJudge(straight()), drive(lane_distance=2.2)).infractions() == []

    def test_percentage_of_the_driven_route(self):
        judge = feed(OutsideRouteLanesJudge(straight()), drive(end=151.0))
        feed(judge, drive(start=151.0, end=201.0, lane_distance=2.3))  # 1.75 + 0.5 m is the edge
        (event,) = judge.infractions()
        assert event.percentage == pytest.approx(25.0)
        assert (
            event.message == "Agent went outside its route lanes for about 50.0 meters (25.0% of the completed route)"
        )

    def test_wrong_way_after_a_junction(self):
        lanes = [LaneFact(1, -1, 0.0, False), LaneFact(2, -1, 0.0, True), LaneFact(3, 1, math.pi, False)]
        judge = OutsideRouteLanesJudge(straight())
        feed(judge, drive(end=101.0, lane=lanes[0]))
        feed(judge, drive(start=101.0, end=121.0, lane=lanes[1]))
        feed(judge, drive(start=121.0, end=201.0, lane=lanes[2]))
        (event,) = judge.infractions()
        assert event.percentage == pytest.approx(40.0)

    def test_opposite_lane_and_back(self):
        own, other = LaneFact(1, -1, 0.0, False), LaneFact(1, 1, math.pi, False)
        judge = OutsideRouteLanesJudge(straight())
        feed(judge, drive(end=51.0, lane=own))
        feed(judge, drive(start=51.0, end=71.0, lane=other))
        feed(judge, drive(start=71.0, end=201.0, lane=own))
        assert judge.infractions()[0].percentage == pytest.approx(10.0)


class TestDeviation:
    def test_more_than_30_m(self):
        assert feed(DeviationJudge(straight()), [facts(y=29.9)]).event is None
        event = feed(DeviationJudge(straight()), [facts(x=0.0, y=30.1)]).event
        assert event.message == "Agent deviated from the route at (x=0.0, y=30.1, z=0.0)"

    def test_more_than_30_percent_while_15_m_off(self):
        judge = feed(DeviationJudge(straight()), drive(end=59.0, y=20.0))
        assert judge.event is None
        assert feed(judge, drive(start=59.0, end=63.0, y=20.0)).event is not None

    def test_near_the_route_is_fine(self):
        assert feed(DeviationJudge(straight()), drive(y=14.0)).event is None


class TestBlocked:
    def test_after_sixty_seconds(self):
        judge = BlockedJudge(60.0)
        feed(judge, [facts(time=0.0, speed=0.0), facts(time=60.0, speed=0.0)])
        assert judge.event is None
        assert feed(judge, [facts(time=60.05, speed=0.05)]).event.kind == "vehicle_blocked"

    def test_motion_starts_the_clock_again(self):
        judge = feed(BlockedJudge(60.0), [facts(time=0.0, speed=0.0), facts(time=59.0, speed=0.2)])
        assert feed(judge, [facts(time=118.0, speed=0.0)]).event is None


class TestTimeout:
    def test_bench2drive_ticks(self):
        judge = feed(TimeoutJudge(straight()), [facts(tick=4000)])
        assert not judge.out_of_ticks
        assert feed(judge, [facts(tick=4001)]).out_of_ticks

    def test_300_s_without_progress(self):
        judge = feed(TimeoutJudge(straight(), None), [facts(time=300.0)])
        assert judge.event is None
        assert feed(judge, [facts(time=300.1)]).event.message == "Route timeout."

    def test_progress_prolongs(self):
        judge = TimeoutJudge(straight(), None)
        feed(judge, drive(end=101.0, speed_limit=10.0))  # 100 m at a tenth of 10 m/s: 100 s more
        assert feed(judge, [facts(x=100.0, time=399.9)]).event is None
        assert feed(judge, [facts(x=100.0, time=400.1)]).event is not None


class TestMinimumSpeed:
    def test_one_event_per_section(self):
        judge = feed(MinimumSpeedJudge(straight(), sections=4), drive(end=200.0, speed=4.0, traffic_speed=8.0))
        judge.finish()
        judge.finish()
        assert [event.percentage for event in judge.infractions()] == [50.0] * 4
        assert judge.infractions()[0].message == "Average speed is 50.0% of the surrounding traffic's one"

    def test_no_traffic(self):
        judge = feed(MinimumSpeedJudge(straight(), sections=1), drive(end=199.0))
        judge.finish()
        assert judge.infractions()[0].message == "Average speed is 100% of the surrounding traffic's one"

    def test_a_route_broken_off_leaves_its_last_section_out(self):
        judge = feed(MinimumSpeedJudge(straight(), sections=1), drive(end=100.0))
        judge.finish()
        assert judge.infractions() == []


CAR, WALKER, WALL = (
    CollisionFact(7, "vehicle.audi.tt"),
    CollisionFact(8, "walker.pedestrian.0001"),
    CollisionFact(0, "static.building"),
)


class TestCollision:
    def kinds(self, *sequence):
        return [event.kind for event in feed(CollisionJudge(), sequence).infractions()]

    def test_kinds_and_message(self):
        judge = feed(CollisionJudge(), [facts(x=3.0, collisions=(CAR,))])
        (event,) = judge.infractions()
        assert event.kind == "collisions_vehicle"
        assert (
            event.message == "Agent collided against object with type=vehicle.audi.tt and id=7 at (x=3.0, y=0.0, z=0.0)"
        )

    @pytest.mark.parametrize(
        ("type_id", "kind"),
        [
            ("static.fence", "collisions_layout"),
            ("traffic.traffic_light", "collisions_layout"),
            ("static.sidewalk", None),
            ("vehicle.carlamotors.carlacola", "collisions_vehicle"),
            ("walker.pedestrian.0042", "collisions_pedestrian"),
            ("sensor.camera.rgb", None),
        ],
    )
    def test_kind(self, type_id, kind):
        assert collision_kind(type_id) == kind

    def test_same_place_counts_once(self):
        assert self.kinds(facts(collisions=(CAR, WALL)), facts(x=4.9, time=9.0, collisions=(WALKER,))) == [
            "collisions_vehicle"
        ]

    def test_elsewhere_the_same_car_counts_again_after_five_seconds(self):
        assert self.kinds(facts(collisions=(CAR,)), facts(x=20.0, time=4.0, collisions=(CAR,))) == [
            "collisions_vehicle"
        ]
        assert len(self.kinds(facts(collisions=(CAR,)), facts(x=20.0, time=5.1, collisions=(CAR,)))) == 2

    def test_elsewhere_another_counts_at_once(self):
        assert self.kinds(facts(collisions=(CAR,)), facts(x=5.1, time=0.5, collisions=(WALKER,))) == [
            "collisions_vehicle",
            "collisions_pedestrian",
        ]

    def test_static_things_are_told_apart_by_place(self):
        assert len(self.kinds(facts(collisions=(WALL,)), facts(x=6.0, time=1.0, collisions=(WALL,)))) == 2

    def test_standing_ego_is_not_at_fault(self):
        assert self.kinds(facts(speed=0.09, collisions=(CAR,))) == []


STOP_LINE = LaneStop(x=20.0, y=0.0, yaw=0.0, width=3.5, road_id=1, lane_id=-1)
LIGHT = LightRule(id=5, location=(25.0, 4.0, 0.0), centre=(20.0, 0.0, 0.0), stops=(STOP_LINE,))


class TestRedLight:
    def run(self, red=(5,), lane=(1, -1), start=0.0, end=40.0, y=0.0, yaw=0.0, lights=(LIGHT,)):
        judge = RedLightJudge(lights)
        places = drive(start, end, y=y, yaw=yaw, red_lights=frozenset(red), tail_lane=lane)
        return feed(judge, places).infractions()

    def test_tail_over_the_line(self):
        (event,) = self.run()
        assert event.message == "Agent ran a red light 5 at (x=25.0, y=4.0, z=0.0)"

    def test_only_when_the_tail_reaches_the_line(self):
        # tail from 0.8 * 2.45 = 1.96 m to 3.45 m behind the origin
        assert self.run(end=21.6) == []
        assert len(self.run(end=22.6)) == 1
        assert self.run(start=23.5) == []  # the light turned red when the tail was past

    def test_not_red_other_lane_other_direction(self):
        assert self.run(red=()) == []
        assert self.run(lane=(1, -2)) == []
        assert self.run(lane=None) == []
        assert self.run(yaw=math.pi) == []

    def test_farther_than_15_m(self):
        far = LightRule(5, (0.0, 0.0, 0.0), (40.0, 0.0, 0.0), (STOP_LINE,))
        assert self.run(lights=(far,), end=24.0) == []

    def test_line_is_a_little_wider_than_the_lane(self):
        assert len(self.run(y=2.0)) == 1  # 0.6 * 3.5 = 2.1 m
        assert self.run(y=2.2) == []

    def test_the_same_light_counts_once(self):
        assert len(self.run() + []) == 1
        judge = RedLightJudge((LIGHT,))
        for _ in range(2):
            feed(judge, drive(0, 40, red_lights=frozenset((5,)), tail_lane=(1, -1)))
        assert len(judge.infractions()) == 1


@given(*[st.floats(-10, 10) for _ in range(8)])
def test_crossing_is_symmetric(ax, ay, bx, by, cx, cy, dx, dy):
    first, second = ((ax, ay), (bx, by)), ((cx, cy), (dx, dy))
    assert segments_cross(first, second) == segments_cross(second, first)


def test_crossing_examples():
    assert segments_cross(((0, 0), (2, 2)), ((0, 2), (2, 0)))
    assert segments_cross(((0, 0), (1, 1)), ((1, 1), (2, 0)))
    assert not segments_cross(((0, 0), (1, 0)), ((0, 1), (1, 1)))
    assert not segments_cross(((0, 0), (1, 1)), ((3, 0), (3, 9)))


SIGN = StopRule(id=9, location=(31.0, 4.0, 0.0), centre=(30.0, 0.0, 0.0), half_x=1.5, half_y=1.5)


class TestStopSign:
    def run(self, speeds=(5.0,), y=0.0, forward=None, lane=None):
        judge = StopSignJudge((SIGN,))
        for index, x in enumerate(np.arange(20.0, 45.0, 0.25)):
            ahead = tuple((float(x + 0.5 * step), y, 0.0) for step in range(9))
            speed = speeds[index % len(speeds)] if 29.0 < x < 30.0 else 5.0
            one = facts(x=float(x), speed=speed, lane_centres_ahead=ahead, lane=lane)
            if forward is not None:
                one = facts(x=float(x), speed=speed, lane_centres_ahead=ahead, lane=lane, forward_speed=forward)
            judge.step(one)
        return judge.infractions()

    def test_rolling_through(self):
        (event,) = self.run()
        assert event.message == "Agent ran a stop with id=9 at (x=31.0, y=4.0, z=0.0)"

    def test_slow_is_not_stopped(self):
        assert len(self.run(speeds=(0.11,))) == 1

    def test_stopped(self):
        assert self.run(speeds=(0.05,)) == []

    def test_beside_the_area(self):
        assert self.run(y=2.0) == []  # 1.2 * 1.5 = 1.8 m

    def test_backwards_or_against_the_lane(self):
        assert self.run(forward=-1.0) == []
        assert self.run(lane=LaneFact(1, 1, math.pi, False)) == []


class TestPanel:
    def test_clean_drive_completes(self):
        panel = JudgePanel(straight())
        for one in drive(end=250.0):
            if not panel.step(one):
                break
        panel.finish()
        assert panel.done
        assert panel.failure == ""
        assert {event.kind for event in panel.events()} == {"min_speed_infractions"}

    @pytest.mark.parametrize(
        ("ending", "failure"),
        [
            (facts(y=40.0), "Agent deviated from the route"),
            (facts(time=70.0, speed=0.0), "Agent got blocked"),
            (facts(time=301.0), "Agent timed out"),
            (facts(tick=4001), "TickRuntime"),
        ],
    )
    def test_endings(self, ending, failure):
        panel = JudgePanel(straight())
        assert panel.step(facts(x=0.1))
        assert not panel.step(ending)
        assert panel.failure == failure
        assert not panel.done


@given(st.floats(-20, 20), st.floats(-20, 20))
def test_angle_between(first, second):
    angle = angle_between(first, second)
    assert 0.0 <= angle <= math.pi
    assert math.cos(angle) == pytest.approx(math.cos(first - second), abs=1e-9)
