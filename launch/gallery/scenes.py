"""The pictures of the gallery. Places are metres from a spawn point: ahead, to the right."""

from __future__ import annotations

from linkvla.launch.gallery.scene import Placed, Scene, View

_WHITE, _RED, _BLUE, _BLACK, _GREEN = "230,230,228", "137,0,0", "17,37,103", "20,20,22", "28,74,56"
_CONE = "static.prop.constructioncone"
_DRIVING = "Position,LowBeam"
_HEAVY_RAIN = {
    "cloudiness": 95.0,
    "precipitation": 90.0,
    "precipitation_deposits": 90.0,
    "wetness": 100.0,
    "sun_altitude_angle": 35.0,
    "wind_intensity": 40.0,
    "fog_density": 6.0,
}
_CLOUDY = {"cloudiness": 40.0, "sun_altitude_angle": 35.0, "sun_azimuth_angle": 200.0}


def _walker(number: int, ahead: float, right: float, turn: float, speed: float) -> Placed:
    return Placed(f"walker.pedestrian.{number:04d}", ahead, right, turn, walk=speed)


def _construction_site() -> tuple[Placed, ...]:
    taper = [Placed(_CONE, 12.0 + 1.5 * i, 1.4 - 0.48 * i) for i in range(7)]
    edge = [Placed(_CONE, 22.0 + 2.5 * i, -1.5) for i in range(6)]
    barriers = [Placed("static.prop.streetbarrier", 22.0, -0.6 + 1.35 * i, 90.0) for i in range(2)]
    return (
        Placed("static.prop.warningconstruction", 9.5, 1.9, 90.0),
        *taper,
        *edge,
        *barriers,
        Placed("static.prop.trafficwarning", 25.0, 0.2, 270.0),
        Placed("static.prop.dirtdebris02", 29.0, 0.3),
        Placed("vehicle.carlamotors.carlacola", 35.0, 0.2),
        Placed("vehicle.audi.etron", 16.0, -3.4, colour=_BLUE, lamps=_DRIVING),
        _walker(20, 22.8, 1.4, 200.0, 0.0),
        _walker(5, 28.5, -0.6, 60.0, 0.0),
    )


