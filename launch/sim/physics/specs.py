"""What each kind of vehicle and walker measures and weighs.

Half extents follow CARLA's published bounding boxes where we know them (MKZ 2020: 2.4508 x 1.0642 x 0.7554 m, from
carla_garage), otherwise the makers' dimensions. Masses and the scale of the drive are our choice: no trustworthy table
is published.
"""

from __future__ import annotations

from dataclasses import dataclass

FRONT_AXLE = -0.090769  # m; SimLingo's effective bicycle for CARLA cars (from World on Rails)
REAR_AXLE = 1.4178275  # m
STEER_GAIN = 0.36848336  # rad of effective wheel angle at full steer
MAX_WHEEL_ANGLE_DEG = 70.0  # what get_physics_control answers
AIR_DENSITY = 1.2  # kg/m^3
DRAG_COEFFICIENT = 0.3
TYRE_FRICTION = 3.5  # of CARLA's wheels; less than that is a slippery road
GEARS = (2.85, 2.02, 1.35, 1.0)
FINAL_RATIO = 4.0
MAX_RPM = 5800.0
WHEEL_RADIUS = 0.35  # m


@dataclass(frozen=True)
class VehicleSpec:
    """One vehicle blueprint. Lengths in metres, mass in kg, speeds in m/s."""

    type_id: str
    half_extent: tuple[float, float, float]
    shape: str = "car"  # car, van, truck, bus, motorcycle, bicycle
    mass: float = 1800.0
    front_axle: float = FRONT_AXLE  # of the effective bicycle, from the origin
    rear_axle: float = REAR_AXLE
    steer_gain: float = STEER_GAIN  # rad at full steer
    drive: float = 1.0  # scales the acceleration that the throttle gives
    top_speed: float = 60.0
    base_type: str = "car"  # CARLA's attribute: car, truck, van, bus, motorcycle, bicycle
    special_type: str = ""  # emergency, taxi, electric
    generation: int = 1

    @property
    def wheels(self) -> int:
        """Number of wheels as CARLA's ``number_of_wheels`` says it."""
        return 2 if self.shape in ("motorcycle", "bicycle") else 4

    @property
    def dynamic_doors(self) -> bool:
        """Whether its doors can be opened: CARLA's ``has_dynamic_doors``."""
        return self.base_type in ("car", "van") and self.generation == 2

    @property
    def frontal_area(self) -> float:
        """Of what meets the air, m^2."""
        return 0.85 * 4.0 * self.half_extent[1] * self.half_extent[2]

    @property
    def wheelbase(self) -> float:
        """Of the real vehicle, metres (about 0.586 of the length; MKZ: 2.871 m)."""
        return 2.871 / 4.9016 * 2.0 * self.half_extent[0]


def _car(name: str, x: float, y: float, z: float, mass: float = 1700.0, **more: object) -> VehicleSpec:
    return VehicleSpec(f"vehicle.{name}", (x, y, z), mass=mass, **more)


def _large(name: str, shape: str, x: float, y: float, z: float, mass: float, **more: object) -> VehicleSpec:
    rear = REAR_AXLE * x / 2.4508
    front = FRONT_AXLE * x / 2.4508
    return VehicleSpec(
        f"vehicle.{name}",
        (x, y, z),
        shape,
        mass,
        front,
        rear,
        STEER_GAIN * min(1.25, x / 2.4508),
        base_type=shape,
        **more,
    )


def _two_wheeler(name: str, shape: str, x: float, y: float, z: float, mass: float, **more: object) -> VehicleSpec:
    return VehicleSpec(
        f"vehicle.{name}",
        (x, y, z),
        shape,
        mass,
        FRONT_AXLE,
        REAR_AXLE * 0.75,
        STEER_GAIN * 0.8,
        base_type=shape,
        **more,
    )


