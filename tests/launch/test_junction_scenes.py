"""Scenes at junctions, without a server: ways through, those who drive them, held lights, cars that have to wait."""

import contextlib
import math
from types import SimpleNamespace

import carla
import numpy as np
import pytest

from linkvla.launch.evaluation.facts import EgoFacts, LaneFact, RouteLine
from linkvla.launch.evaluation.scenarios.director import PLAYED
from linkvla.launch.evaluation.scenarios.junctions import (
    RIGHT,
    STRAIGHT,
    Crossroads,
    how_far_off,
    next_junction,
    way_through,
)
from linkvla.launch.evaluation.scenarios.lights import HeldLights
from linkvla.launch.evaluation.scenarios.plain import PlainJunction, PlainTurn
from linkvla.launch.evaluation.scenarios.precinct import Precinct
from linkvla.launch.evaluation.scenarios.riding import TICK, Rider, Way
from linkvla.launch.evaluation.scenarios.scenery import NoRoomError
from linkvla.launch.evaluation.scenarios.script import Script
from linkvla.launch.sim.world.town_loader import load_town


@pytest.fixture(scope="module")
def maple():
    return load_town("Maple", ()).map


@pytest.fixture(scope="module")
def crossing(maple):
    """A junction of four arms, from 30 m before it."""
    before = next(
        begin
        for begin, end in maple.get_topology()
        if end.is_junction and len(Crossroads(begin).entries) == 5 and len(sides(Crossroads(begin))) == 3
    )
    entry = Crossroads(before).entry
    return Crossroads(entry.previous(30.0)[0])


def sides(crossroads: Crossroads) -> set[str]:
    found = set()
    for side in ("left", "right", "opposite"):
        with contextlib.suppress(NoRoomError):
            found |= {side for _ in crossroads.entries_from(side)}
    return found


def turned(way: list[carla.Waypoint]) -> float:
    return (way[-1].transform.rotation.yaw - way[0].transform.rotation.yaw + 180.0) % 360.0 - 180.0


def test_who_comes_from_a_side_comes_to_the_same_junction_from_there(crossing):
    centre = crossing.junction.bounding_box.location
    ego = crossing.entry.transform
    right = ego.get_right_vector()
    for side, sign in (("left", -1.0), ("right", 1.0)):
        for entry in crossing.entries_from(side):
            offset = entry.transform.location - centre
            assert sign * (offset.x * right.x + offset.y * right.y) > 5.0
    with pytest.raises(NoRoomError, match="from the side 'above'"):
        crossing.entries_from("above")


@pytest.mark.parametrize("turn", [STRAIGHT, RIGHT, -RIGHT])
def test_every_arm_has_a_way_through_without_a_gap(crossing, turn):
    for entry in crossing.entries:
        way = way_through(entry, turn, 20.0, 15.0)
        places = np.array([[one.transform.location.x, one.transform.location.y] for one in way])
        assert np.linalg.norm(np.diff(places, axis=0), axis=1).max() < 5.0
        assert [one.is_junction for one in (way[0], way[-1])] == [False, False]
        assert any(one.is_junction for one in way)
        assert abs(abs(turned(way) - turn)) == pytest.approx(how_far_off(entry, turn), abs=15.0)


def line_along(way: list[carla.Waypoint]) -> RouteLine:
    poses = [one.transform for one in way]
    points = np.array([[pose.location.x, pose.location.y, pose.location.z] for pose in poses])
    return RouteLine(points, np.radians([pose.rotation.yaw for pose in poses]))


def test_a_route_says_where_it_leaves_its_next_junction(maple, crossing):
    way = way_through(crossing.entry, RIGHT, 30.0, 30.0)
    stretch, behind = next_junction(line_along(way), maple, way[5])
    assert stretch.start == 5
    assert not behind.is_junction and behind.road_id == way[-1].road_id
    with pytest.raises(NoRoomError, match="route ends"):
        next_junction(line_along(way[: stretch.stop - 4]), maple, way[5])


