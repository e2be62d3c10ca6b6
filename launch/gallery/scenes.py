"""The pictures of the gallery."""

from __future__ import annotations

from linkvla.launch.gallery.scene import Placed, Scene, View

_WHITE, _RED, _BLUE, _BLACK, _GREEN = "230,230,228", "137,0,0", "17,37,103", "20,20,22", "28,74,56"
_CONE = "static.prop.constructioncone"

SCENES = (
    Scene(
        "day",
        "A clear day on a downtown avenue",
        "Kauri",
        52,
        {},
        (
            Placed("vehicle.lincoln.mkz_2020", 14.0, colour=_RED, brake=True),
            Placed("vehicle.mini.cooper_s_2021", 10.0, -3.2, colour=_BLUE),
            Placed("vehicle.mercedes.sprinter", 26.0, -3.2, colour=_WHITE),
            Placed("vehicle.mitsubishi.fusorosa", 22.0, -6.4, 180.0, colour=_GREEN),
            Placed("vehicle.yamaha.yzf", 6.0, 1.0),
            Placed("vehicle.nissan.patrol_2021", 12.0, -9.6, 180.0, colour=_BLACK),
            Placed("walker.pedestrian.0003", 12.0, 3.6, 180.0, walk=1.4),
            Placed("walker.pedestrian.0010", 16.0, 3.4, 0.0, walk=1.2),
        ),
    ),
    Scene(
        "night",
        "The same avenue at night: street lamps, head lamps, lit windows",
        "Kauri",
        52,
        {"sun_altitude_angle": -40.0, "cloudiness": 20.0},
        (
            Placed("vehicle.lincoln.mkz_2020", 13.0, colour=_RED, brake=True),
            Placed("vehicle.mini.cooper_s_2021", 8.0, -3.2, colour=_WHITE, lamps="Position,LowBeam,LeftBlinker"),
            Placed("vehicle.ford.ambulance", 24.0, -3.2, colour=_WHITE, lamps="Position,LowBeam,Special1"),
            Placed("vehicle.tesla.model3", 16.0, -6.4, 180.0, colour=_BLUE),
            Placed("vehicle.audi.etron", 34.0, -9.6, 180.0, colour=_BLACK),
            Placed("vehicle.nissan.patrol_2021", 28.0, 0.0, colour=_GREEN),
            Placed("walker.pedestrian.0003", 12.0, 3.6, 180.0, walk=1.4),
        ),
    ),
    Scene(
        "rain",
        "Heavy rain: streaks, standing water, a road that mirrors",
        "Kauri",
        63,
        {
            "cloudiness": 95.0,
            "precipitation": 90.0,
            "precipitation_deposits": 90.0,
            "wetness": 100.0,
            "sun_altitude_angle": 30.0,
            "wind_intensity": 40.0,
            "fog_density": 8.0,
        },
        (
            Placed("vehicle.tesla.model3", 13.0, colour=_RED, brake=True, lamps="Position,LowBeam"),
            Placed("vehicle.carlamotors.european_hgv", 24.0, -3.2, colour=_BLUE, lamps="Position,LowBeam"),
            Placed("vehicle.audi.tt", 20.0, -6.4, 180.0, colour=_WHITE, lamps="Position,LowBeam"),
            Placed("vehicle.seat.leon", 34.0, -9.6, 180.0, colour=_GREEN, lamps="Position,LowBeam"),
            Placed("walker.pedestrian.0021", 12.0, 3.8, 180.0, walk=1.6),
        ),
    ),
    Scene(
        "fog",
        "Dense fog on a country road",
        "Larch",
        10,
        {"fog_density": 75.0, "fog_distance": 0.0, "cloudiness": 80.0, "sun_altitude_angle": 20.0},
        (
            Placed("vehicle.volkswagen.t2_2021", 14.0, colour=_WHITE, lamps="Position,LowBeam,Fog"),
            Placed("vehicle.audi.a2", 24.0, -3.5, 180.0, colour=_RED, lamps="Position,LowBeam,Fog"),
            Placed("vehicle.gazelle.omafiets", 8.0, 1.2),
        ),
    ),
    Scene(
        "junction",
        "A signalised crossing",
        "Kauri",
        78,
        {"sun_altitude_angle": 35.0, "sun_azimuth_angle": 200.0, "cloudiness": 35.0},
        (
            Placed("vehicle.lincoln.mkz_2020", 8.0, colour=_WHITE, brake=True, lamps="RightBlinker"),
            Placed("vehicle.dodge.charger_police_2020", 10.0, -3.2, colour=_BLACK, lamps="Special1"),
            Placed("vehicle.diamondback.century", 3.0, 1.2),
        ),
    ),
    Scene(
        "highway",
        "A fast ring road with lorries",
        "Juniper",
        242,
        {"sun_altitude_angle": 25.0, "sun_azimuth_angle": 30.0, "cloudiness": 45.0},
        (
            Placed("vehicle.carlamotors.european_hgv", 26.0, colour=_BLUE),
            Placed("vehicle.carlamotors.firetruck", 20.0, 3.75),
            Placed("vehicle.tesla.cybertruck", 45.0, 0.0),
            Placed("vehicle.ford.mustang", 10.0, 3.75, colour=_RED, lamps="LeftBlinker"),
        ),
    ),
    Scene(
        "construction",
        "A construction site closes a lane",
        "Kauri",
        62,
        {"sun_altitude_angle": 55.0},
        (
            Placed("static.prop.warningconstruction", 8.0, 0.0, 180.0),
            Placed("static.prop.trafficwarning", 24.0, 0.0, 180.0),
            *(Placed(_CONE, 10.0 + 2.0 * i, -1.3 + 0.05 * i) for i in range(7)),
            *(Placed("static.prop.streetbarrier", 19.0, -0.8 + 1.4 * i, 90.0) for i in range(3)),
            Placed("vehicle.carlamotors.carlacola", 32.0, 0.0),
            Placed("vehicle.audi.etron", 15.0, -3.2, colour=_BLUE, brake=True, lamps="LeftBlinker"),
            Placed("walker.pedestrian.0020", 22.0, 1.8, 200.0),
        ),
    ),
    Scene(
        "pedestrians",
        "People on a crossing",
        "Kauri",
        78,
        {"sun_altitude_angle": 45.0, "sun_azimuth_angle": 120.0},
        tuple(
            Placed(f"walker.pedestrian.{number:04d}", ahead, right, turn, walk=speed)
            for number, ahead, right, turn, speed in (
                (2, 12.0, 2.0, -90.0, 1.3),
                (7, 13.0, -1.0, -90.0, 1.6),
                (11, 12.4, 1.0, -90.0, 1.1),
                (16, 13.2, -5.0, 90.0, 1.4),
                (25, 12.2, -7.0, 90.0, 1.7),
                (31, 12.8, 4.0, -90.0, 1.2),
                (40, 13.5, -9.0, 90.0, 2.6),
            )
        ),
        View(ahead=3.0, pitch=-2.0, up=1.8),
    ),
)
