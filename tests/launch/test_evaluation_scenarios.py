"""What a route file may say about scenarios, when one begins and ends, and what it means for the judges."""

from xml.etree import ElementTree

import carla
import pytest

from linkvla.launch.evaluation.benchmarks import SHIPPED
from linkvla.launch.evaluation.facts import EgoFacts
from linkvla.launch.evaluation.route_file import ScenarioSpec, read_routes
from linkvla.launch.evaluation.scenarios.places import ON_THE_ROAD, outermost, sidewalk
from linkvla.launch.evaluation.scenarios.scene import Scene
from linkvla.launch.evaluation.scenarios.script import Script
from linkvla.launch.sim.world.town_loader import load_town
from linkvla.model.interface.errors import RouteError


def spec(inside: str, kind: str = "ParkedObstacle") -> ScenarioSpec:
    return ScenarioSpec("one", kind, f'<scenario name="one" type="{kind}">{inside}</scenario>')


TRIGGER = '<trigger_point x="1.5" y="-2" z="0" yaw="90" />'


def test_a_script_holds_trigger_and_parameters():
    script = Script.read(spec(TRIGGER + '<distance value="50" /><direction value="left" />'))
    assert script.trigger == (1.5, -2.0, 0.0)
    assert script.number("distance", 120.0) == 50.0
    assert script.number("speed", 60.0) == 60.0
    assert script.side == -1.0
    flow = Script.read(spec(TRIGGER + '<frequency from="30" to="80" />'))
    assert flow.interval("frequency", (20.0, 100.0)) == (30.0, 80.0)
    assert script.interval("frequency", (20.0, 100.0)) == (20.0, 100.0)


@pytest.mark.parametrize(
    ("inside", "asked", "message"),
    [
        ("", lambda script: script, "no <trigger_point>"),
        (
            TRIGGER + '<distance value="5000" />',
            lambda script: script.number("distance", 1.0),
            "distance must be a number from -500 to 500",
        ),
        ('<trigger_point x="1" y="2" />', lambda script: script, "trigger_point z must be a number from -100000"),
        (TRIGGER + '<distance value="far" />', lambda script: script.number("distance", 1.0), "distance must be"),
        (TRIGGER + '<distance value="nan" />', lambda script: script.number("distance", 1.0), "must be a number"),
        (TRIGGER + '<flow from="9" to="2" />', lambda script: script.interval("flow", (0.0, 1.0)), "from 9 down to 2"),
        (TRIGGER + '<flow from="9" />', lambda script: script.interval("flow", (0.0, 1.0)), "flow must be a number"),
        (TRIGGER + '<direction value="up" />', lambda script: script.side, "right or left, got 'up'"),
    ],
)
def test_a_damaged_script_is_refused_with_its_reason(inside, asked, message):
    with pytest.raises(RouteError, match=message):
        asked(Script.read(spec(inside)))


class Town:
    def get_waypoint(self, location):
        return location


class Counted(Scene):
    """Over after ``length`` seconds."""

    time_limit = 20.0

    def __init__(self, length: float) -> None:
        super().__init__(Script.read(spec(TRIGGER)), Town(), None, None, None)
        self.length, self.played, self.cleared = length, [], 0

    def set_up(self):
        pass

    def play(self, facts, since):
        self.played.append(since)
        self.over = since >= self.length

    def clear(self):
        self.cleared += 1


def at(time: float) -> EgoFacts:
    return EgoFacts(time=time, tick=int(time * 20), location=(0.0, 0.0, 0.0), yaw=0.0, speed=5.0)


def test_a_scene_is_played_from_its_trigger_on_and_cleared_once():
    scene = Counted(length=5.0)
    events = [scene.step(at(time), triggered=time >= 10.0) for time in range(40)]
    assert scene.played == [0.0, 1.0, 2.0, 3.0, 4.0, 5.0]
    assert (scene.over, scene.cleared) == (True, 1)
    assert not any(events)


def test_a_scene_once_begun_goes_on_behind_its_trigger():
    scene = Counted(length=5.0)
    for time in range(10):
        scene.step(at(time), triggered=time == 2)
    assert scene.over


def test_who_does_not_get_through_in_time_is_guilty_once():
    scene = Counted(length=1000.0)
    events = [event for time in range(100) if (event := scene.step(at(time), triggered=True))]
    assert [event.kind for event in events] == ["scenario_timeouts"]
    assert (scene.over, scene.cleared) == (True, 1)


@pytest.mark.parametrize("side", [1.0, -1.0])
def test_both_sides_of_a_two_way_road_have_an_end(side):
    lane = load_town("Elm", ()).map.get_waypoint(carla.Location(221.0, -41.6, 0.0)).next(20.0)[0]
    across = lane.transform.get_right_vector()
    edge, _ = outermost(lane, side, ON_THE_ROAD)
    walk, outwards = sidewalk(lane, side)
    assert (edge.lane_type, walk.lane_type) == (carla.LaneType.Driving, carla.LaneType.Sidewalk)
    offset = walk.transform.location - lane.transform.location
    assert side * (across.x * offset.x + across.y * offset.y) > 2.0
    further = outwards * walk.transform.get_right_vector()
    assert side * (across.x * further.x + across.y * further.y) > 0.9


@pytest.mark.parametrize("name", ["Maple", "Nutmeg"])
def test_the_routes_of_the_comparison_say_at_their_start_that_they_want_few_cars(name):
    """The leaderboard takes a trigger for a route's own within 2 m and 10 degrees only."""
    town = load_town(name, ()).map
    routes = [route for route in read_routes(SHIPPED / "parity.xml") if route.town == name]
    for route in routes:
        wishes = [Script.read(one) for one in route.scenarios if one.type == "BackgroundActivityParametrizer"]
        assert [wish.number("junction_source_perc", 80.0) for wish in wishes] == [0.0]
        assert wishes[0].trigger == pytest.approx(route.keypoints[0], abs=2.0)
        (yaw,) = (float(point.get("yaw")) for point in ElementTree.fromstring(route.xml).iter("trigger_point"))
        off = yaw - town.get_waypoint(carla.Location(*route.keypoints[0])).transform.rotation.yaw
        assert abs((off + 180.0) % 360.0 - 180.0) < 10.0
    assert len(routes) >= 6