class Driven:
    """A vehicle that keeps the speed that it is told and turns as it is steered: what a server makes of it."""

    id = 7

    def __init__(self, pose: carla.Transform) -> None:
        self.x, self.y, self.yaw = pose.location.x, pose.location.y, math.radians(pose.rotation.yaw)
        self.speed = 0.0

    def enable_constant_velocity(self, velocity: carla.Vector3D) -> None:
        self.speed = velocity.x

    def get_transform(self) -> carla.Transform:
        return carla.Transform(carla.Location(self.x, self.y, 0.0), carla.Rotation(yaw=math.degrees(self.yaw)))

    def apply_control(self, control: carla.VehicleControl) -> None:
        self.x += self.speed * TICK * math.cos(self.yaw)
        self.y += self.speed * TICK * math.sin(self.yaw)
        self.yaw += self.speed * TICK * math.tan(control.steer * math.radians(70.0)) / 2.9


@pytest.mark.parametrize("turn", [STRAIGHT, RIGHT])
def test_a_rider_keeps_to_the_way_and_slows_down_for_its_bends(crossing, turn):
    entry = min(crossing.entries, key=lambda one: how_far_off(one, turn))
    way = Way(way_through(entry, turn, 40.0, 30.0))
    vehicle = Driven(way.poses[0])
    rider = Rider(vehicle, way, 10.0)
    speeds = []
    for _ in range(1000):
        rider.step()
        speeds.append(vehicle.speed)
        assert way.arc_of((vehicle.x, vehicle.y, 0.0), 1.5) is not None
        if rider.arrived:
            break
    assert rider.arrived and max(speeds) == pytest.approx(10.0, abs=0.1)
    assert (min(speeds) < 8.0) == (turn == RIGHT)
    assert np.abs(np.diff(speeds)).max() <= 8.0 * TICK + 0.06


def test_a_rider_stops_for_what_it_heeds_and_goes_on(crossing):
    way = Way(way_through(crossing.entry, STRAIGHT, 25.0, 60.0))
    vehicle = Driven(way.poses[0])
    rider = Rider(vehicle, way, 9.0)
    for _ in range(200):
        rider.step(block=40.0)
    assert vehicle.speed < 0.3 and 25.0 < rider.arc < 36.0
    for _ in range(60):
        rider.step()
    assert vehicle.speed > 5.0


class Lamp:
    """A traffic light."""

    def __init__(self, number: int, state: carla.TrafficLightState) -> None:
        self.id, self.state, self.times = number, state, {"green": 10.0, "yellow": 3.0, "red": 2.0}

    def set_state(self, state: carla.TrafficLightState) -> None:
        self.state = state

    def __getattr__(self, name: str):
        what, colour, _ = name.split("_")
        if what == "get":
            return lambda: self.times[colour]
        return lambda seconds: self.times.__setitem__(colour, seconds)


def test_held_lights_are_given_back_as_they_were():
    red, green = carla.TrafficLightState.Red, carla.TrafficLightState.Green
    lamps = [Lamp(1, green), Lamp(2, red), Lamp(3, red)]
    held = HeldLights(lamps)
    held.show({2})
    assert [lamp.state for lamp in lamps] == [red, green, red]
    held.show({1, 2})
    assert [lamp.state for lamp in lamps] == [green, green, red]
    assert all(min(lamp.times.values()) > 1000.0 for lamp in lamps)
    held.release()
    assert [lamp.state for lamp in lamps] == [green, red, red]
    assert all(lamp.times == {"green": 10.0, "yellow": 3.0, "red": 2.0} for lamp in lamps)


class Cars:
    """Background traffic by id: where its cars are, and how much slower than the limit they are told to be."""

    def __init__(self, places: dict[int, tuple[float, float]]) -> None:
        self.places, self.paces = places, {}

    def near(self, places, distance):
        points = np.asarray(places, float).reshape(-1, 2)
        return [one for one, place in self.places.items() if (np.hypot(*(points - place).T) < distance).any()]

    def remove(self, ids):
        for one in ids:
            del self.places[one]

    def set_pace(self, ids, slower):
        self.paces |= dict.fromkeys(ids, slower)


def spot(waypoint: carla.Waypoint) -> tuple[float, float]:
    return waypoint.transform.location.x, waypoint.transform.location.y


@pytest.mark.parametrize("wait", [True, False])
def test_background_cars_make_room_and_those_from_other_arms_wait(crossing, wait):
    flow = Way(way_through(crossing.entries_from("opposite")[0], STRAIGHT, 30.0, 20.0))
    side = crossing.entries_from("left")[0].previous(6.0)[0]
    cars = Cars({1: spot(side), 2: spot(crossing.entry), 3: tuple(flow.line.points[3, :2]), 4: (900.0, 900.0)})
    precinct = Precinct(crossing, [spot(crossing.entry)], [flow], wait, cars)
    precinct.clear()
    assert sorted(cars.places) == [1, 4]
    cars.places[5] = tuple(flow.line.points[10, :2])
    precinct.tend()
    assert sorted(cars.places) == [1, 4]
    assert cars.paces == ({1: 100.0} if wait else {})
    precinct.release()
    assert cars.paces.get(1, 10.0) < 50.0


