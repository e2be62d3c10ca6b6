"""Our own `agents` package, imported as programs import CARLA's: routes, waypoint following, control, detection."""

from __future__ import annotations

import importlib
import math
import os
import random
import sys
from collections.abc import Callable, Iterator
from functools import lru_cache
from itertools import pairwise
from pathlib import Path
from types import ModuleType, SimpleNamespace

import carla
import networkx
import pytest

from linkvla.launch.environment import PYTHON_API
from linkvla.launch.sim.world.town_loader import SHIPPED

OURS = sorted(SHIPPED.glob("*.xodr"))[:2]
# Towns of other people, such as CARLA's, are tried where LINKVLA_TOWNS names a folder of them.
OTHERS = sorted(Path(os.environ["LINKVLA_TOWNS"]).glob("*.xodr")) if "LINKVLA_TOWNS" in os.environ else []

Import = Callable[[str], ModuleType]


@pytest.fixture(scope="module")
def agents() -> Iterator[Import]:
    """Import a module of the top-level package `agents`."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(PYTHON_API))
        yield lambda name: importlib.import_module(f"agents.{name}")
    for name in [name for name in sys.modules if name.split(".")[0] == "agents"]:
        del sys.modules[name]


@pytest.fixture
def planner(agents: Import) -> Callable[..., object]:
    """A GlobalRoutePlanner of a town's file."""
    made = agents("navigation.global_route_planner").GlobalRoutePlanner

    @lru_cache(maxsize=1)
    def of(file: Path, resolution: float = 2.0):
        return made(town(file), resolution)

    return of


@lru_cache(maxsize=2)
def town(file: Path) -> carla.Map:
    return carla.Map(file.stem, file.read_text(encoding="utf-8"))


def traces(planner, file: Path, number: int) -> list[list]:
    rng, found = random.Random(3), []
    places = [waypoint.transform.location for waypoint in town(file).generate_waypoints(20.0)]
    while len(found) < number:
        found.append(planner(file).trace_route(*rng.sample(places, 2)))
    return [trace for trace in found if len(trace) > 2]


def turned(trace: list) -> float:
    yaws = [waypoint.transform.rotation.yaw for waypoint, _ in trace]
    return sum((after - before + 180.0) % 360.0 - 180.0 for before, after in pairwise(yaws))


@pytest.mark.parametrize("file", [*OURS, *OTHERS], ids=lambda file: file.stem)
def test_routes_follow_lanes_and_say_where_they_turn(planner, file: Path):
    """Steps of the resolution, driven forwards, but for lane changes; junctions are named by their angle."""
    junctions = 0
    for trace in traces(planner, file, 12):
        for (before, option), (after, following) in pairwise(trace):
            if option.name.startswith("CHANGE") and following.name.startswith("CHANGE"):
                continue  # sideways
            assert before.transform.location.distance(after.transform.location) < 3.5
            way = after.transform.location - before.transform.location
            assert way.length() < 0.5 or before.transform.get_forward_vector().dot(way) > 0
        for option, junction in runs(trace):
            inside = option.name in ("LEFT", "RIGHT", "STRAIGHT")
            junctions += inside
            angle = turned(junction)
            if option.name == "LEFT":
                assert angle <= 0.0
            elif option.name == "RIGHT":
                assert angle >= 0.0
            elif option.name == "STRAIGHT":
                assert abs(angle) < 50.0
    assert junctions > 3


def runs(trace: list) -> Iterator[tuple]:
    """Stretches of one command."""
    stretch = [trace[0]]
    for before, after in pairwise(trace):
        if after[1] != before[1]:
            yield before[1], stretch
            stretch = []
        stretch.append(after)
    yield trace[-1][1], stretch


