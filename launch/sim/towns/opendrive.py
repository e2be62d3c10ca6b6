"""Finishes roadgen's OpenDRIVE: elevation, signals, controllers, marking colours; drops what nobody reads."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ElementTree
from xml.etree.ElementTree import Element, SubElement

from linkvla.launch.sim.towns.connectors import round_off
from linkvla.launch.sim.towns.furniture import TRAFFIC_LIGHT, Controller, Signal, place
from linkvla.launch.sim.towns.layout import Profile
from linkvla.launch.sim.towns.roads import Drawn

NUMBER = re.compile(r"-?\d+\.\d+(?:e[-+]?\d+)?")
KERB = 0.15  # m, height of a sidewalk
SIGN_HEIGHT = 2.2  # m
LIGHT_HEIGHT = 5.0  # m


def _short(text: str) -> str:
    """``text`` with every number at 10 significant digits, as roadgen writes 18."""
    return NUMBER.sub(lambda match: f"{float(match.group()):.10g}" if abs(float(match.group())) > 1e-9 else "0", text)


def _elevate(road: Element, cubics: list[tuple[float, float, float, float]]) -> None:
    profile = road.find("elevationProfile")
    assert profile is not None  # roadgen always writes one
    for old in list(profile):
        profile.remove(old)
    for s, z, c, d in cubics:
        SubElement(profile, "elevation", s=repr(s), a=repr(z), b="0", c=repr(c), d=repr(d))


def _sign(parent: Element, signal: Signal) -> None:
    light = signal.kind == TRAFFIC_LIGHT
    element = SubElement(
        parent,
        "signal",
        id=str(signal.identifier),
        name="Signal_3Light_Post01" if light else f"Sign_{signal.kind}",
        s=f"{signal.s:.4f}",
        t=f"{signal.t:.4f}",
        zOffset=repr(LIGHT_HEIGHT if light else SIGN_HEIGHT),
        hOffset="0",
        roll="0",
        pitch="0",
        orientation="+" if signal.forward else "-",
        dynamic="yes" if light else "no",
        country="OpenDRIVE",
        type=signal.kind,
        subtype="-1",
        value="-1",
        text="",
        height="1.05" if light else "0.9",
        width="0.38" if light else "0.9",
    )
    SubElement(element, "validity", fromLane=str(signal.lanes[0]), toLane=str(signal.lanes[1]))


def _controllers(root: Element, controllers: list[Controller]) -> None:
    for old in root.findall("controller"):
        root.remove(old)
    first_junction = next(index for index, element in enumerate(root) if element.tag == "junction")
    for controller in reversed(controllers):
        element = Element(
            "controller", id=str(controller.identifier), name=f"{controller.junction}-{controller.sequence}"
        )
        element.set("sequence", str(controller.sequence))
        for signal in controller.signals:
            SubElement(element, "control", signalId=str(signal), type="0")
        root.insert(first_junction, element)
    for junction in root.findall("junction"):
        for old in junction.findall("controller"):
            junction.remove(old)
        for controller in controllers:
            if controller.junction == junction.get("name"):
                fields = {"id": str(controller.identifier), "type": "0", "sequence": str(controller.sequence)}
                SubElement(junction, "controller", fields)


def _mark(lane: Element, kind: str, colour: str = "white") -> None:
    for old in lane.findall("roadMark"):
        lane.remove(old)
    mark = Element("roadMark", sOffset="0", type=kind, color=colour, width="0.13")
    # carla.Map takes a missing laneChange for "both", even on a solid line.
    mark.set("laneChange", "both" if kind == "broken" else "none")
    before = [index for index, element in enumerate(lane) if element.tag in ("link", "width", "border")]
    lane.insert(max(before) + 1 if before else 0, mark)


def _markings(road: Element, profile: Profile | None) -> None:
    """Marks a road's lanes; a road within a junction (profile None) has no marks."""
    for side in ("left", "right"):
        for lane in road.iterfind(f"lanes/laneSection/{side}/lane"):
            number = int(lane.get("id", "0"))
            lanes = 0 if profile is None else profile.backward if number > 0 else profile.forward
            _mark(lane, "broken" if abs(number) < lanes else "solid" if abs(number) == lanes else "none")
    for lane in road.iterfind("lanes/laneSection/center/lane"):
        if profile is None:
            _mark(lane, "none")
        else:
            _mark(lane, profile.centre.replace("_", " "), profile.colour)


def finish(drawn: Drawn, text: str) -> str:
    """The town's OpenDRIVE document.

    Args:
        drawn: the drawn layout.
        text: what roadgen exported for it.
    """
    root = ElementTree.fromstring(text)
    layout = drawn.layout
    signals, controllers = place(layout, drawn.axes)
    profiles = {edge.name: edge.profile for edge in layout.edges}
    levels = {junction.get("id"): layout.nodes[junction.get("name", "")].z for junction in root.findall("junction")}
    for road in root.findall("road"):
        name, junction = road.get("name", ""), road.get("junction", "-1")
        if junction == "-1":
            _elevate(road, drawn.cubics[name])
            _markings(road, profiles[name])
        else:
            _markings(road, None)
            sidewalk = any(lane.get("type") == "sidewalk" for lane in road.iter("lane"))
            if not sidewalk:
                round_off(road)
            _elevate(road, [(0.0, levels[junction] + (KERB if sidewalk else 0.0), 0.0, 0.0)])
        for objects in road.findall("objects"):
            for item in [item for item in objects if item.get("type") not in ("crosswalk", "roadMark")]:
                objects.remove(item)
        for old in road.findall("signals"):
            road.remove(old)
        own = [signal for signal in signals if signal.road == name]
        if own:
            parent = SubElement(road, "signals")
            for signal in own:
                _sign(parent, signal)
    _controllers(root, controllers)
    ElementTree.indent(root, " ")
    for element in root.iter():
        for key, value in element.attrib.items():
            element.set(key, _short(value) if key not in ("name", "version") else value)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ElementTree.tostring(root, encoding="unicode") + "\n"
