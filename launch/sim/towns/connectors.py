"""Rounds the turns through junctions: line, arc, line instead of roadgen's cubics.

A cubic between two unequally distant ends bends hardest at one of them (4 m radius was seen); the arc that uses all the
room has the largest radius there is.
"""

from __future__ import annotations

import math
from xml.etree.ElementTree import Element, SubElement

SMALLEST_TURN = math.radians(20)  # less is a lane shift, which the cubic does better
SHORTEST_LINE = 0.05  # m


def _end(geometry: Element, curve: Element) -> tuple[float, float, float]:
    """Place and heading (x, y, rad) at the end of a paramPoly3 with a normalised parameter."""
    value = {name: float(curve.get(name, "0")) for name in ("aU", "bU", "cU", "dU", "aV", "bV", "cV", "dV")}
    u, v = (value["a" + axis] + value["b" + axis] + value["c" + axis] + value["d" + axis] for axis in "UV")
    du, dv = (value["b" + axis] + 2 * value["c" + axis] + 3 * value["d" + axis] for axis in "UV")
    heading = float(geometry.get("hdg", "0"))
    cos, sin = math.cos(heading), math.sin(heading)
    x, y = float(geometry.get("x", "0")), float(geometry.get("y", "0"))
    return x + cos * u - sin * v, y + sin * u + cos * v, heading + math.atan2(dv, du)


def _rescale(road: Element, factor: float) -> None:
    """Stretches the cubics in s of widths and offsets by ``factor``."""
    for element in [*road.iter("width"), *road.iter("laneOffset")]:
        for name, power in (("b", 1), ("c", 2), ("d", 3)):
            element.set(name, repr(float(element.get(name, "0")) / factor**power))
        for name in ("s", "sOffset"):
            if name in element.attrib:
                element.set(name, repr(float(element.get(name, "0")) * factor))


def round_off(road: Element) -> None:
    """Replaces the axis of one connecting road in place; a road that hardly turns stays as it is."""
    plan = road.find("planView")
    geometry = None if plan is None or len(plan) != 1 else plan[0]
    curve = None if geometry is None else geometry.find("paramPoly3")
    if plan is None or geometry is None or curve is None or curve.get("pRange") != "normalized":
        return
    x, y, start = (float(geometry.get(name, "0")) for name in ("x", "y", "hdg"))
    end_x, end_y, end = _end(geometry, curve)
    turn = math.remainder(end - start, 2 * math.pi)
    if abs(turn) < SMALLEST_TURN:
        return
    # The tangents at both ends meet ``first`` m after the start and ``second`` m before the end.
    dx, dy = end_x - x, end_y - y
    first = (dx * math.sin(end) - dy * math.cos(end)) / math.sin(turn)
    second = (dy * math.cos(start) - dx * math.sin(start)) / math.sin(turn)
    tangent = min(first, second)
    if tangent < 1.0:
        return
    radius = tangent / math.tan(abs(turn) / 2)
    pieces = [(first - tangent, 0.0), (radius * abs(turn), math.copysign(1 / radius, turn)), (second - tangent, 0.0)]
    plan.remove(geometry)
    station, heading = 0.0, start
    for length, curvature in pieces:
        if length < SHORTEST_LINE and not curvature:
            x, y = x + length * math.cos(heading), y + length * math.sin(heading)
            continue
        fields = {"s": station, "x": x, "y": y, "hdg": heading, "length": length}
        piece = SubElement(plan, "geometry", {name: repr(value) for name, value in fields.items()})
        if curvature:
            SubElement(piece, "arc", curvature=repr(curvature))
            after = heading + length * curvature
            x += (math.sin(after) - math.sin(heading)) / curvature
            y -= (math.cos(after) - math.cos(heading)) / curvature
            heading = after
        else:
            SubElement(piece, "line")
            x, y = x + length * math.cos(heading), y + length * math.sin(heading)
        station += length
    _rescale(road, station / float(road.get("length", "0")))
    road.set("length", repr(station))
