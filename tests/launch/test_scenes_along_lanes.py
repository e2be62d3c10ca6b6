"""What the scenes along lanes are made of: places, the noise on debris, verdicts. No server."""

from __future__ import annotations

import random
from types import SimpleNamespace

import carla
import numpy as np
import pytest

from linkvla.launch.evaluation.facts import EgoFacts, Infraction, RouteLine
from linkvla.launch.evaluation.route_file import ScenarioSpec
from linkvla.launch.evaluation.scenarios.along_lanes import PLAYED_ALONG_LANES
from linkvla.launch.evaluation.scenarios.director import PLAYED
from linkvla.launch.evaluation.scenarios.lane_flows import lanes_beside
from linkvla.launch.evaluation.scenarios.places import flat_line, is_before
from linkvla.launch.evaluation.scenarios.script import Script
from linkvla.launch.sim.world.town_loader import load_town
from linkvla.model.interface.errors import RouteError


class Stage:
    """Notes what is placed and taken away."""

    def __init__(self) -> None:
        self.choice, self.placed = random.Random(1), {}

    def prop(self, model, pose):
        self.placed[len(self.placed)] = pose
        return SimpleNamespace(id=len(self.placed) - 1)

    def remove(self, ids):
        for one in ids:
            del self.placed[one]


@pytest.fixture(scope="module")
def town():
    return load_town("Maple", ()).map


@pytest.fixture(scope="module")
def lane(town):
    """The beginning of a long lane that has one of the same direction to its right."""

    def fits(waypoint: carla.Waypoint) -> bool:
        ways = [waypoint.next(float(metres)) for metres in range(5, 85, 5)]
        beside = waypoint.get_right_lane()
        straight = all(way and not way[0].is_junction for way in ways)
        return straight and beside is not None and beside.lane_type == carla.LaneType.Driving

    return next(filter(fits, town.generate_waypoints(5.0)))


def scene(town, lane, kind: str, inside: str = "", stage=None):
    place = lane.transform.location
    trigger = f'<trigger_point x="{place.x}" y="{place.y}" z="{place.z}" yaw="0"/>'
    spec = ScenarioSpec("one", kind, f'<scenario name="one" type="{kind}">{trigger}{inside}</scenario>')
    line = RouteLine(np.array([[place.x, place.y, place.z]] * 2), np.zeros(2))
    return PLAYED[kind](Script.read(spec), town, stage, None, line)


def facts(place: carla.Location, time: float = 0.0) -> EgoFacts:
    return EgoFacts(time=time, tick=int(20 * time), location=(place.x, place.y, place.z), yaw=0.0, speed=8.0)


def test_all_scenes_along_lanes_are_played():
    assert PLAYED_ALONG_LANES.items() <= PLAYED.items()


def test_only_on_debris_the_control_is_disturbed(town, lane):
    stage = Stage()
    slippery = scene(town, lane, "ControlLoss", stage=stage)
    slippery.set_up()
    heaps = [pose.location for pose in stage.placed.values()]
    assert [heap.distance(lane.transform.location) for heap in heaps] == pytest.approx([14.0, 48.0, 74.0], abs=1.5)

    def driven_at(place: carla.Location) -> tuple[float, float]:
        slippery.step(facts(place), triggered=True)
        control = slippery.disturb(carla.VehicleControl(throttle=0.5, steer=0.3))
        return control.throttle, control.steer

    assert driven_at(lane.transform.location) == pytest.approx((0.5, 0.3))
    for heap in heaps:
        throttle, steer = driven_at(heap)
        assert 0.0 < abs(throttle - 0.5) < 0.1 and 0.0 < abs(steer - 0.3) < 0.15
        assert not slippery.over
    driven_at(lane.next(75.0)[0].transform.location + carla.Location(x=40.0))
    assert slippery.over and not stage.placed


def test_the_lanes_of_one_direction_are_the_same_seen_from_each_of_them(lane):
    beside = lane.get_right_lane()
    lanes = [[one.lane_id for one in lanes_beside(seen_from)] for seen_from in (lane, beside)]
    assert lanes[0] == lanes[1] and len(lanes[0]) >= 2
    assert {lane.lane_id, beside.lane_id} <= set(lanes[0])


def test_a_line_up_a_lane_ends_at_its_last_waypoint(lane):
    last = lane.next(40.0)[0]
    places = np.array(flat_line(last, 40.0))
    assert places[0] == pytest.approx((last.transform.location.x, last.transform.location.y))
    assert np.linalg.norm(np.diff(places, axis=0), axis=1) == pytest.approx(2.0, abs=0.1)
    assert np.linalg.norm(places[-1] - places[0]) == pytest.approx(38.0, abs=1.0)
    assert is_before(last.transform.location, lane.transform)
    assert not is_before(lane.transform.location, last.transform)


@pytest.mark.parametrize(
    ("inside", "message"),
    [
        ("", "needs <start_actor_flow x= y= z=/>"),
        ('<start_actor_flow x="1" y="2"/>', "start_actor_flow z must be a number from -100000"),
    ],
)
def test_a_flow_without_its_places_is_refused_with_the_reason(town, lane, inside, message):
    with pytest.raises(RouteError, match=message):
        scene(town, lane, "MergerIntoSlowTraffic", inside).set_up()


@pytest.mark.parametrize(("ahead", "guilty"), [(30.0, True), (-30.0, False)])
def test_who_is_still_before_the_emergency_vehicle_has_not_let_it_pass(town, lane, ahead, guilty):
    waiting = scene(town, lane, "YieldToEmergencyVehicle")
    pose = lane.next(40.0)[0].transform
    waiting._vehicle = SimpleNamespace(get_transform=lambda: pose)
    forward = pose.get_forward_vector()
    place = pose.location + carla.Location(ahead * forward.x, ahead * forward.y)
    found = waiting.verdict(facts(place))
    expected = Infraction("yield_emergency_vehicle_infractions", "Agent failed to yield to an emergency vehicle")
    assert found == (expected if guilty else None)
