"""From a scenario file to what scenario_runner is started with: a copy in which our agent drives the ego."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

import linkvla.agent
from linkvla.launch.scenario.names import CONTROLLER, DRIVEN, PROPERTIES
from linkvla.launch.scenario.settings import ScenarioSettings
from linkvla.launch.scenario.sources import OPENSCENARIO, ROUTE, Source, parse_xml
from linkvla.model.interface.errors import ConfigurationError

_IDLE = {"Throttle": "value", "Brake": "value", "Clutch": "value", "ParkingBrake": "value", "SteeringWheel": "value"}
_DRIVEN_SUFFIX = "-driven"
_AGENT_FILES = {"linkvla": "linkvla_agent.py", "expert": "expert_agent.py"}


@dataclass(frozen=True)
class Prepared:
    """What scenario_runner is started with."""

    options: tuple[str, ...]
    driver: str  # "expert", or the checkpoint


def prepare(source: Source, settings: ScenarioSettings, folder: Path) -> Prepared:
    """Write what scenario_runner reads into ``folder``.

    Raises:
        ConfigurationError: a scenario without an ego, or options of the agent that are wrong.
    """
    recording = folder / "drive"
    if source.kind == OPENSCENARIO:
        file, told = _openscenario(source, settings, folder, recording)
        return Prepared(("--openscenario", str(file)), _driver(told))
    told = {"agent": settings.agent or "linkvla"}
    if told["agent"] == "linkvla":
        told["config"] = settings.agent_config(recording)
    if source.kind == ROUTE:
        entry = Path(next(iter(linkvla.agent.__path__))).resolve() / "entry" / _AGENT_FILES[told["agent"]]
        options = ("--route", str(source.file), "--route-id", source.name, "--agent", str(entry))
        return Prepared((*options, "--agentConfig", told.get("config", "")), _driver(told))
    file = _scenario(source, {**told, "turns": settings.turns}, folder)
    options = ("--scenario", source.name + _DRIVEN_SUFFIX, "--configFile", str(file))
    more = ("--additionalScenario", str(Path(__file__).parent / "inside" / "linkvla_driven.py"))
    return Prepared(options + more, _driver(told))


def _driver(told: Mapping[str, str]) -> str:
    """For people."""
    return told["config"].split(";")[0] if told["agent"] == "linkvla" else told["agent"]


def _openscenario(
    source: Source, settings: ScenarioSettings, folder: Path, recording: Path
) -> tuple[Path, dict[str, str]]:
    """The file with our controller for its ego, and what that is told."""
    tree = parse_xml(source.file)
    root = tree.getroot()
    ego = _ego_of(root, source)
    private = root.find(f"./Storyboard/Init/Actions/Private[@entityRef='{ego}']")
    if private is None:
        raise ConfigurationError(f"{source.file}: the ego {ego!r} has no actions in Init; give it a position there")
    properties = _controller_of(private)
    said = dict(properties) if properties.pop("module", "").endswith("linkvla_control") else {}
    own = said.get("config", "")
    wanted = {"agent": settings.agent or said.get("agent", "linkvla")}
    wanted["turns"] = settings.turns or said.get("turns", "")
    if wanted["agent"] == "linkvla":
        wanted["config"] = settings.agent_config(recording, own)
    _give_controller(private, {"module": CONTROLLER, **{name: value for name, value in wanted.items() if value}})
    for place in (*root.iterfind(".//CatalogLocations//Directory"), *root.iterfind("./RoadNetwork/LogicFile")):
        key = "path" if place.tag == "Directory" else "filepath"
        beside = source.file.parent / place.get(key, "")
        if place.get(key) and beside.exists():
            place.set(key, str(beside.resolve()))
    return _write(tree, folder / "scenario.xosc"), wanted


def _ego_of(root: ElementTree.Element, source: Source) -> str:
    """Name of the vehicle that the file calls the ego, as scenario_runner tells it from the others."""
    for thing in root.iterfind("./Entities/ScenarioObject"):
        if any(one.get("name") == "type" and one.get("value") == "ego_vehicle" for one in thing.iter("Property")):
            return thing.get("name", "")
    vehicles = [one for one in root.iterfind("./Entities/ScenarioObject") if one.get("name") in ("hero", "ego_vehicle")]
    if vehicles:
        return vehicles[0].get("name", "")
    raise ConfigurationError(
        f"{source.file} has no ego; give one of its vehicles the property type=ego_vehicle, or the name hero"
    )


def _controller_of(private: ElementTree.Element) -> dict[str, str]:
    return {one.get("name", ""): one.get("value", "") for one in private.iterfind(".//Controller/Properties/Property")}


def _give_controller(private: ElementTree.Element, properties: Mapping[str, str]) -> None:
    """Replace the controllers of an actor by one."""
    for action in private.findall("PrivateAction"):
        if action.find("ControllerAction") is not None:
            private.remove(action)
    action = ElementTree.SubElement(ElementTree.SubElement(private, "PrivateAction"), "ControllerAction")
    assigned = ElementTree.SubElement(action, "AssignControllerAction")
    listed = ElementTree.SubElement(ElementTree.SubElement(assigned, "Controller", name="LinkVLA"), "Properties")
    for name, value in properties.items():
        ElementTree.SubElement(listed, "Property", name=name, value=value)
    idle = ElementTree.SubElement(action, "OverrideControllerValueAction")
    for tag, key in (*_IDLE.items(), ("Gear", "number")):
        ElementTree.SubElement(idle, tag, {key: "0", "active": "false"})


def _scenario(source: Source, told: Mapping[str, str], folder: Path) -> Path:
    """The scenario alone, under a type that adds a driver to the one that it has."""
    found = [one for one in parse_xml(source.file).getroot().findall("scenario") if one.get("name") == source.name]
    scenario = found[0]
    if scenario.find("ego_vehicle") is None:
        raise ConfigurationError(f"{source.file}: {source.name!r} has no <ego_vehicle>")
    properties = {"type": scenario.get("type", ""), **told}
    ElementTree.SubElement(scenario, PROPERTIES, {name: value for name, value in properties.items() if value})
    scenario.set("type", DRIVEN)
    # scenario_runner reads its own examples as well, and runs all of a name.
    scenario.set("name", source.name + _DRIVEN_SUFFIX)
    root = ElementTree.Element("scenarios")
    root.append(scenario)
    return _write(ElementTree.ElementTree(root), folder / "scenario.xml")


def _write(tree: ElementTree.ElementTree, file: Path) -> Path:
    tree.write(file, encoding="utf-8", xml_declaration=True)
    return file
