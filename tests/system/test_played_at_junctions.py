"""Scenarios at junctions, played by the built-in route runner: who gives way gets through, who does not is hit."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree

import carla
import pytest

from linkvla.agent.expert.watchful import WatchfulAgent
from linkvla.launch.evaluation.route_file import RouteSpec, read_routes
from linkvla.launch.evaluation.route_runner import RouteRun
from linkvla.launch.evaluation.run_settings import RunSettings
from linkvla.launch.evaluation.scenarios.junctions import Crossroads, way_through
from linkvla.launch.sim.world.town_loader import load_town
from tests.system.careless import Careless

pytestmark = pytest.mark.system

LEFT, STRAIGHT, RIGHT = -90.0, 0.0, 90.0
BEFORE, TRIGGER, BEYOND = 70, 40, 60  # m before the junction, before the junction, behind it
FLOW = '<flow_speed value="9" /><source_dist_interval from="25" to="45" />'


def route_through(place: tuple[float, float], turn: float, kind: str, inside: str, folder: Path) -> RouteSpec:
    """From a place (m) in Maple through the next junction, with a scenario there."""
    entry = Crossroads(load_town("Maple", ()).map.get_waypoint(carla.Location(*place, 0.0))).entry
    way = [one.transform for one in way_through(entry, turn, BEFORE, BEYOND)]
    root = ElementTree.Element("routes")
    route = ElementTree.SubElement(root, "route", id="1", town="Maple")
    waypoints = ElementTree.SubElement(route, "waypoints")
    for pose in [*way[:-1:15], way[-1]]:
        ElementTree.SubElement(waypoints, "position", where(pose))
    scenarios = ElementTree.SubElement(route, "scenarios")
    trigger = way[BEFORE - TRIGGER]
    ElementTree.SubElement(scenarios, "scenario", name=kind, type=kind).extend(
        [ElementTree.Element("trigger_point", where(trigger) | {"yaw": f"{trigger.rotation.yaw:.1f}"})]
        + list(ElementTree.fromstring(f"<all>{inside}</all>"))
    )
    path = folder / "route.xml"
    path.write_text(ElementTree.tostring(root, encoding="unicode"), encoding="utf-8")
    (spec,) = read_routes(path)
    return spec


def where(pose: carla.Transform) -> dict[str, str]:
    return {axis: f"{getattr(pose.location, axis):.2f}" for axis in "xyz"}


class Drive:
    """One drive, and what was seen of it: seconds that the ego stood, types of the scenario's vehicles, lights."""

    def __init__(self, server, route: RouteSpec, agent, traffic: int = 0) -> None:
        run = RouteRun(server, route, lambda host, port: agent(host, port), RunSettings(traffic=traffic))
        self.stood, self.types, self.times = 0.0, set(), []
        for view in run.ticks():
            self.stood += 0.05 * (view.speed < 0.1)
            if view.tick % 20 == 0:
                cars = run.stage.world.get_actors().filter("vehicle.*")
                self.types |= {car.type_id for car in cars if car.attributes["role_name"] == "scenario"}
        self.record = run.record
        self.events = {kind for kind, found in self.record.infractions.items() if found} - {"min_speed_infractions"}


def light_times(server) -> list[tuple[float, ...]]:
    client = carla.Client(server.host, server.port)
    client.set_timeout(20.0)
    lights = client.get_world().get_actors().filter("traffic.traffic_light")
    return [(one.get_green_time(), one.get_yellow_time(), one.get_red_time()) for one in lights]


SIGNALISED = (-60.0, -1.0)  # on a lane that leads to a junction of four arms with lights


def test_a_flow_is_given_way_to_and_the_lights_are_as_they_were(server, tmp_path):
    route = route_through(SIGNALISED, LEFT, "SignalizedJunctionLeftTurn", FLOW, tmp_path)
    before = light_times(server)
    drive = Drive(server, route, WatchfulAgent, traffic=15)
    assert (drive.record.status, drive.events) == ("Completed", set())
    assert drive.stood > 0.5 and len(drive.types) >= 2
    assert light_times(server) == before
    hasty = Drive(server, route, Careless)
    assert hasty.events == {"collisions_vehicle"}


def test_one_with_blue_lights_takes_priority(server, tmp_path):
    kind, inside = "OppositeVehicleRunningRedLight", '<direction value="left" />'
    drive = Drive(server, route_through(SIGNALISED, STRAIGHT, kind, inside, tmp_path), WatchfulAgent)
    assert (drive.record.status, drive.events) == ("Completed", set())
    library = carla.Client(server.host, server.port).get_world().get_blueprint_library()
    (kind,) = drive.types
    assert library.find(kind).get_attribute("special_type").as_str() == "emergency"


def test_behind_a_junction_that_is_blocked_the_ego_waits(server, tmp_path):
    route = route_through(SIGNALISED, RIGHT, "BlockedIntersection", "", tmp_path)
    drive = Drive(server, route, WatchfulAgent)
    assert (drive.record.status, drive.events) == ("Completed", set())
    assert drive.stood > 5.0 and len(drive.types) == 1