@pytest.mark.parametrize("file", [*OURS, *OTHERS], ids=lambda file: file.stem)
def test_a_route_joins_its_ends_and_the_abstract_plan_agrees_with_it(planner, file: Path):
    rng = random.Random(5)
    places = [waypoint for waypoint in town(file).generate_waypoints(20.0) if not waypoint.is_junction]
    pairs = [rng.sample(places, 2) for _ in range(6)]
    # A goal behind on the same road is another matter, see below.
    for origin, destination in [pair for pair in pairs if pair[0].road_id != pair[1].road_id]:
        start, goal = origin.transform.location, destination.transform.location
        trace = planner(file).trace_route(start, goal)
        options = planner(file).abstract_route_plan(start, goal)
        assert trace[0][0].transform.location.distance(start) < 2.5
        if trace[-1][1].name == "LANEFOLLOW":
            assert trace[-1][0].transform.location.distance(goal) < 3.0
        assert {option for _, option in trace} <= set(options)


def test_a_goal_behind_on_the_same_lane_is_not_driven_to(planner):
    waypoint = max(town(OURS[0]).get_topology(), key=lambda pair: len(pair[0].next_until_lane_end(1.0)))[0]
    ahead = waypoint.next(20.0)[0].transform.location
    assert len(planner(OURS[0]).trace_route(ahead, waypoint.transform.location)) == 1
    assert len(planner(OURS[0]).trace_route(waypoint.transform.location, ahead)) == pytest.approx(11, abs=1)


def test_where_no_way_leads_the_error_names_both_ends(agents: Import, planner):
    graph = planner(OURS[0])._lanes
    waypoints = [lane.waypoints[0] for lane in graph.lanes.values() if not lane.in_junction]
    cut = agents("navigation.global_route_planner").GlobalRoutePlanner(town(OURS[0]), 2.0)
    cut._lanes.graph.remove_edges_from(list(cut._lanes.graph.edges))
    with pytest.raises(networkx.NetworkXNoPath, match=r"no way leads from \(.*\) on lane .* to \("):
        cut.trace_route(waypoints[0].transform.location, waypoints[-1].transform.location)


def test_a_resolution_must_be_positive(agents: Import):
    with pytest.raises(ValueError, match="metres above 0"):
        agents("navigation.global_route_planner").GlobalRoutePlanner(town(OURS[0]), 0.0)


def test_commands_have_carlas_values_under_every_name_they_are_imported_by(agents: Import):
    options = agents("navigation.local_planner").RoadOption
    assert {option.name: option.value for option in options} == {
        "VOID": -1, "LEFT": 1, "RIGHT": 2, "STRAIGHT": 3, "LANEFOLLOW": 4, "CHANGELANELEFT": 5, "CHANGELANERIGHT": 6,
    }  # fmt: skip
    assert agents("navigation.basic_agent").RoadOption is options
    assert agents("navigation.basic_agent").LocalPlanner is agents("navigation.local_planner").LocalPlanner


class PointVehicle:
    """A vehicle without a simulator: turns by its steering, takes its speed from the pedals."""

    def __init__(self, waypoint: carla.Waypoint, actors: list | None = None) -> None:
        self.id, self.pose, self.speed = 1, waypoint.transform, 0.0
        self.bounding_box = carla.BoundingBox(carla.Location(z=0.7), carla.Vector3D(2.4, 1.0, 0.7))
        actors = actors or []
        self._world = SimpleNamespace(
            get_actors=lambda: SimpleNamespace(
                filter=lambda kind: [one for one in actors if one.type_id.split(".")[0] in kind]
            ),
        )

    def get_world(self):
        return self._world

    def get_transform(self):
        return self.pose

    def get_location(self):
        return self.pose.location

    def get_velocity(self):
        return self.pose.get_forward_vector() * self.speed

    def get_control(self):
        return carla.VehicleControl()

    def get_speed_limit(self):
        return 30.0

    def apply(self, control: carla.VehicleControl, dt: float = 0.05) -> None:
        self.speed = max(0.0, self.speed + dt * (4.0 * control.throttle - 8.0 * control.brake))
        yaw = self.pose.rotation.yaw + math.degrees(self.speed * math.tan(control.steer) / 2.9 * dt)
        ahead = self.pose.get_forward_vector() * (self.speed * dt)
        location = carla.Location(self.pose.location.x + ahead.x, self.pose.location.y + ahead.y, self.pose.location.z)
        self.pose = carla.Transform(location, carla.Rotation(yaw=yaw))


