"""What the renderer needs to know about the moving world at one instant. Immutable, so that it can cross threads."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from linkvla.launch.sim.world.pose import Pose
from linkvla.launch.sim.world.weather import Weather

PROP_SHAPES = ("cone", "barrier", "box")


@dataclass(frozen=True)
class RenderActor:
    """One thing to draw."""

    shape: str  # car, van, truck, bus, motorcycle, bicycle, walker, cone, barrier, box
    pose: Pose  # origin on the ground, as CARLA's actors have it
    half_extent: tuple[float, float, float]  # m
    colour: tuple[float, float, float]  # 0..1 RGB
    brake: bool = False  # brake lamps lit
    phase: float = 0.0  # gait phase of walkers, radians
    seed: int = 0  # picks details of the look
    id: int = 0  # of the actor in the world
    velocity: tuple[float, float, float] = (0.0, 0.0, 0.0)  # m/s, world
    lamps: int = 0  # of a vehicle: what a client switched on, bits of carla.VehicleLightState
    model: str = ""  # a look of its own within the shape; empty: the shape's
    doors: tuple[int, ...] = ()  # the side doors that stand open, as carla.VehicleDoor numbers them


@dataclass(frozen=True)
class StreetLights:
    """The street lamps of a town; L of them."""

    places: np.ndarray  # (L, 3) float32 m, world: the lamps, not the feet of their posts
    yaw: np.ndarray  # (L,) float32 degrees: direction of travel beside them
    colour: np.ndarray  # (L, 3) float32 RGB 0..1
    active: np.ndarray  # (L,) bool


@dataclass(frozen=True)
class SceneSnapshot:
    """The moving world at one tick."""

    actors: tuple[RenderActor, ...]
    light_states: np.ndarray  # (number of town lights,) uint8 LightState, in the order of Town.traffic_lights
    weather: Weather
    corners: np.ndarray | None = None  # (N, 3, 3) float32 m in place of the town's own, where parts of it are hidden
    light_ids: tuple[int, ...] = ()  # actor ids of Town.traffic_lights, as far as there are any
    sign_ids: tuple[int, ...] = ()  # actor ids of Town.stop_signs
    seconds: float = 0.0  # simulated time: blinkers blink and rain falls by it
    street_lights: StreetLights | None = None  # None: there are none
