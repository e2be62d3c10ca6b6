"""What can be spawned: the blueprints that clients list, with every attribute that evaluators set.

The client refuses to set an attribute that its blueprint lacks, so a camera lists all of CARLA 0.9.16's optical
attributes although the renderer uses only size, field of view and tick.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from functools import lru_cache

from linkvla.launch.sim.physics.specs import VEHICLES, VehicleSpec


class AttributeKind(IntEnum):
    """Type of an attribute's value; numbers as on the wire."""

    BOOL = 1
    INT = 2
    FLOAT = 3
    STRING = 4
    COLOUR = 5  # "r,g,b"


@dataclass(frozen=True)
class Attribute:
    """One attribute. ``modifiable`` ones can be set by the client; the others describe the actor."""

    name: str
    kind: AttributeKind
    value: str
    recommended: tuple[str, ...] = ()
    modifiable: bool = True


@dataclass(frozen=True)
class Blueprint:
    """Something that can be spawned."""

    uid: int
    type_id: str
    attributes: tuple[Attribute, ...]

    @property
    def tags(self) -> str:
        """The parts of the id, comma separated, as CARLA tags its blueprints."""
        return self.type_id.replace(".", ",")

    def defaults(self) -> dict[str, str]:
        """Attribute values of an actor spawned without changes."""
        return {attribute.name: attribute.value for attribute in self.attributes}


_COLOURS = ("17,37,103", "66,62,53", "137,0,0", "180,178,171", "20,20,22", "230,230,228", "28,74,56", "120,92,40")
_WALKERS = 51
# fmt: off
_PROPS = (
    "advertisement", "atm", "barbeque", "barrel", "bench01", "bench02", "bench03", "bikeparking", "bin", "box01",
    "box02", "box03", "briefcase", "brokentile01", "brokentile02", "brokentile03", "brokentile04", "busstop",
    "busstoplb", "calibrator", "chainbarrier", "chainbarrierend", "clothcontainer", "clothesline", "colacan",
    "constructioncone", "container", "creasedbox01", "creasedbox02", "creasedbox03", "dirtdebris01", "dirtdebris02",
    "dirtdebris03", "doghouse", "foodcart", "fountain", "garbage01", "garbage02", "garbage03", "garbage04",
    "garbage05", "garbage06", "gardenlamp", "glasscontainer", "gnome", "guitarcase", "haybale", "haybalelb",
    "ironplank", "kiosk_01", "mailbox", "maptable", "mesh", "mobile", "motorhelmet", "pergola", "plantpot01",
    "plantpot02", "plantpot03", "plantpot04", "plantpot05", "plantpot06", "plantpot07", "plantpot08", "plasticbag",
    "plasticchair", "plastictable", "platformgarbage01", "purse", "pushcart", "shop01", "shoppingbag",
    "shoppingcart", "shoppingtrolley", "slide", "streetbarrier", "streetfountain", "streetsign", "streetsign01",
    "streetsign04", "swing", "swingcouch", "table", "trafficcone01", "trafficcone02", "trafficwarning", "trampoline",
    "trashbag", "trashcan01", "trashcan02", "trashcan03", "trashcan04", "trashcan05", "travelcase", "vendingmachine",
    "warningaccident", "warningconstruction", "wateringcan",
)
# fmt: on

