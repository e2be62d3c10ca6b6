"""The fixed objects of a town as clients see them: listed with boxes and numbers, and hidden from cameras on demand.

Hiding concerns pictures only; what is hidden still stands in the way.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np

from linkvla.launch.sim.physics.collision import footprint_box
from linkvla.launch.sim.protocol import structs
from linkvla.launch.sim.render.hiding import Volume, without
from linkvla.launch.sim.render.materials import Material
from linkvla.launch.sim.render.scene import TownScene
from linkvla.launch.sim.render.snapshot import SceneSnapshot
from linkvla.launch.sim.world.pose import Box
from linkvla.launch.sim.world.town import Building, LightState, StopSignSite, Town, TrafficLightSite

_HOUSING_HALF_EXTENT = (0.2, 0.2, 0.55)  # m
_SIGN_HALF_EXTENT = (0.05, 0.4, 0.4)
_SIGN_HEIGHT = 2.2
_EAVES = 0.6  # m that a roof stands out over its walls
_ROOF = 12.0  # m that a roof may rise over them
_ARM = 0.9  # m on either side of the line from a light's pole to its head
_LIGHT_HEIGHT = 9.0

_LIGHT_PARTS = (Material.POLE, Material.LAMP_OFF)
_SIGN_PARTS = (Material.POLE, Material.STOP_SIGN, Material.YIELD_SIGN)
BUILDINGS_LAYER, FOLIAGE_LAYER, ALL_LAYERS = 1, 4, 0xFFFF  # bits of carla.MapLayer; the other layers are never hidden
_LAYERS = {BUILDINGS_LAYER: Material.BUILDING, FOLIAGE_LAYER: Material.VEGETATION}


@dataclass(frozen=True)
class EnvironmentObject:
    """One fixed object. ``number`` is the same whichever label a client asks for."""

    number: int
    name: str
    label: int  # CityObjectLabel
    box: Box  # world frame
    volume: Volume  # which triangles are its
    light_index: int = -1  # in Town.traffic_lights


def housing_box(site: TrafficLightSite) -> Box:
    """World box of a light's lamp housing."""
    head = site.head
    return Box(head.x, head.y, head.z, *_HOUSING_HALF_EXTENT, head.yaw)


def _building(number: int, index: int, building: Building) -> EnvironmentObject:
    row = footprint_box(building.footprint, building.base, building.height)
    x, y, yaw, half_x, half_y, low, high = row.tolist()
    box = Box(x, y, (low + high) / 2.0, half_x, half_y, (high - low) / 2.0, math.degrees(yaw))
    volume = Volume(x, y, yaw, half_x + _EAVES, half_y + _EAVES, low - 1.0, high + _ROOF, (Material.BUILDING,))
    return EnvironmentObject(number, f"building_{index}", structs.BUILDINGS, box, volume)


def _light(number: int, index: int, site: TrafficLightSite) -> EnvironmentObject:
    foot, head = site.pose, site.head
    dx, dy = head.x - foot.x, head.y - foot.y
    volume = Volume(
        (foot.x + head.x) / 2.0,
        (foot.y + head.y) / 2.0,
        math.atan2(dy, dx),
        math.hypot(dx, dy) / 2.0 + _ARM,
        _ARM,
        foot.z - 1.0,
        foot.z + _LIGHT_HEIGHT,
        _LIGHT_PARTS,
    )
    name = f"traffic_light_{site.sign_id}"
    return EnvironmentObject(number, name, structs.TRAFFIC_LIGHT, housing_box(site), volume, index)


def _sign(number: int, site: StopSignSite) -> EnvironmentObject:
    pose = site.pose
    box = Box(pose.x, pose.y, pose.z + _SIGN_HEIGHT, *_SIGN_HALF_EXTENT, pose.yaw)
    volume = Volume(pose.x, pose.y, 0.0, 0.6, 0.6, pose.z - 1.0, pose.z + 4.0, _SIGN_PARTS)
    return EnvironmentObject(number, f"{site.kind}_sign_{site.sign_id}", structs.TRAFFIC_SIGNS, box, volume)


class Environment:
    """The fixed objects of one town, and which of them cameras must not see."""

    def __init__(self, town: Town) -> None:
        objects: list[EnvironmentObject] = []
        for index, building in enumerate(town.buildings):
            objects.append(_building(len(objects) + 1, index, building))
        for index, site in enumerate(town.traffic_lights):
            objects.append(_light(len(objects) + 1, index, site))
        for sign in town.stop_signs:
            objects.append(_sign(len(objects) + 1, sign))
        self.objects = tuple(objects)
        self._hidden: set[int] = set()
        self._layers = ALL_LAYERS
        self._corners: np.ndarray | None = None  # of the scene without what is hidden; None: not made yet

    def of_label(self, label: int) -> list[EnvironmentObject]:
        """The objects with a CityObjectLabel, all for ``ANY``."""
        return [item for item in self.objects if label in (item.label, structs.ANY)]

    def enable(self, numbers: Iterable[int], enabled: bool) -> None:
        """Show or hide objects; numbers that are nothing here are passed over."""
        known = {item.number for item in self.objects}
        chosen = {number for number in numbers if number in known}
        self._hidden = self._hidden - chosen if enabled else self._hidden | chosen
        self._corners = None

    def set_layers(self, layers: int, loaded: bool) -> None:
        """Show or hide all buildings or all foliage (bits of ``carla.MapLayer``)."""
        self._layers = self._layers | layers if loaded else self._layers & ~layers
        self._corners = None

    def veil(self, snapshot: SceneSnapshot, scene: TownScene) -> SceneSnapshot:
        """The snapshot as cameras may see it; the same object when nothing is hidden."""
        materials = tuple(material for bit, material in _LAYERS.items() if not self._layers & bit)
        if not self._hidden and not materials:
            return snapshot
        hidden = [item for item in self.objects if item.number in self._hidden]
        if self._corners is None:
            self._corners = without(scene.mesh, [item.volume for item in hidden], materials)
        states = snapshot.light_states.copy()
        states[[item.light_index for item in hidden if item.light_index >= 0]] = LightState.OFF
        return replace(snapshot, light_states=states, corners=self._corners)
