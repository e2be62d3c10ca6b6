"""The road surface: every lane of every road as a strip of triangles, each cross-section asked from carla.Map.

Walking the file's roads, sections and lanes (not ``generate_waypoints``) also gives junctions, sidewalk-only roads and
the last metres of each road. All asphalt has one colour, so that overlapping connecting roads do not flicker.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numba
import numpy as np

from linkvla.launch.sim.render.materials import Look, Material
from linkvla.launch.sim.render.mesh import Colour, MeshBuilder
from linkvla.launch.sim.render.rasteriser import OPTIONS
from linkvla.launch.sim.world.opendrive import tree
from linkvla.launch.sim.world.superelevation import Superelevation
from linkvla.launch.sim.world.town import Town

if TYPE_CHECKING:
    import carla

STEP = 2.0  # m between cross-sections
LONGEST = 16.0  # m, of one quad, so that cells stay small
FLATNESS = 0.012  # m, how far a quad may cut a curve or a hill
KERB = 0.15  # m, height of sidewalks
SKIRT = 1.2  # m, how far the edge of the road reaches down into the ground

_ASPHALT_TYPES = ("Driving", "Shoulder", "Parking", "Bidirectional", "Stop", "Entry", "Exit", "OnRamp", "OffRamp",
                  "Biking", "RoadWorks", "Special1", "Special2", "Special3", "Restricted")  # fmt: skip


@dataclass(frozen=True)
class LaneStrip:
    """One lane of one lane section, cross-sections in the direction of travel."""

    road_id: int
    lane_id: int
    kind: str  # name of carla.LaneType
    in_junction: bool
    left: np.ndarray  # (n, 3) m, world
    right: np.ndarray  # (n, 3)
    marks: tuple[tuple[str, str, str, str], ...]  # per cross-section: left type, left colour, right type, right colour
    inner_is_lane: bool  # whether the lane on the inner side is drawn as a lane of the same direction
    is_outermost: bool

    @property
    def centre(self) -> np.ndarray:
        """(n, 3) m."""
        return 0.5 * (self.left + self.right)


@dataclass(frozen=True)
class RoadPaint:
    """Colours of a town's roads."""

    asphalt: Colour
    sidewalk: Colour
    kerb: Colour
    verge: Colour


def lane_strips(town: Town) -> list[LaneStrip]:
    """Cross-sections of all lanes that have a surface."""
    strips, leaning = [], Superelevation(town.xodr)
    for road in tree(town.xodr).findall("road"):
        lanes = road.find("lanes")
        if lanes is None:
            continue
        sections = lanes.findall("laneSection")
        starts = [float(section.get("s", "0")) for section in sections] + [float(road.get("length", "0"))]
        for k, section in enumerate(sections):
            ids = sorted(int(lane.get("id", "0")) for lane in section.iter("lane"))
            found = {}
            for lane_id in ids:
                if lane_id != 0:
                    points = _cross_sections(town.map, int(road.get("id", "0")), lane_id, starts[k], starts[k + 1])
                    if points and str(points[0].lane_type) not in ("NONE", "Border"):
                        found[lane_id] = points
            for lane_id, points in found.items():
                sign = 1 if lane_id > 0 else -1
                inner = lane_id - sign if lane_id != sign else (1 if lane_id == -1 else 0)
                inner_is_lane = inner in found and str(found[inner][0].lane_type) == "Driving"
                if lane_id == -1:
                    inner_is_lane = False  # the right half of the road paints the centre line
                outermost = lane_id + sign not in found
                inside = road.get("junction", "-1") != "-1"
                strips.append(_strip(points, leaning, inside, inner_is_lane, outermost))
    return strips


def _cross_sections(town_map: carla.Map, road_id: int, lane_id: int, start: float, end: float) -> list[carla.Waypoint]:
    start, end = start + 1e-4, end - 1e-4
    if end - start < 1e-2:
        return []
    count = max(1, math.ceil((end - start) / STEP))
    found = [town_map.get_waypoint_xodr(road_id, lane_id, start + (end - start) * i / count) for i in range(count + 1)]
    return [point for point in found if point is not None]


def _paint(marking: carla.LaneMarking | None) -> tuple[str, str]:
    """Kind and colour; a file that says nothing of a lane's edge has none there."""
    return ("NONE", "Standard") if marking is None else (str(marking.type), str(marking.color))