def drive(agent, vehicle: PointVehicle, plan: list, steps: int) -> float:
    """Drive until done; the largest distance from the plan, m."""
    worst = 0.0
    for _ in range(steps):
        vehicle.apply(agent.run_step())
        worst = max(worst, min(waypoint.transform.location.distance(vehicle.pose.location) for waypoint, _ in plan))
        if agent.done():
            break
    return worst


def longest_trace(planner) -> list:
    return max(traces(planner, OURS[0], 6), key=len)[:60]


def test_the_local_planner_drives_a_route_and_stops_at_its_end(agents: Import, planner):
    plan = longest_trace(planner)
    vehicle = PointVehicle(plan[0][0])
    local = agents("navigation.local_planner").LocalPlanner(vehicle, {"target_speed": 30}, town(OURS[0]))
    local.set_global_plan(plan)
    assert drive(local, vehicle, plan, 1500) < 2.0
    assert local.done() and local.get_incoming_waypoint_and_direction()[0] is None
    assert vehicle.pose.location.distance(plan[-1][0].transform.location) < 3.0
    assert local.run_step().brake == 1.0


def test_without_a_plan_the_lane_is_followed(agents: Import, planner):
    random.seed(0)
    start = longest_trace(planner)[0][0]
    vehicle = PointVehicle(start)
    local = agents("navigation.local_planner").LocalPlanner(vehicle, {}, town(OURS[0]))
    for _ in range(200):
        vehicle.apply(local.run_step())
    here = town(OURS[0]).get_waypoint(vehicle.pose.location)
    assert here.transform.location.distance(vehicle.pose.location) < 1.5
    assert vehicle.pose.location.distance(start.transform.location) > 20.0
    assert len(local.get_plan()) > 50


def test_an_offset_is_to_the_right(agents: Import, planner):
    start = max(town(OURS[0]).get_topology(), key=lambda pair: len(pair[0].next_until_lane_end(1.0)))[0]
    plan = planner(OURS[0]).trace_route(start.transform.location, start.next(60.0)[0].transform.location)
    vehicle = PointVehicle(start)
    local = agents("navigation.local_planner").LocalPlanner(vehicle, {"offset": 1.0}, town(OURS[0]))
    local.set_global_plan(plan)
    for _ in range(150):
        vehicle.apply(local.run_step())
    pose = town(OURS[0]).get_waypoint(vehicle.pose.location).transform
    beside = (vehicle.pose.location - pose.location).dot(pose.get_right_vector())
    assert beside == pytest.approx(1.0, abs=0.3)


class Parked(SimpleNamespace):
    """Something that stands."""

    def __init__(self, number: int, kind: str, pose: carla.Transform) -> None:
        box = carla.BoundingBox(carla.Location(z=0.7), carla.Vector3D(2.4, 1.0, 0.7))
        super().__init__(id=number, type_id=kind, pose=pose, bounding_box=box)

    def get_transform(self):
        return self.pose

    def get_location(self):
        return self.pose.location

    def get_velocity(self):
        return carla.Vector3D()


def straight_lane() -> carla.Waypoint:
    """Start of a long lane with an opposite lane beside it."""
    starts = [begin for begin, _ in town(OURS[0]).get_topology() if not begin.is_junction]
    return max(starts, key=lambda begin: len(begin.next_until_lane_end(1.0)))


@pytest.mark.parametrize("outlines", [False, True], ids=["by lane", "by outline"])
def test_the_basic_agent_stops_for_a_car_in_its_lane_only(agents: Import, planner, outlines: bool):
    start = straight_lane()
    ahead = start.next(40.0)[0].transform
    beside = carla.Transform(ahead.location + ahead.get_right_vector() * -7.0, ahead.rotation)
    basic = agents("navigation.basic_agent").BasicAgent
    plan = planner(OURS[0]).trace_route(start.transform.location, start.next(55.0)[0].transform.location)
    left = {}
    for name, pose in (("ahead", ahead), ("beside", beside)):
        vehicle = PointVehicle(start, [Parked(2, "vehicle.one", pose)])
        options = {"use_bbs_detection": outlines}
        agent = basic(vehicle, 30.0, options, map_inst=town(OURS[0]), grp_inst=planner(OURS[0]))
        agent.set_global_plan(plan)
        drive(agent, vehicle, plan, 600)
        left[name] = vehicle.pose.location.distance(plan[-1][0].transform.location)
        assert agent.done() == (name == "beside")
    assert left["beside"] < 3.0
    assert 15.0 + 4.8 < left["ahead"] < 35.0, "stops before the car, not into it and not far off"