_ALL = (
    _car("lincoln.mkz_2020", 2.4508, 1.0642, 0.7554, 2404.0, generation=2),
    _car("lincoln.mkz_2017", 2.4509, 1.0642, 0.7554, 2404.0),
    _car("audi.a2", 1.8527, 0.8943, 0.7745, 1355.0),
    _car("audi.etron", 2.4279, 1.0164, 0.8247, 2490.0, special_type="electric"),
    _car("audi.tt", 2.0906, 0.9970, 0.6929, 1430.0),
    _car("bmw.grandtourer", 2.3050, 1.1209, 0.8334, 1720.0),
    _car("chevrolet.impala", 2.6787, 1.0166, 0.7055, 1850.0),
    _car("citroen.c3", 1.9939, 0.9256, 0.8085, 1300.0),
    _car("dodge.charger_2020", 2.5030, 1.0485, 0.7673, 1980.0, generation=2),
    _car("dodge.charger_police", 2.4871, 1.0192, 0.7706, 2000.0, special_type="emergency"),
    _car("dodge.charger_police_2020", 2.6187, 1.0485, 0.8190, 2000.0, special_type="emergency", generation=2),
    _car("ford.crown", 2.6828, 0.9003, 0.7874, 1900.0, special_type="taxi", generation=2),
    _car("ford.mustang", 2.3588, 0.9474, 0.6503, 1700.0),
    _car("jeep.wrangler_rubicon", 1.9331, 0.9527, 0.9391, 1900.0),
    _car("mercedes.coupe", 2.5134, 1.0757, 0.8253, 1800.0),
    _car("mercedes.coupe_2020", 2.3368, 1.0011, 0.7209, 1800.0, generation=2),
    _car("micro.microlino", 1.1036, 0.7405, 0.6885, 530.0, drive=0.7, top_speed=25.0, special_type="electric"),
    _car("mini.cooper_s", 1.9029, 0.9852, 0.7375, 1250.0),
    _car("mini.cooper_s_2021", 2.2764, 1.0487, 0.8835, 1350.0, generation=2),
    _car("nissan.micra", 1.8166, 0.9226, 0.7502, 1050.0),
    _car("nissan.patrol", 2.3023, 0.9658, 0.9277, 2300.0),
    _car("nissan.patrol_2021", 2.7826, 1.0749, 1.0223, 2700.0, generation=2),
    _car("seat.leon", 2.0964, 0.9081, 0.7369, 1300.0),
    _car("tesla.model3", 2.3959, 1.0816, 0.7438, 1840.0, special_type="electric"),
    _car("toyota.prius", 2.2568, 1.0034, 0.7624, 1500.0, special_type="electric"),
    _large("carlamotors.carlacola", "truck", 2.6019, 1.3134, 1.2337, 5500.0, drive=0.75),
    _large("carlamotors.european_hgv", "truck", 3.9675, 1.2800, 1.7400, 12000.0, drive=0.6, generation=2),
    _large("carlamotors.firetruck", "truck", 4.2340, 1.3000, 1.9137, 14000.0, drive=0.65, special_type="emergency"),
    _large("tesla.cybertruck", "truck", 3.1368, 1.1947, 1.0491, 3000.0, special_type="electric"),
    _large("ford.ambulance", "van", 3.1828, 1.1756, 1.2157, 4500.0, drive=0.85, special_type="emergency", generation=2),
    _large("mercedes.sprinter", "van", 2.9576, 0.9943, 1.2803, 2800.0, drive=0.85, generation=2),
    _large("volkswagen.t2", "van", 2.2402, 1.0346, 1.0187, 1300.0, drive=0.85),
    _large("volkswagen.t2_2021", "van", 2.2210, 0.9314, 0.9939, 1300.0, drive=0.85, generation=2),
    _large("mitsubishi.fusorosa", "bus", 3.9000, 1.2000, 1.4500, 8000.0, drive=0.6, generation=2),
    _two_wheeler("harley-davidson.low_rider", "motorcycle", 1.1778, 0.3819, 0.6381, 320.0),
    _two_wheeler("kawasaki.ninja", "motorcycle", 1.0167, 0.3983, 0.5728, 220.0),
    _two_wheeler("vespa.zx125", "motorcycle", 0.9023, 0.4337, 0.6182, 160.0, drive=0.8, top_speed=26.0),
    _two_wheeler("yamaha.yzf", "motorcycle", 1.1048, 0.4334, 0.6255, 230.0),
    _two_wheeler("bh.crossbike", "bicycle", 0.7436, 0.4290, 0.8030, 90.0, drive=0.6, top_speed=10.0),
    _two_wheeler("diamondback.century", "bicycle", 0.8211, 0.1862, 0.7979, 90.0, drive=0.6, top_speed=10.0),
    _two_wheeler("gazelle.omafiets", "bicycle", 0.9177, 0.1640, 0.8050, 95.0, drive=0.6, top_speed=9.0),
)

VEHICLES: dict[str, VehicleSpec] = {spec.type_id: spec for spec in _ALL}
MKZ = VEHICLES["vehicle.lincoln.mkz_2020"]

WALKER_HALF_EXTENT = (0.1877, 0.1877, 0.93)  # m, CARLA's adult walker box
CHILD_HALF_EXTENT = (0.25, 0.25, 0.55)
WALKER_MASS = 80.0  # kg


def vehicle_spec(type_id: str) -> VehicleSpec:
    """The spec of a blueprint id; unknown vehicles measure like the MKZ."""
    known = VEHICLES.get(type_id)
    if known is not None:
        return known
    return VehicleSpec(type_id, MKZ.half_extent, mass=MKZ.mass)