def _strip(
    points: list[carla.Waypoint], leaning: Superelevation, in_junction: bool, inner_is_lane: bool, outermost: bool
) -> LaneStrip:
    if points[0].lane_id > 0:  # travel runs against the road's own direction
        points = points[::-1]
    place, half = np.empty((len(points), 3)), np.empty((len(points), 1))
    yaw, bank = np.empty(len(points)), np.empty(len(points))
    for i, point in enumerate(points):
        transform = point.transform
        lift, bank[i] = leaning.tilt(point)
        place[i] = transform.location.x, transform.location.y, transform.location.z + lift
        yaw[i] = math.radians(transform.rotation.yaw)
        half[i] = 0.5 * point.lane_width
    right = np.column_stack([-np.sin(yaw), np.cos(yaw), bank]) * half
    kind = str(points[0].lane_type)
    marks = ()
    if kind == "Driving" and not in_junction:
        marks = tuple((*_paint(p.left_lane_marking), *_paint(p.right_lane_marking)) for p in points)
    return LaneStrip(
        points[0].road_id, points[0].lane_id, kind, in_junction, place - right, place + right, marks, inner_is_lane,
        outermost,
    )  # fmt: skip


def add_road_surface(builder: MeshBuilder, strips: list[LaneStrip], paint: RoadPaint) -> None:
    """Asphalt, sidewalks with kerbs, verges, and skirts that close the gap between the road's edge and the ground."""
    for strip in strips:
        keep = simplify(np.hstack([strip.left, strip.right]))
        left, right = strip.left[keep], strip.right[keep]
        if len(left) < 2:
            continue
        if strip.kind == "Sidewalk":
            left, right = left + (0.0, 0.0, KERB), right + (0.0, 0.0, KERB)
            _ribbon(builder, left, right, Material.SIDEWALK, Look.PAVING, paint.sidewalk)
            # Strips of neighbouring sections may miss each other by a hair; the skirts also close the ends.
            down = np.array([0.0, 0.0, SKIRT + KERB])
            for edge, other in ((left, right), (right, left)):
                _wall(builder, edge, edge - down, edge - other, Material.SIDEWALK, paint.kerb)
            for end in (0, -1):
                a, b = left[end], right[end]
                ahead = (left[end] - left[1 if end == 0 else -2])[None]
                pair = np.stack([a, b])
                _wall(builder, pair, pair - (0.0, 0.0, KERB), ahead, Material.SIDEWALK, paint.kerb)
            continue
        if strip.kind in _ASPHALT_TYPES:
            _ribbon(builder, left, right, Material.ROAD, Look.ASPHALT, paint.asphalt)
        else:
            _ribbon(builder, left, right, Material.GROUND, Look.GRASS, paint.verge)
        down = np.array([0.0, 0.0, SKIRT])
        if strip.in_junction:  # edges inside a junction stand a little above its underlay: they must not show green
            _wall(builder, right, right - down, right - left, Material.ROAD, paint.asphalt)
            _wall(builder, left, left - down, left - right, Material.ROAD, paint.asphalt)
        elif strip.is_outermost:
            _wall(builder, right, right - down, right - left, Material.GROUND, paint.verge)


def _ribbon(builder: MeshBuilder, left, right, material: Material, look: Look, colour: Colour) -> None:
    builder.quads(left[:-1], left[1:], right[1:], right[:-1], material, look, colour)


def _wall(
    builder: MeshBuilder, top: np.ndarray, bottom: np.ndarray, out: np.ndarray, material: Material, colour
) -> None:
    """A vertical wall along ``top`` (n, 3) that faces the side ``out`` points to."""
    along = top[1:] - top[:-1]
    out = out[: len(along)]
    faces = (along[:, 0] * out[:, 1] - along[:, 1] * out[:, 0])[:, None] > 0.0  # out is to the right of along
    a, b = np.where(faces, top[:-1], top[1:]), np.where(faces, top[1:], top[:-1])
    c, d = np.where(faces, bottom[1:], bottom[:-1]), np.where(faces, bottom[:-1], bottom[1:])
    builder.quads(a, b, c, d, material, Look.PLAIN, colour)


def simplify(points: np.ndarray, longest: float = LONGEST, flatness: float = FLATNESS) -> np.ndarray:
    """Indices of the points of a poly-line (n, k) to keep so that none left out is off its chord by ``flatness``."""
    steps = points[1:, :3] - points[:-1, :3]
    length = np.zeros(len(points))
    length[1:] = np.cumsum(np.sqrt((steps * steps).sum(1)))
    return _kept(np.ascontiguousarray(points), length, longest, flatness)


@numba.njit(**OPTIONS)
def _kept(points, length, longest, flatness):  # pragma: no cover - compiled
    """``simplify`` by the length (n,) at each point: chords grow until one is too long or a point is off it."""
    kept = np.empty(len(points), np.int64)
    count, start, last = 1, 0, len(points) - 1
    kept[0] = 0
    while start < last:
        end = start + 1
        while end < last and length[end + 1] - length[start] <= longest and _flat(points, start, end + 1, flatness):
            end += 1
        kept[count] = start = end
        count += 1
    return kept[:count].copy()


@numba.njit(**OPTIONS)
def _flat(points, start, end, flatness):  # pragma: no cover - compiled
    for i in range(start + 1, end):
        share = (i - start) / (end - start)
        for k in range(points.shape[1]):
            chord = points[start, k] + share * (points[end, k] - points[start, k])
            if abs(points[i, k] - chord) > flatness:
                return False
    return True