_CAMERA_OPTICS = {
    "lens_circle_falloff": 5.0,
    "lens_circle_multiplier": 0.0,
    "lens_k": -1.0,
    "lens_kcube": 0.0,
    "lens_x_size": 0.08,
    "lens_y_size": 0.08,
}
_FILM = {
    "black_clip": 0.0,
    "blade_count": 5,
    "bloom_intensity": 0.675,
    "blur_amount": 1.0,
    "blur_radius": 0.0,
    "calibration_constant": 16.0,
    "chromatic_aberration_intensity": 0.0,
    "chromatic_aberration_offset": 0.0,
    "exposure_compensation": 0.0,
    "exposure_max_bright": 12.0,
    "exposure_min_bright": 10.0,
    "exposure_speed_down": 1.0,
    "exposure_speed_up": 3.0,
    "focal_distance": 1000.0,
    "fstop": 1.4,
    "gamma": 2.2,
    "iso": 100.0,
    "lens_flare_intensity": 0.1,
    "min_fstop": 1.2,
    "motion_blur_intensity": 0.45,
    "motion_blur_max_distortion": 0.35,
    "motion_blur_min_object_screen_size": 0.1,
    "shoulder": 0.26,
    "shutter_speed": 200.0,
    "slope": 0.88,
    "temp": 6500.0,
    "tint": 0.0,
    "toe": 0.55,
    "white_clip": 0.04,
}
_LIDAR_LOSS = {
    "atmosphere_attenuation_rate": 0.004,
    "dropoff_general_rate": 0.45,
    "dropoff_intensity_limit": 0.8,
    "dropoff_zero_intensity": 0.4,
    "noise_stddev": 0.0,
}
_EVENT_THRESHOLDS = {
    "positive_threshold": 0.3,
    "negative_threshold": 0.3,
    "sigma_positive_threshold": 0.0,
    "sigma_negative_threshold": 0.0,
    "log_eps": 0.001,
}
_FRICTION_TRIGGER = ("friction", "extent_x", "extent_y", "extent_z")  # half extents in cm
_GNSS_NOISE = tuple(f"noise_{axis}_{what}" for axis in ("alt", "lat", "lon") for what in ("bias", "stddev"))
_IMU_NOISE = tuple(
    f"noise_{what}_{axis}" for what in ("accel_stddev", "gyro_stddev", "gyro_bias") for axis in ("x", "y", "z")
)


def _flag(name: str, on: bool) -> Attribute:
    return Attribute(name, AttributeKind.BOOL, "true" if on else "false", ("true", "false"))


def _integer(name: str, value: int) -> Attribute:
    return Attribute(name, AttributeKind.INT, str(value), (str(value),))


def _real(name: str, value: float) -> Attribute:
    return Attribute(name, AttributeKind.FLOAT, str(float(value)), (str(float(value)),))


def _text(name: str, value: str, recommended: tuple[str, ...] = ()) -> Attribute:
    return Attribute(name, AttributeKind.STRING, value, recommended or (value,))


def _fixed(name: str, kind: AttributeKind, value: object) -> Attribute:
    return Attribute(name, kind, str(value), (), modifiable=False)


def _role(value: str = "default") -> Attribute:
    return _text("role_name", value)


def _vehicle(spec: VehicleSpec) -> tuple[Attribute, ...]:
    return (
        _text("role_name", "autopilot", ("autopilot", "scenario", "ego_vehicle")),
        Attribute("color", AttributeKind.COLOUR, _COLOURS[0], _COLOURS),
        _flag("sticky_control", True),
        _flag("terramechanics", False),
        _fixed("object_type", AttributeKind.STRING, ""),
        _fixed("number_of_wheels", AttributeKind.INT, spec.wheels),
        _fixed("base_type", AttributeKind.STRING, spec.base_type),
        _fixed("special_type", AttributeKind.STRING, spec.special_type),
        _fixed("generation", AttributeKind.INT, spec.generation),
        _fixed("has_dynamic_doors", AttributeKind.BOOL, "true" if spec.dynamic_doors else "false"),
        _fixed("has_lights", AttributeKind.BOOL, "false" if spec.shape == "bicycle" else "true"),
    )


def _walker(number: int) -> tuple[Attribute, ...]:
    age = "child" if number in (9, 10, 11, 12, 13, 14, 48, 49) else "adult"
    return (
        _role("pedestrian"),
        _flag("is_invincible", True),
        Attribute("speed", AttributeKind.FLOAT, "0.0", ("0.0", "1.42", "2.8")),
        _flag("can_use_wheelchair", False),
        _fixed("gender", AttributeKind.STRING, "female" if number % 2 else "male"),
        _fixed("age", AttributeKind.STRING, age),
        _fixed("generation", AttributeKind.INT, 2 if number >= 15 else 1),
    )


