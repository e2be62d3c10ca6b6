"""What a town is before it is drawn: junctions, the roads between them and their cross-sections.

Everything here is in the OpenDRIVE frame: x east, y NORTH, z up, metres (the CARLA world frame has y = -y).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from itertools import pairwise

CONTROLS = ("signal", "stop", "all_stop", "yield", "none")


class AuthoringError(Exception):
    """A layout cannot be drawn; the message names the road or junction and the limit that it breaks."""


@dataclass(frozen=True)
class Profile:
    """Cross-section of a road. ``forward`` lanes run from the road's first junction to its second."""

    forward: int = 1
    backward: int = 1
    width: float = 3.5  # m, driving lane
    speed: float = 50.0  # km/h
    sidewalk: float = 2.5  # m; 0 = none
    parking: float = 0.0  # m, on both sides
    shoulder: float = 0.0  # m, on both sides
    centre: str = "solid_solid"  # "solid" or "solid_solid": nobody may cross it
    colour: str = "yellow"  # of the centre line

    def __post_init__(self) -> None:
        if not 1 <= self.forward <= 3 or not 1 <= self.backward <= 3:
            raise AuthoringError(f"lanes per direction {self.forward}/{self.backward}: allowed are 1 to 3.")
        if not 3.0 <= self.width <= 3.75:
            raise AuthoringError(f"lane width {self.width} m: allowed are 3.0 to 3.75 m.")

    def carriageway(self, lanes: int) -> float:
        """Width of one side in metres from the centre line to the kerb, for ``lanes`` driving lanes."""
        return lanes * self.width + self.parking + self.shoulder

    @property
    def extras(self) -> int:
        """Number of lanes beyond the driving lanes on one side (shoulder, parking, sidewalk)."""
        return (self.shoulder > 0) + (self.parking > 0) + (self.sidewalk > 0)


@dataclass(frozen=True)
class Node:
    """A junction of three or four roads. Its area is level."""

    name: str
    x: float
    y: float
    z: float = 0.0
    control: str = "none"  # one of CONTROLS
    crosswalks: bool = True
    corner: float = 6.0  # m, kerb radius
    setback: float = 1.5  # m, stop line before the crosswalk, or before the mouth where there is none

    def __post_init__(self) -> None:
        if self.control not in CONTROLS:
            raise AuthoringError(f"junction {self.name}: control {self.control!r}; allowed are {', '.join(CONTROLS)}.")


@dataclass(frozen=True)
class Edge:
    """A road between two junctions: straight pieces through ``via``, each corner rounded with its radius."""

    name: str
    start: str
    end: str
    profile: Profile
    via: tuple[tuple[float, float], ...] = ()
    radius: float = 20.0  # m, at the via points (cut down where the pieces are too short)
    crest: float = 0.0  # m, additional height half-way


@dataclass
class Layout:
    """One town."""

    name: str
    buildings: str = "town"  # roadgen's rule set: town, suburban, downtown or industrial
    seed: int = 0
    nodes: dict[str, Node] = field(default_factory=dict)
    edges: list[Edge] = field(default_factory=list)

    def node(self, name: str, x: float, y: float, control: str = "none", **options: object) -> None:
        """Adds a junction. Raises AuthoringError when the name is taken."""
        if name in self.nodes:
            raise AuthoringError(f"town {self.name}: junction {name} stands twice in the layout.")
        self.nodes[name] = Node(name, x, y, control=control, **options)  # type: ignore[arg-type]

    def road(self, start: str, end: str, profile: Profile, *via: tuple[float, float], **options: float) -> None:
        """Adds a road from junction ``start`` to ``end`` through the ``via`` points."""
        for name in (start, end):
            if name not in self.nodes:
                raise AuthoringError(f"town {self.name}: road {start}-{end} names no junction {name}.")
        number = sum({edge.start, edge.end} == {start, end} for edge in self.edges)
        name = f"{start}{end}" + (f"-{number}" if number else "")
        self.edges.append(Edge(name, start, end, profile, tuple(via), **options))

    def street(self, names: str, profile: Profile, **options: float) -> None:
        """Adds straight roads through the junctions named in ``names`` (separated by blanks)."""
        stops = names.split()
        for start, end in pairwise(stops):
            self.road(start, end, profile, **options)

    def without(self, start: str, end: str) -> None:
        """Takes the road between two junctions out again."""
        self.edges = [edge for edge in self.edges if {edge.start, edge.end} != {start, end}]

    def set(self, name: str, **options: object) -> None:
        """Changes fields of a junction."""
        self.nodes[name] = replace(self.nodes[name], **options)  # type: ignore[arg-type]


@dataclass(frozen=True)
class Arm:
    """One road end at a junction, seen from the junction."""

    edge: Edge
    at_start: bool  # the road starts at this junction
    heading: float  # rad, from the junction outwards

    @property
    def lanes_in(self) -> int:
        """Number of lanes that enter the junction."""
        return self.edge.profile.backward if self.at_start else self.edge.profile.forward

    @property
    def lanes_out(self) -> int:
        """Number of lanes that leave the junction."""
        return self.edge.profile.forward if self.at_start else self.edge.profile.backward


def vertices(layout: Layout, edge: Edge) -> list[tuple[float, float]]:
    """Corner points of a road's axis from junction centre to junction centre."""
    start, end = layout.nodes[edge.start], layout.nodes[edge.end]
    return [(start.x, start.y), *edge.via, (end.x, end.y)]


def arms(layout: Layout, node: Node) -> list[Arm]:
    """The road ends at a junction, sorted by heading (counter-clockwise)."""
    found = []
    for edge in layout.edges:
        points = vertices(layout, edge)
        for at_start, name in ((True, edge.start), (False, edge.end)):
            if name == node.name:
                near, far = (points[0], points[1]) if at_start else (points[-1], points[-2])
                found.append(Arm(edge, at_start, math.atan2(far[1] - near[1], far[0] - near[0])))
    return sorted(found, key=lambda arm: arm.heading)


def turn(arriving: Arm, leaving: Arm) -> float:
    """Change of heading in radians, in (-pi, pi], of a car from one arm to the other; left > 0."""
    return math.remainder(leaving.heading - arriving.heading - math.pi, 2 * math.pi)
