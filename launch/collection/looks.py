"""Random looks: what cars, people and the sky may look like in a drawn situation.

Vehicles and props are those that clients of the simulator can spawn, with the same bodies: what is taught on drawn
situations is met again in drives.
"""

from __future__ import annotations

import math
import random
from dataclasses import dataclass

from linkvla.launch.sim.physics.prop_specs import PROP_COLOURS, prop_spec
from linkvla.launch.sim.physics.specs import VEHICLES, WALKER_HALF_EXTENT, VehicleSpec
from linkvla.launch.sim.render.capture import look_of, model_of
from linkvla.launch.sim.render.snapshot import PROP_SHAPES, RenderActor
from linkvla.launch.sim.world.pose import Pose
from linkvla.launch.sim.world.weather import Weather

_SHAPES = {"car": 30, "van": 4, "truck": 2, "bus": 1, "motorcycle": 1, "bicycle": 1}  # of vehicles: shares
_POLICE_CARS = ("vehicle.dodge.charger_police", "vehicle.dodge.charger_police_2020")
PROPS = (  # names of ``static.prop``
    "constructioncone", "trafficcone01", "trafficcone02", "streetbarrier", "trafficwarning", "warningconstruction",
    "warningaccident", "box01", "box03", "trashcan04", "container", "vendingmachine",
)  # fmt: skip
_PAINTS = (
    (0.60, 0.07, 0.06), (0.10, 0.15, 0.45), (0.80, 0.80, 0.80), (0.08, 0.08, 0.09), (0.50, 0.50, 0.52),
    (0.75, 0.60, 0.10), (0.10, 0.35, 0.20), (0.35, 0.20, 0.12), (0.20, 0.40, 0.60),
)  # fmt: skip


@dataclass(frozen=True)
class Body:
    """What something looks like, wherever it is."""

    shape: str
    half_extent: tuple[float, float, float]  # m
    colour: tuple[float, float, float]  # 0..1 RGB
    model: str = ""  # as in ``RenderActor``
    seed: int = 0  # as in ``RenderActor``

    @property
    def is_prop(self) -> bool:
        """Whether it is neither a vehicle nor somebody."""
        return self.shape in PROP_SHAPES

    def reach(self, heading: float) -> tuple[float, float]:
        """(along, aside) in m from its middle to its ends, for a heading in rad relative to that way."""
        cosine, sine = abs(math.cos(heading)), abs(math.sin(heading))
        half_length, half_width, _ = self.half_extent
        return cosine * half_length + sine * half_width, sine * half_length + cosine * half_width

    def drawn(self, pose: Pose, *, brake: bool = False, lamps: int = 0, phase: float = 0.0) -> RenderActor:
        """At a place in the world, for the renderer."""
        return RenderActor(
            self.shape, pose, self.half_extent, self.colour, brake, phase, self.seed, lamps=lamps, model=self.model
        )


def vehicle(rng: random.Random) -> Body:
    """A random vehicle, mostly a car."""
    shape = rng.choices(list(_SHAPES), list(_SHAPES.values()))[0]
    return _painted(rng.choice([spec for spec in VEHICLES.values() if spec.shape == shape]), rng)


def police(rng: random.Random) -> Body:
    """A police car."""
    return _painted(VEHICLES[rng.choice(_POLICE_CARS)], rng)


def _painted(spec: VehicleSpec, rng: random.Random) -> Body:
    return Body(spec.shape, spec.half_extent, paint(rng), model_of(spec.type_id), look_of(spec.type_id))


def walker(rng: random.Random) -> Body:
    """A random pedestrian."""
    return Body("walker", WALKER_HALF_EXTENT, paint(rng), seed=rng.randrange(1 << 16))


def prop(rng: random.Random) -> Body:
    """A random obstacle."""
    return prop_named(rng.choice(PROPS))


def prop_named(name: str) -> Body:
    """``static.prop.<name>``; its name fixes what it looks like."""
    shape, extent = prop_spec(name)
    return Body(shape, extent, PROP_COLOURS[shape], model_of(f"static.prop.{name}"))


def paint(rng: random.Random) -> tuple[float, float, float]:
    """A car or coat colour, slightly varied."""
    red, green, blue = rng.choice(_PAINTS)
    shade = rng.uniform(0.75, 1.25)
    return min(red * shade, 1.0), min(green * shade, 1.0), min(blue * shade, 1.0)


def weather(rng: random.Random) -> Weather:
    """All that CARLA's presets have: from clear noon to night, storm and fog at once; fair daylight most of all."""
    wet, hazy = rng.random() < 0.5, rng.random() < 0.35
    sky = rng.random()
    altitude = rng.uniform(-90, 0) if sky < 0.22 else rng.uniform(0, 20) if sky < 0.42 else rng.uniform(20, 90)
    return Weather(
        cloudiness=rng.uniform(0, 100),
        precipitation=rng.uniform(0, 100) if wet else 0.0,
        precipitation_deposits=rng.uniform(0, 100) if wet else 0.0,
        wind_intensity=rng.uniform(0, 100) if wet else 10.0,
        sun_azimuth_angle=rng.uniform(0, 360),
        sun_altitude_angle=altitude,
        fog_density=rng.uniform(0, 100) if hazy else rng.uniform(0, 10),
        wetness=rng.uniform(0, 100) if wet else 0.0,
    )
