"""Where roads begin and how they bend: junction mouths and rounded polylines."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise

from linkvla.launch.sim.towns.layout import Arm, AuthoringError, Edge, Layout, Node, arms, vertices

SHORTEST_MOUTH = 9.0  # m from the junction's centre
STRAIGHT_ON = math.radians(150)  # arms farther apart than this have no corner between them


@dataclass(frozen=True)
class Piece:
    """A line (curvature 0) or an arc of a road's axis; curvature in 1/m, left > 0."""

    length: float
    curvature: float


@dataclass(frozen=True)
class Axis:
    """The axis of a road between its two junction mouths (OpenDRIVE frame)."""

    x: float
    y: float
    heading: float  # rad
    pieces: tuple[Piece, ...]

    @property
    def length(self) -> float:
        """Length in metres."""
        return sum(piece.length for piece in self.pieces)


def _side(arm: Arm, counter_clockwise: bool) -> float:
    """Distance in metres from the axis to the kerb on one side, looking out from the junction."""
    lanes = arm.lanes_in if counter_clockwise else arm.lanes_out
    return arm.edge.profile.carriageway(lanes)


def mouths(layout: Layout, node: Node) -> dict[tuple[str, bool], float]:
    """Distance in metres from a junction's centre to each of its mouths, keyed by (road name, at_start).

    Kerbs of neighbouring arms at the angle a meet at (w_other + w_own cos a) / sin a along the own axis; the kerb
    radius adds r / tan(a / 2).
    """
    around = arms(layout, node)
    if len(around) < 3:
        raise AuthoringError(f"town {layout.name}: junction {node.name} joins {len(around)} roads; 3 at least.")
    distance = {(arm.edge.name, arm.at_start): SHORTEST_MOUTH for arm in around}
    for first, second in zip(around, around[1:] + around[:1]):
        angle = (second.heading - first.heading) % (2 * math.pi)
        if angle > STRAIGHT_ON:
            continue
        if angle < math.radians(40):
            raise AuthoringError(
                f"town {layout.name}: roads {first.edge.name} and {second.edge.name} meet at "
                f"{math.degrees(angle):.0f} degrees in {node.name}; at least 40 are needed."
            )
        left, right = _side(first, counter_clockwise=True), _side(second, counter_clockwise=False)
        corner = node.corner / math.tan(angle / 2)
        for arm, own, other in ((first, left, right), (second, right, left)):
            key = (arm.edge.name, arm.at_start)
            distance[key] = max(distance[key], (other + own * math.cos(angle)) / math.sin(angle) + corner)
    return distance


def axis(layout: Layout, edge: Edge, trim_start: float, trim_end: float) -> Axis:
    """The road's axis: its polyline with rounded corners, cut off at the junction mouths.

    Raises AuthoringError where a piece is too short for its bends and mouths.
    """
    points = vertices(layout, edge)
    legs = [(b[0] - a[0], b[1] - a[1]) for a, b in pairwise(points)]
    headings = [math.atan2(dy, dx) for dx, dy in legs]
    lengths = [math.hypot(dx, dy) for dx, dy in legs]
    turns = [math.remainder(b - a, 2 * math.pi) for a, b in pairwise(headings)]
    free = list(lengths)
    free[0] -= trim_start
    free[-1] -= trim_end
    shares = [1 if index in (0, len(lengths) - 1) else 2 for index in range(len(lengths))]
    radii = []
    for index, angle in enumerate(turns):
        room = 0.98 * min(free[index] / shares[index], free[index + 1] / shares[index + 1])
        radii.append(min(edge.radius, room / math.tan(abs(angle) / 2)) if abs(angle) > 1e-6 else edge.radius)
    tangents = [radius * math.tan(abs(angle) / 2) for radius, angle in zip(radii, turns)]
    if any(radius < 11.0 for radius in radii):
        raise AuthoringError(f"town {layout.name}: road {edge.name} bends with {min(radii):.1f} m; at least 11.")
    pieces = []
    for index, length in enumerate(free):
        line = length - (tangents[index] if index < len(tangents) else 0) - (tangents[index - 1] if index else 0)
        if line < 0 or (len(free) == 1 and line < 15):
            raise AuthoringError(f"town {layout.name}: road {edge.name} has no room between its junctions and bends.")
        if line > 1e-3:
            pieces.append(Piece(line, 0.0))
        if index < len(turns) and abs(turns[index]) > 1e-6:
            radius = radii[index]
            pieces.append(Piece(radius * abs(turns[index]), math.copysign(1 / radius, turns[index])))
    heading = headings[0]
    x, y = points[0][0] + trim_start * math.cos(heading), points[0][1] + trim_start * math.sin(heading)
    return Axis(x, y, heading, tuple(pieces))


def height(layout: Layout, edge: Edge, length: float) -> list[tuple[float, float, float, float]]:
    """Elevation of a road as cubics ``(s, z, c, d)``: z(s + u) = z + c u^2 + d u^3; level at its ends and half-way."""
    first, last = layout.nodes[edge.start].z, layout.nodes[edge.end].z
    stations = [(0.0, first), (length, last)]
    if edge.crest:
        stations.insert(1, (length / 2, (first + last) / 2 + edge.crest))
    cubics = []
    for (s0, z0), (s1, z1) in pairwise(stations):
        span, rise = s1 - s0, z1 - z0
        if abs(1.5 * rise / span) > 0.065:
            raise AuthoringError(f"town {layout.name}: road {edge.name} climbs {150 * rise / span:.1f} %; at most 6.5.")
        cubics.append((s0, z0, 3 * rise / span**2, -2 * rise / span**3))
    return cubics


def height_at(cubics: list[tuple[float, float, float, float]], s: float) -> float:
    """Height in metres at arc length ``s`` of the cubics from :func:`height`."""
    base, z, c, d = [cubic for cubic in cubics if cubic[0] <= s + 1e-9][-1]
    u = s - base
    return z + c * u**2 + d * u**3
