"""From a layout to a roadgen map: roads, junction movements, sidewalks, crosswalks and stop lines.

roadgen is needed only while authoring; nothing here is imported when a town is loaded.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from linkvla.launch.sim.towns import geometry
from linkvla.launch.sim.towns.layout import Arm, AuthoringError, Edge, Layout, Node, arms, turn

if TYPE_CHECKING:
    import roadgen

CROSSWALK_WIDTH = 3.0  # m
CROSSWALK_CENTRE = 2.2  # m before the junction mouth
CROSSWALK_DEPTH = CROSSWALK_CENTRE + CROSSWALK_WIDTH / 2
STRAIGHT = math.radians(35)  # a smaller change of heading counts as straight on


@dataclass
class Drawn:
    """A layout on the way to OpenDRIVE."""

    layout: Layout
    map: roadgen.Map
    axes: dict[str, geometry.Axis]
    cubics: dict[str, list[tuple[float, float, float, float]]]


def _lanes(profile_side: int, edge: Edge, direction: str) -> list[roadgen.Lane]:
    """Lanes of one side from the centre line outwards; opendrive.py marks them."""
    import roadgen

    profile = edge.profile
    common = {"direction": direction, "speed_limit_kph": profile.speed}
    lanes = [roadgen.Lane(width=profile.width, **common) for _ in range(profile_side)]
    if profile.shoulder:
        lanes.append(roadgen.Lane(width=profile.shoulder, type_="shoulder", **common))
    if profile.parking:
        lanes.append(roadgen.Lane(width=profile.parking, type_="parking", **common))
    if profile.sidewalk:
        kerb = {"type_": "sidewalk", "height": (0.15, 0.15)}
        lanes.append(roadgen.Lane(width=profile.sidewalk, **kerb, **common))
    return lanes


def lane_in(arm: Arm, index: int) -> int:
    """roadgen's index of the ``index``-th entering lane of an arm, counted from the centre line."""
    return index if arm.at_start else arm.edge.profile.backward + arm.edge.profile.extras + index


def lane_out(arm: Arm, index: int) -> int:
    """roadgen's index of the ``index``-th leaving lane of an arm, counted from the centre line."""
    return arm.edge.profile.backward + arm.edge.profile.extras + index if arm.at_start else index


def movements(arriving: Arm, around: list[Arm]) -> list[tuple[int, Arm, int]]:
    """Which entering lane leads to which lane of which arm: ``(lane, arm, lane)``, lanes counted from the centre.

    Left turns use the innermost lane, right turns the outermost; straight on keeps the lane, counted from the outside.
    A lane that would lead nowhere joins the movement of its neighbour.
    """
    lanes = arriving.lanes_in
    found: set[tuple[int, int, int]] = set()
    angles = {i: turn(arriving, arm) for i, arm in enumerate(around) if arm is not arriving}
    lefts = [i for i, angle in angles.items() if angle > STRAIGHT]
    rights = [i for i, angle in angles.items() if angle < -STRAIGHT]
    for i, angle in angles.items():
        out = around[i].lanes_out
        if angle > STRAIGHT:
            found.add((0, i, 0))
        elif angle < -STRAIGHT:
            found.add((lanes - 1, i, out - 1))
        else:
            for k in range(min(lanes, out)):  # k counts from the outside; without a left turn, from the inside
                found.add((lanes - 1 - k, i, out - 1 - k) if lefts or not rights or lanes <= out else (k, i, k))
    for lane in range(lanes):
        if any(entry == lane for entry, _, _ in found):
            continue
        if lefts:  # a second left lane beside the first; it needs a lane of its own to leave by
            out = around[lefts[0]].lanes_out
            if lane < out:
                found.add((lane, lefts[0], lane))
                continue
        near = min(found, key=lambda movement: abs(movement[0] - lane))
        found.add((lane, near[1], min(lane, around[near[1]].lanes_out - 1)))
    return [(entry, around[i], out) for entry, i, out in sorted(found)]