def _lidar(extra: dict[str, float]) -> tuple[Attribute, ...]:
    scan = (_integer("channels", 32), _real("range", 10.0), _integer("points_per_second", 56000))
    angles = {"rotation_frequency": 10.0, "upper_fov": 10.0, "lower_fov": -30.0, "horizontal_fov": 360.0}
    numbers = tuple(_real(name, value) for name, value in (angles | extra).items())
    return (_role("front"), _real("sensor_tick", 0.0), *scan, *numbers, _integer("noise_seed", 0))


def _camera(extra: tuple[Attribute, ...] = ()) -> tuple[Attribute, ...]:
    size = (_role("front"), _integer("image_size_x", 800), _integer("image_size_y", 600), _real("fov", 90.0))
    return size + (_real("sensor_tick", 0.0),) + tuple(_real(k, v) for k, v in _CAMERA_OPTICS.items()) + extra


def _sensors() -> dict[str, tuple[Attribute, ...]]:
    film = tuple(_real(name, value) for name, value in _FILM.items())
    rgb = film + (
        _text("exposure_mode", "histogram", ("histogram", "manual")),
        _flag("enable_postprocess_effects", True),
    )
    timed = (_role("front"), _real("sensor_tick", 0.0))
    seeded = timed + (_integer("noise_seed", 0),)
    return {
        "sensor.camera.rgb": _camera(rgb),
        "sensor.camera.depth": _camera(),
        "sensor.camera.normals": _camera(),
        "sensor.camera.optical_flow": _camera(),
        "sensor.camera.instance_segmentation": _camera(),
        "sensor.camera.dvs": _camera(
            rgb
            + tuple(_real(name, value) for name, value in _EVENT_THRESHOLDS.items())
            + (_integer("refractory_period_ns", 0), _flag("use_log", True), _integer("noise_seed", 0))
        ),
        "sensor.lidar.ray_cast": _lidar(_LIDAR_LOSS),
        "sensor.lidar.ray_cast_semantic": _lidar({}),
        "sensor.other.radar": seeded
        + (_real("horizontal_fov", 30.0), _real("vertical_fov", 30.0), _real("range", 100.0))
        + (_integer("points_per_second", 1500),),
        "sensor.camera.semantic_segmentation": _camera(),
        "sensor.other.collision": (_role("front"),),
        "sensor.other.lane_invasion": (_role("front"),),
        "sensor.other.obstacle": timed
        + (
            _real("distance", 5.0),
            _real("hit_radius", 0.5),
            _flag("only_dynamics", False),
            _flag("debug_linetrace", False),
        ),
        "sensor.other.gnss": seeded + tuple(_real(name, 0.0) for name in _GNSS_NOISE),
        "sensor.other.imu": seeded + tuple(_real(name, 0.0) for name in _IMU_NOISE),
    }


@lru_cache(maxsize=1)
def blueprints() -> dict[str, Blueprint]:
    """Every blueprint by type id, in a fixed order with uids from 1."""
    table: dict[str, tuple[Attribute, ...]] = {name: _vehicle(spec) for name, spec in sorted(VEHICLES.items())}
    table.update({f"walker.pedestrian.{n:04d}": _walker(n) for n in range(1, _WALKERS + 1)})
    table.update({f"static.prop.{name}": (_role(), _fixed("size", AttributeKind.STRING, "small")) for name in _PROPS})
    table["static.trigger.friction"] = (_role(),) + tuple(_real(name, 0.0) for name in _FRICTION_TRIGGER)
    table.update(_sensors())
    table["controller.ai.walker"] = (_role(),)
    return {name: Blueprint(uid, name, attributes) for uid, (name, attributes) in enumerate(table.items(), start=1)}
