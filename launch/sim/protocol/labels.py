"""CityObjectLabel of everything that a camera or a ray meets, from what the renderer knows about it."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from linkvla.launch.sim.protocol import structs
from linkvla.launch.sim.render.materials import Material
from linkvla.launch.sim.render.snapshot import SceneSnapshot
from linkvla.launch.sim.render.things import Owners

RIDER = 13

_LABELS = {
    Material.SKY: structs.SKY,
    Material.GROUND: structs.TERRAIN,
    Material.ROAD: structs.ROADS,
    Material.SIDEWALK: structs.SIDEWALKS,
    Material.LANE_LINE: structs.ROAD_LINES,
    Material.CROSSWALK: structs.ROAD_LINES,
    Material.STOP_LINE: structs.ROAD_LINES,
    Material.BUILDING: structs.BUILDINGS,
    Material.VEGETATION: structs.VEGETATION,
    Material.POLE: structs.POLES,
    Material.LAMP_RED: structs.TRAFFIC_LIGHT,
    Material.LAMP_YELLOW: structs.TRAFFIC_LIGHT,
    Material.LAMP_GREEN: structs.TRAFFIC_LIGHT,
    Material.LAMP_OFF: structs.TRAFFIC_LIGHT,
    Material.VEHICLE: structs.CAR,
    Material.BRAKE_LAMP: structs.CAR,
    Material.WHEEL: structs.CAR,
    Material.WALKER: structs.PEDESTRIANS,
    Material.STOP_SIGN: structs.TRAFFIC_SIGNS,
    Material.YIELD_SIGN: structs.TRAFFIC_SIGNS,
    Material.PROP: structs.DYNAMIC,
}
_BODY = (Material.VEHICLE, Material.BRAKE_LAMP, Material.WHEEL)
_VEHICLES = {shape: tag for shape, tag in structs.TAG_OF_SHAPE.items() if tag != structs.CAR}
_SHAPES = ("", *_VEHICLES)  # of an owner; all others have the labels of the empty one


@lru_cache(maxsize=1)
def label_table() -> np.ndarray:
    """(shapes, 256) uint8: CityObjectLabel of a material on an owner whose ``shape_codes`` gives the row."""
    table = np.full((len(_SHAPES), 256), structs.STATIC, np.uint8)
    for material in Material:
        table[:, material] = _LABELS.get(material, structs.STATIC)
    for code, shape in enumerate(_SHAPES):
        if shape:
            table[code, list(_BODY)] = _VEHICLES[shape]
        if shape in ("motorcycle", "bicycle"):
            table[code, Material.WALKER] = RIDER
    return table


def shape_codes(owners: Owners, snapshot: SceneSnapshot) -> np.ndarray:
    """(owners,) uint8 rows of ``label_table``."""
    codes = np.zeros(len(owners.actor_id), np.uint8)
    for row, actor in enumerate(snapshot.actors, start=owners.first_actor):
        if actor.shape in _VEHICLES:
            codes[row] = _SHAPES.index(actor.shape)
    return codes
