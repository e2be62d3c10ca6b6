"""Obstacles on the route, ways past them, gaps beside them, and the decisions over time, on hand-made scenes."""

import math
from types import SimpleNamespace

import carla
import numpy as np
import pytest

from linkvla.agent.expert.carriageway import Cut, Lane, cut_at
from linkvla.agent.expert.detour import Detour, WayPast, Whose, ways_past
from linkvla.agent.expert.gaps import TIMES, creeping, ego_trip, insistence, is_free, reached
from linkvla.agent.expert.obstacles import next_obstacle
from linkvla.agent.expert.passing import Passing, held_back
from linkvla.agent.expert.planner import EGO_HALF_LENGTH
from linkvla.agent.expert.road_users import EGO_HALF_WIDTH, Traffic
from linkvla.agent.expert.surroundings import Nature, Other, place_others
from linkvla.agent.navigation.dense_route import DenseRoute

COUNT = 400
ZEROS = np.zeros(COUNT)
ROUTE = DenseRoute(
    np.arange(float(COUNT)), ZEROS, ZEROS, ZEROS, ZEROS, ZEROS.astype(int) + 4, ZEROS.astype(bool), ZEROS + 3.5,
    ZEROS + np.nan,
)  # fmt: skip
WISH = ZEROS + 8.0
ONE_WAY = Cut(3.5, Lane(-3.5, 3.5, True), None)
TWO_WAY = Cut(3.5, Lane(-3.5, 3.5, False), None)


def other(first, middle, *, nature=Nature.DRIVING, length=4.6, width=1.9, speed=0.0, same_way=True, number=1):
    along = 1.0 if same_way else -1.0
    return Other(number, nature, first, first + length, middle - width / 2, middle + width / 2, speed, along)


def parked(first, middle=1.2, number=7):
    return other(first, middle, nature=Nature.PARKED, number=number)


def cyclist(first, speed=3.0, number=5):
    return other(first, 1.0, nature=Nature.CYCLIST, length=1.8, width=0.7, speed=speed, number=number)


def test_what_can_be_waited_for_is_no_obstacle():
    queue = other(40.0, 0.0)
    walker = other(40.0, 0.0, nature=Nature.WALKER)
    aside = other(40.0, 3.0, nature=Nature.PROP)
    in_the_middle = cyclist(40.0)._replace(left=-0.4, right=0.4)
    fast = cyclist(40.0, speed=7.0)
    assert next_obstacle([queue, walker, aside, in_the_middle, fast], 10.0) is None


def test_what_stands_close_together_is_one_obstacle():
    things = [parked(40.0, number=1), parked(55.0, number=2), parked(150.0, number=3)]
    found = next_obstacle(things, 10.0)
    assert (found.first, found.last) == (40.0, 59.6)
    assert found.members == {1, 2}
    assert found.left == pytest.approx(1.2 - 0.95 - 0.6)
    assert next_obstacle(things, 100.0).members == {3}


def test_the_own_lane_is_taken_where_it_is_wide_enough():
    obstacle = next_obstacle([other(40.0, 1.9, nature=Nature.PROP, width=1.4)], 10.0)
    (way,) = ways_past(obstacle, Cut(4.0, None, None))
    assert way.lane is Whose.OWN
    assert way.shift + EGO_HALF_WIDTH == pytest.approx(obstacle.left)


def test_less_room_is_left_where_there_is_no_more():
    wide = Cut(3.5, Lane(-3.5, 3.5, True), None)
    farthest = 3.5 + 1.75 - EGO_HALF_WIDTH - 0.1
    obstacle = next_obstacle([parked(40.0)], 10.0)
    (way,) = ways_past(obstacle._replace(left=EGO_HALF_WIDTH - farthest - 0.2), wide)
    assert way.shift == pytest.approx(-farthest)
    assert ways_past(obstacle._replace(left=EGO_HALF_WIDTH - farthest - 0.3), wide) == []


@pytest.mark.parametrize(("cut", "lane", "shift"), [(ONE_WAY, Whose.SAME_WAY, -3.5), (TWO_WAY, Whose.ONCOMING, None)])
def test_the_neighbouring_lane_is_taken_else(cut, lane, shift):
    obstacle = next_obstacle([parked(40.0)], 10.0)
    (way,) = ways_past(obstacle, cut)
    assert way.lane is lane
    assert way.shift == pytest.approx(obstacle.left - EGO_HALF_WIDTH if shift is None else shift)