@pytest.mark.parametrize("outlines", [False, True], ids=["by lane", "by outline"])
def test_a_car_that_is_gone_since_the_last_tick_is_no_obstacle(agents: Import, planner, outlines: bool):
    """The client lists it until the next tick, but the simulator no longer knows its size."""

    class Gone(Parked):
        @property
        def bounding_box(self):
            raise RuntimeError("actor 2 not found")

        @bounding_box.setter
        def bounding_box(self, box):
            pass

    start = straight_lane()
    vehicle = PointVehicle(start, [Gone(2, "vehicle.one", start.next(20.0)[0].transform)])
    options = {"use_bbs_detection": outlines}
    agent = agents("navigation.basic_agent").BasicAgent(vehicle, 30.0, options, town(OURS[0]), planner(OURS[0]))
    agent.set_destination(start.next(40.0)[0].transform.location)
    drive(agent, vehicle, list(agent.get_local_planner().get_plan()), 600)
    assert agent.done()


def test_ignored_vehicles_are_driven_through(agents: Import, planner):
    start = straight_lane()
    vehicle = PointVehicle(start, [Parked(2, "vehicle.one", start.next(20.0)[0].transform)])
    basic = agents("navigation.basic_agent").BasicAgent
    agent = basic(vehicle, 30.0, {"ignore_vehicles": True}, town(OURS[0]), planner(OURS[0]))
    agent.set_destination(start.next(40.0)[0].transform.location)
    drive(agent, vehicle, list(agent.get_local_planner().get_plan()), 600)
    assert agent.done()


class Light(SimpleNamespace):
    """A traffic light whose trigger volume lies on a waypoint."""

    def __init__(self, waypoint: carla.Waypoint, state: carla.TrafficLightState) -> None:
        volume = carla.BoundingBox(carla.Location(), carla.Vector3D(1.0, 1.0, 1.0))
        pose = waypoint.transform
        super().__init__(id=9, type_id="traffic.traffic_light", trigger_volume=volume, state=state, pose=pose)

    def get_transform(self):
        return self.pose


def test_a_red_light_holds_until_it_is_green(agents: Import, planner):
    start = straight_lane()
    light = Light(start.next(30.0)[0], carla.TrafficLightState.Red)
    vehicle = PointVehicle(start, [light])
    vehicle._world.get_actors = lambda: SimpleNamespace(filter=lambda kind: [light] if "light" in kind else [])
    agent = agents("navigation.basic_agent").BasicAgent(vehicle, 30.0, {}, town(OURS[0]), planner(OURS[0]))
    agent.set_destination(start.next(50.0)[0].transform.location)
    plan = list(agent.get_local_planner().get_plan())
    drive(agent, vehicle, plan, 400)
    assert vehicle.speed == 0.0 and not agent.done()
    assert 18.0 < vehicle.pose.location.distance(start.transform.location) < 31.0
    light.state = carla.TrafficLightState.Green
    drive(agent, vehicle, plan, 400)
    assert agent.done()


def test_a_lane_change_takes_its_three_stretches(agents: Import):
    change = agents("navigation.lane_change").plan_lane_change
    many = [w for w in town(OURS[0]).generate_waypoints(10.0) if w.lane_change == carla.LaneChange.Left]
    start = next(w for w in many if len(w.next_until_lane_end(1.0)) > 60)
    plan = change(start, "left", distances=(10.0, 12.0, 14.0), step=2.0)
    places = [waypoint.transform.location for waypoint, _ in plan]
    assert [option.name for _, option in plan] == ["LANEFOLLOW"] * 6 + ["CHANGELANELEFT"] + ["LANEFOLLOW"] * 7
    assert {waypoint.lane_id for waypoint, _ in plan[:6]} == {start.lane_id}
    assert plan[-1][0].lane_id == start.get_left_lane().lane_id
    assert places[5].distance(places[6]) == pytest.approx(math.hypot(12.0, start.lane_width), abs=0.5)
    with pytest.raises(ValueError, match='"left" or "right"'):
        change(start, "up", (0.0, 2.0, 0.0), 2.0)