SCENES = (
    Scene(
        "day",
        "a clear day on a downtown avenue",
        "Kauri",
        48,
        {},
        (
            Placed("vehicle.lincoln.mkz_2020", 14.0, colour=_RED, brake=True),
            Placed("vehicle.mini.cooper_s_2021", 8.0, -3.2, colour=_BLUE),
            Placed("vehicle.mercedes.sprinter", 18.0, -3.2, colour=_WHITE, brake=True),
            Placed("vehicle.mitsubishi.fusorosa", 15.0, -6.6, 180.0, colour=_GREEN),
            Placed("vehicle.nissan.patrol_2021", 6.0, -9.7, 180.0, colour=_BLACK),
            Placed("vehicle.yamaha.yzf", 6.0, 0.9),
            _walker(3, 12.0, 3.6, 180.0, 1.4),
            _walker(10, 14.0, 3.4, 0.0, 1.2),
        ),
    ),
    Scene(
        "night",
        "the same avenue at night: street lamps, head lamps, an ambulance on call",
        "Kauri",
        48,
        {"sun_altitude_angle": -40.0, "cloudiness": 20.0},
        (
            Placed("vehicle.lincoln.mkz_2020", 13.0, colour=_RED, brake=True),
            Placed("vehicle.mini.cooper_s_2021", 6.0, -3.2, colour=_WHITE, lamps=f"{_DRIVING},LeftBlinker"),
            Placed("vehicle.ford.ambulance", 15.0, -3.2, colour=_WHITE, lamps=f"{_DRIVING},Special1"),
            Placed("vehicle.tesla.model3", 12.0, -6.6, 180.0, colour=_BLUE),
            Placed("vehicle.audi.etron", 17.0, -9.7, 180.0, colour=_BLACK),
            Placed("vehicle.gazelle.omafiets", 4.0, 1.1),
            _walker(3, 12.0, 3.6, 180.0, 1.4),
        ),
    ),
    Scene(
        "rain",
        "heavy rain: streaks, standing water, a road that mirrors",
        "Kauri",
        63,
        _HEAVY_RAIN,
        (
            Placed("vehicle.tesla.model3", 10.0, colour=_RED, brake=True, lamps=_DRIVING),
            Placed("vehicle.carlamotors.european_hgv", 20.0, -3.2, colour=_BLUE, lamps=_DRIVING),
            Placed("vehicle.audi.tt", 14.0, -6.5, 180.0, colour=_WHITE, lamps=_DRIVING),
            Placed("vehicle.seat.leon", 26.0, -9.7, 180.0, colour=_GREEN, lamps=_DRIVING),
            _walker(21, 10.0, 3.8, 180.0, 1.6),
        ),
    ),
    Scene(
        "fog",
        "dense fog in a village",
        "Larch",
        10,
        {"fog_density": 75.0, "fog_distance": 0.0, "cloudiness": 80.0, "sun_altitude_angle": 40.0},
        (
            Placed("vehicle.volkswagen.t2_2021", 12.0, colour=_GREEN, lamps=f"{_DRIVING},Fog"),
            Placed("vehicle.audi.a2", 16.0, -3.4, 180.0, colour=_RED, lamps=f"{_DRIVING},Fog"),
            Placed("vehicle.gazelle.omafiets", 5.0, 1.1),
        ),
    ),
    Scene(
        "junction",
        "a signalised crossing: a police car on call, a car that will turn right",
        "Kauri",
        48,
        _CLOUDY,
        (
            Placed("vehicle.lincoln.mkz_2020", 17.5, colour=_WHITE, brake=True, lamps="RightBlinker"),
            Placed("vehicle.dodge.charger_police_2020", 16.0, -3.2, colour=_BLACK, lamps="Special1"),
            Placed("vehicle.diamondback.century", 13.5, 1.2),
            Placed("vehicle.mitsubishi.fusorosa", 32.8, -4.0, 90.0, colour=_GREEN),
            Placed("vehicle.mini.cooper_s", 39.5, 4.0, -90.0, colour=_RED),
            Placed("vehicle.harley-davidson.low_rider", 39.5, -6.0, -90.0),
            _walker(16, 23.6, -6.0, 90.0, 1.3),
        ),
        View(ahead=4.0, up=4.2, pitch=-9.0),
        ticks=28,
    ),
    Scene(
        "highway",
        "a ring road with a lorry, a fire engine and a coach",
        "Juniper",
        180,
        {"sun_altitude_angle": 40.0, "sun_azimuth_angle": 30.0, "cloudiness": 45.0},
        (
            Placed("vehicle.carlamotors.european_hgv", 22.0, colour=_BLUE),
            Placed("vehicle.carlamotors.firetruck", 17.0, -3.75),
            Placed("vehicle.ford.mustang", 8.0, colour=_RED, lamps="LeftBlinker"),
            Placed("vehicle.tesla.cybertruck", 12.0, -7.5, 180.0),
            Placed("vehicle.mitsubishi.fusorosa", 17.0, -11.2, 180.0, colour=_WHITE),
            Placed("vehicle.mini.cooper_s", 30.0, -7.5, 180.0, colour=_BLUE),
        ),
        View(right=-1.0, up=3.0, pitch=-5.0),
        ticks=28,
    ),
    Scene(
        "construction",
        "a construction site closes a lane",
        "Kauri",
        63,
        {"sun_altitude_angle": 55.0},
        _construction_site(),
        View(ahead=2.0, right=-0.6, up=2.4, pitch=-7.0, fov=66.0),
    ),
    Scene(
        "pedestrians",
        "people on a crossing, each in their own step",
        "Kauri",
        48,
        {"sun_altitude_angle": 45.0, "sun_azimuth_angle": 300.0},
        (
            _walker(2, 22.8, 2.0, -90.0, 1.3),
            _walker(7, 24.3, 4.0, -90.0, 1.6),
            _walker(11, 23.2, -1.0, -90.0, 1.1),
            _walker(16, 23.5, -6.0, 90.0, 1.4),
            _walker(25, 24.4, -8.0, 90.0, 1.7),
            _walker(31, 22.6, -2.6, -90.0, 1.2),
            _walker(40, 24.0, -10.5, 90.0, 2.6),
            _walker(22, 17.5, 3.6, 180.0, 1.4),
        ),
        View(ahead=15.5, right=-1.5, up=1.7, pitch=-2.0, fov=75.0),
    ),
)