def test_a_lane_of_the_same_direction_is_better_than_an_oncoming_one():
    obstacle = next_obstacle([parked(40.0, 0.0)], 10.0)
    ways = ways_past(obstacle, Cut(3.5, Lane(-3.5, 3.5, False), Lane(3.5, 3.5, True)))
    assert [way.lane for way in ways] == [Whose.SAME_WAY, Whose.ONCOMING]


def test_there_is_no_way_past_where_the_road_ends():
    obstacle = next_obstacle([parked(40.0, 0.0)], 10.0)
    assert ways_past(obstacle, Cut(3.5, None, None)) == []
    assert ways_past(obstacle._replace(left=-4.0, right=4.0), ONE_WAY) == []


def test_a_detour_is_smooth_and_leaves_the_route_alone_elsewhere():
    detour = Detour(WayPast(-3.5, Whose.SAME_WAY), 20.0, 40.0, 60.0, 80.0)
    offset = detour.offset(ROUTE.arc)
    assert np.all(offset[:21] == 0.0) and np.all(offset[80:] == 0.0)
    assert offset[40:61] == pytest.approx(-3.5)
    assert np.abs(np.diff(offset, 2)).max() < 0.06
    line = ROUTE.beside(offset)
    assert np.array_equal(line.arc, ROUTE.arc)
    assert line.y[50] == pytest.approx(-3.5)
    assert line.yaw_rad[30] == pytest.approx(math.atan2(-3.5 * 1.5, 20.0), abs=0.01)


def test_the_trip_gains_speed_and_keeps_it():
    trip = ego_trip(10.0, 0.0, 8.0)
    assert trip[0] == 10.0
    assert np.diff(trip)[-1] == pytest.approx(2.0)
    assert np.all(np.diff(trip, 2) > -1e-9)
    assert np.diff(ego_trip(10.0, 12.0, 8.0))[-1] == pytest.approx(2.0)


def test_where_moving_things_are_reached():
    trip = ego_trip(0.0, 8.0, 8.0)
    assert reached(trip, 33.0, 0.0) == pytest.approx(33.0)
    assert reached(trip, 25.0, 3.0) == pytest.approx(40.0)
    assert reached(trip, -3.0, 0.0) == 0.0
    assert reached(trip, 25.0, 8.0) is None


def free(*others, speed=8.0, brake=2.0):
    return is_free(ego_trip(0.0, speed, 8.0), (20.0, 60.0), (-3.0, -0.7), others, brake)


def oncoming(first, speed=-10.0):
    return other(first, -3.5, speed=speed, same_way=False)


def test_oncoming_cars_need_to_be_far_away_or_past():
    assert free()
    assert free(oncoming(180.0))
    assert not free(oncoming(100.0))
    assert not free(oncoming(50.0))
    assert free(oncoming(40.0)) and free(oncoming(5.0))
    assert not free(oncoming(50.0, speed=0.0))  # it may drive off at any time
    assert free(other(40.0, 3.5, speed=-10.0, same_way=False))


def test_who_stands_on_the_other_side_is_not_waited_for_for_ever():
    standing = oncoming(85.0, speed=0.0)
    assert not free(standing, brake=insistence(0.0))
    assert free(standing, brake=insistence(60.0))
    assert not free(oncoming(62.0, speed=0.0), brake=insistence(60.0))


def test_cars_from_behind_need_room_to_slow_down():
    def behind(first, speed):
        return other(first, -3.5, speed=speed)

    assert free(behind(-60.0, 9.0))
    assert free(behind(-5.0, 8.0)) is False  # beside when the ego goes over
    assert not free(behind(-60.0, 15.0), speed=0.0, brake=0.3)
    assert free(behind(-90.0, 15.0), speed=8.0, brake=3.0)
    assert not free(behind(-40.0, 15.0), speed=8.0, brake=0.5)


def test_cars_ahead_in_the_lane_entered_may_be_followed():
    assert free(other(30.0, -3.5, speed=8.0))
    assert not free(other(22.0, -3.5, speed=0.5))
    assert not free(parked(50.0, -3.0))