def at(x: float, y: float, time: float, in_junction: bool = False) -> EgoFacts:
    lane = LaneFact(1, 1, 0.0, in_junction)
    return EgoFacts(time=time, tick=int(time * 20), location=(x, y, 0.0), yaw=0.0, speed=5.0, lane=lane)


def scene_of(kind, town, crossing, name="x"):
    place = crossing.entry.transform.location
    script = Script(name, name, (place.x, place.y, place.z), {})
    scenery = SimpleNamespace(lights_of=lambda junction: [])
    return kind(script, town, scenery, Cars({}), None)


def test_a_scene_at_a_junction_is_over_some_metres_behind_it(maple, crossing):
    scene = scene_of(PlainTurn, maple, crossing)
    scene.set_up()
    steps = [(0.0, False), (1.0, True), (2.0, True), (3.0, False), (12.0, False), (14.0, False)]
    over = []
    for time, (x, inside) in enumerate(steps):
        scene.step(at(x, 0.0, float(time), inside), True)
        over.append(scene.over)
    assert over == [False, False, False, False, False, True]


def test_a_plain_junction_is_over_after_200_m_and_late_after_240_s(maple, crossing):
    scene = scene_of(PlainJunction, maple, crossing)
    scene.set_up()
    assert not [event for time in range(39) if (event := scene.step(at(5.0 * time, 0.0, time), True))]
    assert not scene.over
    scene.step(at(200.0, 0.0, 40.0), True)
    assert scene.over
    late = scene_of(PlainJunction, maple, crossing)
    late.set_up()
    events = [event for time in range(300) if (event := late.step(at(0.0, 0.0, time), True))]
    assert [event.kind for event in events] == ["scenario_timeouts"]


@pytest.mark.parametrize("kind", sorted(one for one in PLAYED if one.startswith(("Signalized", "VanillaSignalized"))))
def test_a_scene_of_lights_has_no_place_where_there_are_none(maple, crossing, kind):
    scenery = SimpleNamespace(lights_of=lambda junction: [], choice=SimpleNamespace(choice=lambda found: found[0]))
    place = crossing.entry.transform.location
    scene = PLAYED[kind](Script(kind, kind, (place.x, place.y, place.z), {}), maple, scenery, Cars({}), None)
    with pytest.raises(NoRoomError, match="no lights"):
        scene.set_up()


class Props:
    """A scenery that remembers where it put whom."""

    def __init__(self) -> None:
        self.put, self.gone = [], []

    def vehicle(self, model: str, pose: carla.Transform) -> Driven:
        self.put.append((pose, Driven(pose)))
        assert model == "vehicle.diamondback.century"
        return self.put[-1][1]

    def remove(self, ids: list[int]) -> None:
        self.gone += ids


@pytest.mark.parametrize("turn", [-RIGHT, RIGHT])
def test_behind_a_turn_a_cyclist_crosses_when_the_ego_comes(maple, crossing, turn):
    way = way_through(crossing.entry, turn, 30.0, 40.0)
    place = way[0].transform.location
    script = Script("x", "VehicleTurningRoute", (place.x, place.y, place.z), {})
    props = Props()
    scene = PLAYED["VehicleTurningRoute"](script, maple, props, Cars({}), line_along(way))
    scene.set_up()
    ((pose, cyclist),) = props.put
    meeting = maple.get_waypoint(pose.location).transform  # the nearest driving lane: the ego's, on its right
    across, offset = meeting.get_right_vector(), pose.location - meeting.location
    assert across.x * offset.x + across.y * offset.y > 1.5
    ahead = pose.get_forward_vector()
    assert ahead.x * across.x + ahead.y * across.y < -0.9
    scene.step(at(meeting.location.x + 40.0, meeting.location.y, 0.0), True)
    assert cyclist.speed == 0.0
    scene.step(at(meeting.location.x + 5.0, meeting.location.y, 1.0), True)
    assert cyclist.speed == pytest.approx(1.8)
    scene.step(at(meeting.location.x + 5.0, meeting.location.y, 30.0), True)
    assert scene.over and props.gone == [cyclist.id]