def test_a_behavior_is_one_of_three(agents: Import):
    with pytest.raises(ValueError, match="cautious, normal, aggressive"):
        agents("navigation.behavior_agent").BehaviorAgent(None, "furious")


def test_the_behavior_agent_follows_and_stops_in_its_manner(agents: Import, planner):
    start = straight_lane()
    gaps = {}
    for manner in ("cautious", "aggressive"):
        obstacle = Parked(2, "vehicle.one", start.next(45.0)[0].transform)
        vehicle = PointVehicle(start, [obstacle])
        kind = agents("navigation.behavior_agent").BehaviorAgent
        agent = kind(vehicle, manner, map_inst=town(OURS[0]), grp_inst=planner(OURS[0]))
        agent.set_destination(start.next(60.0)[0].transform.location)
        drive(agent, vehicle, list(agent.get_local_planner().get_plan()), 500)
        gaps[manner] = obstacle.pose.location.distance(vehicle.pose.location) - 4.8
        assert vehicle.speed < 0.3
    assert 0.0 < gaps["aggressive"] < gaps["cautious"] < 20.0


def test_helpers_measure(agents: Import):
    misc = agents("tools.misc")
    here, ahead, behind = (carla.Transform(carla.Location(x=x, y=1.0)) for x in (0.0, 5.0, -5.0))
    assert misc.is_within_distance(ahead, here, 6.0, [0, 90])
    assert not misc.is_within_distance(ahead, here, 4.0)
    assert not misc.is_within_distance(behind, here, 6.0, [0, 90])
    assert misc.is_within_distance(behind, here, 6.0, [90, 181])
    assert misc.vector(here.location, ahead.location) == [1.0, 0.0, 0.0]
    assert misc.vector(here.location, here.location) == [0.0, 0.0, 0.0]
    assert misc.positive(-2.0) == 0.0 and misc.positive(2.0) == 2.0
    distance, angle = misc.compute_magnitude_angle(carla.Location(y=3.0), carla.Location(), 0.0)
    assert (distance, angle) == pytest.approx((3.0, 90.0))
    fast = SimpleNamespace(get_velocity=lambda: carla.Vector3D(3.0, 4.0, 0.0))
    assert misc.get_speed(fast) == pytest.approx(18.0)


def test_steering_turns_towards_the_waypoint_and_little_at_a_time(agents: Import, planner):
    start = straight_lane()
    vehicle = PointVehicle(start)
    vehicle.pose = carla.Transform(vehicle.pose.location, carla.Rotation(yaw=vehicle.pose.rotation.yaw + 40.0))
    gains = {"K_P": 2.0, "K_I": 0.0, "K_D": 0.0, "dt": 0.05}
    control = agents("navigation.controller").VehiclePIDController(vehicle, gains, gains, max_steering=0.25)
    steers = [control.run_step(20.0, start.next(10.0)[0]).steer for _ in range(4)]
    assert steers == pytest.approx([-0.1, -0.2, -0.25, -0.25])
    assert control.run_step(20.0, start).throttle == 0.75
    with pytest.raises(ValueError, match="dt is 0"):
        control.change_lateral_PID(dict(gains, dt=0))


def test_a_lane_change_is_two_waypoints_in_neighbouring_lanes(planner):
    many = [waypoint for waypoint in town(OURS[0]).generate_waypoints(10.0) if waypoint.lane_change.name == "Left"]
    start = next(waypoint for waypoint in many if len(waypoint.next_until_lane_end(1.0)) > 60)
    goal = start.next(50.0)[0].get_left_lane()
    trace = planner(OURS[0]).trace_route(start.transform.location, goal.transform.location)
    (before, _), (after, _) = [step for step in trace if step[1].name == "CHANGELANELEFT"]
    assert (before.lane_id, after.lane_id) == (start.lane_id, goal.lane_id)
    assert before.transform.location.distance(after.transform.location) == pytest.approx(10.0, abs=2.5)