def drive(scene, cut, seconds=60.0, pace=8.0):
    """Moves an ego that takes what it is told: (offsets reached at each m, seconds waited, Passing)."""
    passing = Passing(ROUTE, lambda arc: cut)
    arc, speed, waited, seen = 0.0, pace, 0.0, np.zeros(COUNT)
    for tick in range(int(seconds / 0.05)):
        time = tick * 0.05
        others = sorted(scene(time), key=lambda one: one.first)
        passing.update(arc, speed, others, ZEROS + pace)
        wanted = pace
        if passing.hold is not None:
            wanted = math.sqrt(max(0.0, 2.0 * 2.5 * (passing.hold - 3.0 - arc)))
        speed = min(wanted, speed + 0.08)
        waited += 0.05 * (speed < 0.5)
        arc += speed * 0.05
        if arc >= COUNT - 100:
            break
        seen[int(arc)] = np.interp(arc, passing.line.arc, passing.line.y)
    return seen, waited, passing


def test_a_parked_car_is_passed_and_the_lane_taken_again():
    seen, waited, passing = drive(lambda time: [parked(100.0)], ONE_WAY)
    assert waited == 0.0
    assert np.all(seen[98:107] == pytest.approx(-3.5, abs=0.01))
    assert np.all(seen[:60] == 0.0) and np.all(seen[150:] == 0.0)
    assert passing.line is ROUTE


def test_the_ego_waits_for_oncoming_cars_and_then_goes():
    def scene(time):
        cars = [oncoming(60.0 + 60.0 * k - 10.0 * time)._replace(number=10 + k) for k in range(5)]
        return [parked(100.0), *cars]

    seen, waited, _ = drive(scene, TWO_WAY)
    assert waited > 5.0
    assert -2.5 < seen[100:105].min() < -0.9
    assert seen[295] == 0.0


@pytest.mark.parametrize("first", [50.0, 65.0, 76.0, 80.0, 82.0])
def test_a_car_that_stands_in_the_lane_beside_is_not_waited_for(first):
    """It may do so for ever, and leaves room to go over between it and the obstacle."""
    beside = other(first, -3.5, number=3)
    seen, waited, _ = drive(lambda time: [beside, parked(100.0)], ONE_WAY)
    assert waited < (5.0 if first < 77.0 else 20.0)
    assert np.all(seen[98:107] == pytest.approx(-3.5, abs=0.01)) and seen[290] == 0.0
    beside_it = seen[int(first) - 2 : int(first) + 7]
    assert np.all(beside_it > -1.0) or np.all(beside_it < -2.0)  # else it was driven into from the side


def test_the_next_obstacle_on_the_way_back_from_one_gets_a_detour_of_its_own():
    narrow, wide = parked(150.0), parked(192.0, 0.2, number=8)
    seen, waited, _ = drive(lambda time: [narrow, wide], TWO_WAY, pace=16.0)
    assert waited == 0.0
    assert np.all(seen[148:156] == pytest.approx(-1.42, abs=0.02))
    assert np.all(seen[190:198] == pytest.approx(-2.42, abs=0.02)) and seen[290] == 0.0
    assert np.abs(np.diff(seen[1:290])).max() < 0.3


def test_cyclists_are_passed_while_they_ride_on():
    seen, _, _ = drive(lambda time: [cyclist(60.0 + 3.0 * time), cyclist(69.0 + 3.0 * time, number=6)], TWO_WAY)
    out = np.flatnonzero(seen < -0.5)
    assert len(out) > 30
    assert seen[250] == 0.0


def test_a_row_of_obstacles_is_passed_in_one_go():
    things = [parked(100.0, number=1), parked(125.0, number=2), parked(150.0, number=3)]
    seen, _, _ = drive(lambda time: things, ONE_WAY)
    assert np.all(seen[100:154] == pytest.approx(-3.5, abs=0.01))


def test_without_a_way_past_the_line_stays():
    passing = Passing(ROUTE, lambda arc: Cut(3.5, None, None))
    assert passing.update(60.0, 8.0, [parked(100.0, 0.0)], WISH) is False
    assert passing.line is ROUTE and passing.hold is None


