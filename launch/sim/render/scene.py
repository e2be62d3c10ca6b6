"""A town as triangles, sorted into square cells so that a camera touches only those it can see."""

from __future__ import annotations

from dataclasses import dataclass
from zlib import crc32

import numpy as np

from linkvla.launch.sim.render.junctions import add_junction_fill
from linkvla.launch.sim.render.markings import add_crosswalk, add_lane_lines, add_stop_lines
from linkvla.launch.sim.render.mesh import Mesh, MeshBuilder
from linkvla.launch.sim.render.roads import RoadPaint, add_road_surface, lane_strips
from linkvla.launch.sim.render.scenery import Ground, add_building, add_trees, invent_buildings, survey
from linkvla.launch.sim.render.signals import add_sign, add_traffic_light, lamp_centres
from linkvla.launch.sim.render.things import ThingKind, Things
from linkvla.launch.sim.world.town import Town

CELL = 32.0  # m


@dataclass(frozen=True)
class TownScene:
    """Static triangles of a town, and where its lamps are. Immutable: cameras of many threads may share one."""

    mesh: Mesh  # sorted by cell
    spans: np.ndarray  # (cells, 2) int64: first and end triangle
    centre: np.ndarray  # (cells, 3) float32 m, middle of the cell's bounding box
    half: np.ndarray  # (cells, 3) float32 m
    lamps: np.ndarray  # (lights, 3, 3) float32 m: centres of red, yellow, green of Town.traffic_lights
    lamp_yaw: np.ndarray  # (lights,) float32 degrees
    things: Things  # what the numbers in ``mesh.thing`` stand for

    @classmethod
    def build(cls, town: Town, seed: int = 0) -> TownScene:
        """Build a town's triangles; ``seed`` picks colours, trees and, where the town lists none, buildings.

        Takes some tenths of a second for a small town, a few seconds for CARLA's large ones.
        """
        rng = np.random.default_rng([crc32(town.name.encode()), seed])
        builder, things = MeshBuilder(), Things()
        strips = lane_strips(town)
        paint, grass = _palette(rng)
        add_road_surface(builder, strips, paint)
        add_junction_fill(builder, strips, paint.asphalt)
        add_lane_lines(builder, strips)
        for outline in town.crosswalks:
            add_crosswalk(builder, outline, _road_height(town))
        add_stop_lines(builder, town)
        plan = survey(strips)
        ground = Ground(strips, plan)
        ground.add(builder, grass)
        for building in town.buildings:
            plan.claim(np.asarray(building.footprint))
        for building in town.buildings or invent_buildings(strips, plan, ground, rng):
            things.begin(builder, ThingKind.BUILDING)
            add_building(builder, building)
        for light in town.traffic_lights:
            things.begin(builder, ThingKind.LIGHT)
            add_traffic_light(builder, light)
        for sign in town.stop_signs:
            things.begin(builder, ThingKind.SIGN)
            add_sign(builder, sign)
        add_trees(builder, things, strips, plan, ground, rng)
        lamps = [lamp_centres(light) for light in town.traffic_lights]
        yaw = [light.head.yaw for light in town.traffic_lights]
        places = np.array(lamps, np.float32).reshape(-1, 3, 3)
        return cls(*_cells(builder.build()), places, np.array(yaw, np.float32), things)


def _palette(rng: np.random.Generator) -> tuple[RoadPaint, np.ndarray]:
    """Colours of roads and grass; every town looks a little different."""
    asphalt = np.full(3, rng.uniform(0.24, 0.33)) * (1.0, 1.0, rng.uniform(1.0, 1.05))
    sidewalk = np.array([0.60, 0.585, 0.56]) * rng.uniform(0.86, 1.06)
    grass = np.array([0.33, 0.42, 0.20]) * (rng.uniform(0.85, 1.2), rng.uniform(0.9, 1.05), rng.uniform(0.85, 1.1))
    return RoadPaint(asphalt, sidewalk, sidewalk * 0.84, grass * 0.95), grass


def _road_height(town: Town):
    import carla  # late: reading colours and templates must not need it

    def height(x: float, y: float, z: float) -> float:
        point = town.map.get_waypoint(carla.Location(x=float(x), y=float(y), z=float(z)))
        return z if point is None else point.transform.location.z

    return height


def _cells(mesh: Mesh) -> tuple[Mesh, np.ndarray, np.ndarray, np.ndarray]:
    """Sort triangles by the cell of their middle; within a cell the ground comes last, hidden by what stands on it."""
    cell = np.floor(mesh.corners[:, :, :2].mean(1) / CELL).astype(np.int64)
    order = np.lexsort((mesh.look == 4, cell[:, 1], cell[:, 0]))
    mesh, cell = mesh.take(order), cell[order]
    new = np.r_[True, (np.diff(cell, axis=0) != 0).any(1)]
    first = np.nonzero(new)[0]
    spans = np.column_stack([first, np.r_[first[1:], len(mesh)]]).astype(np.int64)
    low = np.minimum.reduceat(mesh.corners.min(1), first)
    high = np.maximum.reduceat(mesh.corners.max(1), first)
    return mesh, spans, (0.5 * (low + high)).astype(np.float32), (0.5 * (high - low)).astype(np.float32)