def minor_arms(node: Node, around: list[Arm]) -> list[Arm]:
    """The arms that have to stop or to give way at an unsignalised junction."""
    if node.control not in ("stop", "yield"):
        return list(around) if node.control == "all_stop" else []
    pairs = [(a, b) for i, a in enumerate(around) for b in around[i + 1 :] if abs(turn(a, b)) < STRAIGHT]
    if not pairs:
        raise AuthoringError(f"junction {node.name}: no straight road through it, so nothing to give way to.")

    def rank(pair: tuple[Arm, Arm]) -> tuple[float, ...]:
        return (sum(arm.lanes_in + arm.lanes_out for arm in pair), sum(arm.edge.profile.speed for arm in pair))

    major = max(pairs, key=rank)
    return [arm for arm in around if arm not in major]


def _add_roads(drawn: Drawn, trims: dict[tuple[str, bool], float]) -> dict[str, roadgen.Road]:
    import roadgen

    roads = {}
    for edge in drawn.layout.edges:
        axis = geometry.axis(drawn.layout, edge, trims[(edge.name, True)], trims[(edge.name, False)])
        cubics = geometry.height(drawn.layout, edge, axis.length)
        line = roadgen.Alignment(start=(axis.x, axis.y, cubics[0][1]), heading=axis.heading)
        station = 0.0
        for piece in axis.pieces:
            rise = geometry.height_at(cubics, station + piece.length) - geometry.height_at(cubics, station)
            station += piece.length
            if piece.curvature:
                line.arc(piece.length, curvature=piece.curvature, rise=rise)
            else:
                line.line(piece.length, rise=rise)
        lanes = _lanes(edge.profile.backward, edge, "backward") + _lanes(edge.profile.forward, edge, "forward")
        roads[edge.name] = drawn.map.add_road(
            lanes=lanes, alignment=line, name=edge.name, speed_limit_kph=edge.profile.speed
        )
        drawn.axes[edge.name], drawn.cubics[edge.name] = axis, cubics
    return roads


def stop_distance(node: Node) -> float:
    """Distance in metres from a junction mouth back to its stop lines."""
    return node.setback + (CROSSWALK_DEPTH if node.crosswalks else 0.0)


def _furnish(drawn: Drawn, node: Node, around: list[Arm], roads: dict[str, roadgen.Road]) -> None:
    stopping = around if node.control == "signal" else minor_arms(node, around)
    for arm in around:
        road, length = roads[arm.edge.name], drawn.axes[arm.edge.name].length
        if node.crosswalks:
            fraction = CROSSWALK_CENTRE / length
            drawn.map.add_crosswalk(road, fraction if arm.at_start else 1 - fraction, width=CROSSWALK_WIDTH)
        if arm in stopping:
            for index in range(arm.lanes_in):
                drawn.map.add_stop_line(road.lane(lane_in(arm, index)), end="end", setback=stop_distance(node))


def draw(layout: Layout) -> Drawn:
    """Draws a layout with roadgen. Raises AuthoringError for a layout that cannot be drawn."""
    import roadgen

    drawn = Drawn(layout, roadgen.Map(layout.name, origin=(0.0, 0.0, 0.0)), {}, {})
    trims: dict[tuple[str, bool], float] = {}
    for node in layout.nodes.values():
        trims.update(geometry.mouths(layout, node))
    roads = _add_roads(drawn, trims)
    for node in layout.nodes.values():
        junction = drawn.map.add_junction(node.name)
        around = arms(layout, node)
        for arriving in around:
            for entry, leaving, out in movements(arriving, around):
                drawn.map.connect_lanes(
                    roads[arriving.edge.name].lane(lane_in(arriving, entry)),
                    roads[leaving.edge.name].lane(lane_out(leaving, out)),
                    junction=junction,
                )
        _furnish(drawn, node, around, roads)
    drawn.map.generate_buildings(rules=layout.buildings, seed=layout.seed)
    issues = drawn.map.issues()
    if issues:
        raise AuthoringError(f"town {layout.name}: roadgen finds {len(issues)} faults, first: {issues[0]}")
    return drawn