def test_others_are_placed_with_their_natures():
    def actor(brake, lamps=carla.VehicleLightState.NONE, **attributes):
        control = carla.VehicleControl(hand_brake=brake)
        return SimpleNamespace(attributes=attributes, get_control=lambda: control, get_light_state=lambda: lamps)

    rows = np.array([
        (30.0, 1.0, 0.0, 0.0, 2.3, 0.9, 0.0, 0.0, 0.0),
        (50.0, -3.5, 0.0, math.pi, 2.3, 0.9, -9.0, 0.0, 0.0),
        (60.0, 1.0, 0.0, 0.0, 0.9, 0.3, 3.0, 0.0, 0.0),
        (70.0, 1.0, 30.0, 0.0, 0.9, 0.3, 3.0, 0.0, 0.0),
    ])  # fmt: skip
    actors = {1: actor(True), 2: actor(False), 3: actor(False, base_type="bicycle"), 4: actor(False)}
    traffic = Traffic(ROUTE, 20.0, rows, ["vehicle"] * 4, [1, 2, 3, 4])
    first, second, third = place_others(ROUTE, 20.0, traffic, actors)
    assert first.nature is Nature.PARKED and first.first == pytest.approx(27.7) and first.left == pytest.approx(0.1)
    assert second.nature is Nature.DRIVING and second.speed == pytest.approx(-9.0) and not second.same_way
    assert third.nature is Nature.CYCLIST and third.same_way
    actors[1] = actor(True, carla.VehicleLightState.Brake)  # has stopped in a junction it cannot leave
    assert place_others(ROUTE, 20.0, traffic, actors)[0].nature is Nature.DRIVING
    assert len(TIMES) == 100

    def gone():
        raise RuntimeError("vehicle 1 not found")

    actors[1].get_control = gone  # as a client answers for who was destroyed since the snapshot
    assert place_others(ROUTE, 20.0, traffic, actors) == [second, third]


def test_the_road_across_is_read_from_the_map():
    def waypoint(y, yaw, kind=carla.LaneType.Driving, **sides):
        pose = carla.Transform(carla.Location(50.0, y, 0.0), carla.Rotation(yaw=yaw))
        left, right = sides.get("left"), sides.get("right")
        return SimpleNamespace(
            transform=pose, lane_width=3.5, lane_type=kind, get_left_lane=lambda: left, get_right_lane=lambda: right
        )

    walkway = waypoint(3.0, 0.0, carla.LaneType.Sidewalk)
    own = waypoint(0.0, 0.0, left=waypoint(-3.5, 180.0), right=walkway)
    town = SimpleNamespace(get_waypoint=lambda place: own)
    cut = cut_at(town, ROUTE, 50.0)
    assert cut.left == (pytest.approx(-3.5), 3.5, False) and cut.right is None
    assert cut_at(SimpleNamespace(get_waypoint=lambda place: None), ROUTE, 50.0) is None


def siren(first, speed=15.0, middle=0.0):
    return other(first, middle, nature=Nature.EMERGENCY, speed=speed, number=9)


def test_an_emergency_vehicle_is_let_past():
    def scene(time):
        return [siren(-60.0 + 15.0 * time)]

    seen, waited, passing = drive(scene, ONE_WAY)
    assert seen.min() == pytest.approx(-3.5, abs=0.01)
    assert waited == 0.0 and seen[290] == 0.0 and passing.line is ROUTE


def test_the_lane_beside_is_left_before_it_ends():
    passing = Passing(ROUTE, lambda arc: ONE_WAY if arc < 120.0 else Cut(3.5, None, None))
    for arc in range(200):
        passing.update(float(arc), 8.0, [siren(arc - 20.0, speed=9.5)], WISH)  # never gets past
        assert arc < 120 or passing.line.y[arc] == pytest.approx(0.0, abs=0.01)
        assert not 40 < arc < 70 or passing.line.y[arc] == pytest.approx(-3.5, abs=0.01)


@pytest.mark.parametrize("vehicle", [siren(-60.0, speed=5.0), siren(-60.0, middle=-3.5), siren(30.0)])
def test_other_emergency_vehicles_are_left_alone(vehicle):
    passing = Passing(ROUTE, lambda arc: ONE_WAY)
    assert not passing.update(0.0, 8.0, [vehicle], WISH)


def test_there_is_no_moving_aside_into_oncoming_traffic_or_cars_beside():
    assert not Passing(ROUTE, lambda arc: TWO_WAY).update(0.0, 8.0, [siren(-40.0)], WISH)
    beside = other(1.0, -3.5, speed=8.0, number=2)
    assert not Passing(ROUTE, lambda arc: ONE_WAY).update(0.0, 8.0, [siren(-40.0), beside], WISH)


def test_oncoming_cars_over_the_line_get_room_within_the_lane():
    def scene(time):
        return [oncoming(90.0 + 40.0 * k - 10.0 * time)._replace(left=-3.1, right=-1.2, number=k) for k in range(3)]

    seen, waited, passing = drive(scene, TWO_WAY)
    assert seen.max() == pytest.approx(0.37, abs=0.03) and seen.min() == 0.0
    assert waited == 0.0 and passing.line is ROUTE


def test_cars_parked_close_by_get_room_for_their_doors():
    seen, _, _ = drive(lambda time: [parked(100.0, 2.5)], Cut(3.5, None, None))
    assert seen[103] == pytest.approx(2.5 - 0.95 - 0.9 - EGO_HALF_WIDTH, abs=0.01)
    assert seen.max() == 0.0 and seen[140] == 0.0


@pytest.mark.parametrize(
    "one",
    [
        oncoming(60.0),  # keeps to its lane
        oncoming(60.0)._replace(left=-3.1, right=-1.2, along=-0.8),  # turns
        other(60.0, 2.6),  # stands in the next lane, as in a queue
    ],
)
def test_ordinary_traffic_gets_no_room_of_the_lane(one):
    assert not Passing(ROUTE, lambda arc: TWO_WAY).update(30.0, 8.0, [one], WISH)


def test_what_blocks_the_road_comes_before_room_for_others():
    passing = Passing(ROUTE, lambda arc: ONE_WAY)
    assert passing.update(30.0, 8.0, [oncoming(60.0)._replace(left=-3.1, right=-1.2)], WISH)
    assert passing.line.y.max() > 0.1
    assert passing.update(31.0, 8.0, [parked(90.0)], WISH)
    assert passing.line.y.min() < -3.4


def test_who_lags_behind_the_detour_slows_down_until_there_is_room():
    _, _, passing = drive(lambda time: [parked(100.0)], ONE_WAY, seconds=11.0)
    detour = passing.detour
    before = detour.first - 9.0

    def held(astray, speed, arc=before):
        return held_back(detour, arc, speed, astray)

    assert held(0.3, 8.0) is None and held(2.0, 8.0, arc=detour.first + 1.0) is None
    assert held(2.0, 3.0) is None  # there is room at this speed
    waits = held(2.0, 8.0) - EGO_HALF_LENGTH  # and from here on there is at none
    assert before < waits < detour.first
    assert held(2.0, 0.0, arc=waits) is None and held(2.0, 0.0, arc=waits + 0.1) is not None
    assert passing.update(before, 8.0, [parked(100.0)], WISH, astray=2.0) is False
    assert passing.hold == held(2.0, 8.0)
    passing.update(before, 3.0, [parked(100.0)], WISH, astray=2.0)
    assert passing.hold is None


def test_who_is_too_near_for_the_detour_creeps_on_unless_it_would_touch():
    _, _, passing = drive(lambda time: [parked(100.0)], ONE_WAY, seconds=11.0)
    detour = passing.detour
    near = detour.first - 2.0
    ahead = held_back(detour, near, 1.0, 3.0) - EGO_HALF_LENGTH - near
    assert 3.0 < ahead < 5.0  # so short a way is driven slowly, but driven
    assert held_back(detour, near + 1.0, 1.0, 3.0) == pytest.approx(near + 1.0 + ahead + EGO_HALF_LENGTH)
    assert held_back(detour, detour.first - 0.2, 1.0, 2.9) == pytest.approx(detour.first + EGO_HALF_LENGTH)
    assert detour.first + EGO_HALF_LENGTH < 100.0  # the front bumper stays behind the obstacle


def test_who_stands_close_behind_something_sets_off_with_the_wheel_turned():
    def chosen(gap, speed):
        passing = Passing(ROUTE, lambda arc: ONE_WAY)
        passing.update(100.0 - EGO_HALF_LENGTH - gap, speed, [parked(100.0)], WISH)
        return passing

    near = chosen(5.0, 0.0)
    assert near.hold is None and near.line.y.min() < -2.0
    assert chosen(5.0, 6.0).hold is not None  # too fast for it: brakes first
    assert chosen(1.0, 0.0).hold is not None  # would touch it


def test_a_trip_that_begins_at_a_walking_pace_goes_on_as_it_would_have_begun():
    trip = ego_trip(10.0, 0.0, 5.0)
    slow = creeping(trip, 14.0)
    assert len(slow) == len(trip) and (np.diff(slow) >= 0.0).all()
    assert (slow <= trip + 0.5).all()
    late = np.searchsorted(slow, 14.0)
    np.testing.assert_allclose(slow[late:] - 14.0, trip[: len(trip) - late] - 10.0)
