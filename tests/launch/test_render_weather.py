"""Night, rain and the lamps of vehicles, in pictures of one straight street."""

from __future__ import annotations

import random

import carla
import numpy as np
import pytest

from linkvla.launch.collection import looks
from linkvla.launch.sim.physics.prop_specs import prop_spec
from linkvla.launch.sim.physics.specs import VEHICLES
from linkvla.launch.sim.render.atmosphere import atmosphere
from linkvla.launch.sim.render.camera import Camera, CameraRenderer
from linkvla.launch.sim.render.capture import model_of
from linkvla.launch.sim.render.materials import Material
from linkvla.launch.sim.render.scene import TownScene
from linkvla.launch.sim.render.snapshot import RenderActor, SceneSnapshot, StreetLights
from linkvla.launch.sim.render.vehicle_lamps import LEFT_BLINKER, LOW_BEAM, POSITION, SPECIAL_1, lit_lamps
from linkvla.launch.sim.render.vehicles import actor_mesh
from linkvla.launch.sim.world.blueprints import blueprints
from linkvla.launch.sim.world.pose import Pose
from linkvla.launch.sim.world.town import Town
from linkvla.launch.sim.world.weather import Weather

XODR = """<?xml version="1.0"?><OpenDRIVE>
<header revMajor="1" revMinor="4" name="" north="0" south="0" east="0" west="0">
<geoReference><![CDATA[+proj=tmerc +lat_0=0 +lon_0=0]]></geoReference></header>
<road name="" length="200" id="1" junction="-1"><type s="0" type="town"/><planView>
<geometry s="0" x="0" y="0" hdg="0" length="200"><line/></geometry></planView>
<elevationProfile><elevation s="0" a="0" b="0" c="0" d="0"/></elevationProfile><lateralProfile/>
<lanes><laneSection s="0"><center><lane id="0" type="none" level="false"/></center>
<right><lane id="-1" type="driving" level="false"><width sOffset="0" a="7" b="0" c="0" d="0"/></lane>
</right></laneSection></lanes></road></OpenDRIVE>"""
CAMERA = Camera(256, 128, 90.0)
EYE = Pose(20.0, 3.5, 2.0)
NIGHT = Weather(sun_altitude_angle=-40.0)
STORM = Weather(90.0, 90.0, 90.0, sun_altitude_angle=45.0, wetness=100.0)


@pytest.fixture(scope="module")
def renderer() -> CameraRenderer:
    town = Town("Strip", XODR, carla.Map("Strip", XODR), (EYE,), (), (), (), ())
    return CameraRenderer(TownScene.build(town))


def _snapshot(weather: Weather, *actors: RenderActor, **more) -> SceneSnapshot:
    return SceneSnapshot(tuple(actors), np.zeros(0, np.uint8), weather, **more)


def _car(x: float, y: float = 3.5, **more) -> RenderActor:
    return RenderActor("car", Pose(x, y, 0.0), (2.4, 1.0, 0.75), (0.8, 0.05, 0.05), **more)


def _lamps(active: bool) -> StreetLights:
    return StreetLights(
        np.array([[32.0, 7.5, 6.0]], np.float32), np.zeros(1, np.float32), np.ones((1, 3), np.float32),
        np.array([active]),
    )  # fmt: skip


def test_a_street_lamp_lights_the_road_by_night_only(renderer):
    dark, lit = (renderer.render(_snapshot(NIGHT, street_lights=_lamps(on)), CAMERA, EYE) for on in (False, True))
    np.testing.assert_array_equal(dark.material, lit.material)
    assert Material.POLE in lit.material
    road = lit.material == Material.ROAD
    assert lit.rgb[road].mean() > 1.5 * dark.rgb[road].mean()
    day = Weather()
    with_lamps = renderer.render(_snapshot(day, street_lights=_lamps(True)), CAMERA, EYE)
    assert with_lamps.rgb.tobytes() == renderer.render(_snapshot(day), CAMERA, EYE).rgb.tobytes()


def test_head_lamps_light_the_road_ahead_of_a_car(renderer):
    pictures = [
        renderer.render(_snapshot(NIGHT, _car(16.0, lamps=lamps)), CAMERA, EYE).rgb[80:].mean()
        for lamps in (POSITION, 0, LOW_BEAM)
    ]
    assert pictures[1] == pictures[2] > 1.5 * pictures[0]  # by night a car that nobody switched has its lamps on


@pytest.mark.parametrize("shape", ["bicycle", "motorcycle", "car", "van", "truck", "bus"])
def test_all_lamps_may_be_switched_on_whether_a_vehicle_has_them_or_not(renderer, shape):
    vehicle = RenderActor(shape, Pose(30.0, 3.5, 0.0), (1.0, 0.4, 0.8), (0.5, 0.5, 0.5), lamps=(1 << 11) - 1)
    frame = renderer.render(_snapshot(NIGHT, vehicle), CAMERA, EYE)
    assert (frame.material == Material.VEHICLE).any()


def test_lamps_that_are_switched_on_show_by_day(renderer):
    def picture(lamps: int, seconds: float = 0.0) -> np.ndarray:
        return renderer.render(_snapshot(Weather(), _car(28.0, lamps=lamps), seconds=seconds), CAMERA, EYE).rgb

    plain = picture(0)
    assert (picture(LEFT_BLINKER) != plain).any()
    assert (picture(LEFT_BLINKER, 0.4) == plain).all()  # blinkers are off half of the time
    assert (picture(SPECIAL_1) != picture(SPECIAL_1, 0.25)).any()


@pytest.mark.parametrize(
    ("mask", "night", "lit"),
    [
        (0, False, ()),
        (0, True, ("tail", "head")),
        (POSITION, True, ("tail",)),
        (LOW_BEAM | LEFT_BLINKER, False, ("tail", "head", "left")),
        (1 << 6, False, ("reverse",)),
        (SPECIAL_1, False, ("flash",)),
    ],
)
def test_what_a_light_mask_lights(mask, night, lit):
    assert lit_lamps(mask, False, night, 0.0) == lit
    assert "brake" in lit_lamps(mask, True, night, 0.0)


def test_rain_falls_with_time(renderer):
    first, again, later = (renderer.render(_snapshot(STORM, seconds=s), CAMERA, EYE).rgb for s in (1.0, 1.0, 1.1))
    assert first.tobytes() == again.tobytes() != later.tobytes()


def test_a_wet_road_mirrors_what_stands_on_it(renderer):
    bare, red = (renderer.render(_snapshot(STORM, *cars), CAMERA, EYE) for cars in ((), (_car(32.0),)))
    road = (bare.material == Material.ROAD) & (red.material == Material.ROAD)
    change = (red.rgb.astype(int) - bare.rgb.astype(int))[road]
    seen = np.abs(change).max(-1) > 12
    assert seen.sum() > 20
    assert change[seen][:, 0].mean() > change[seen][:, 2].mean() + 10.0


def test_dust_takes_the_view(renderer):
    clear, dust = (renderer.render(_snapshot(Weather(dust_storm=amount)), CAMERA, EYE).rgb for amount in (0.0, 100.0))
    assert dust[40:60, :, 1].std() < 0.6 * clear[40:60, :, 1].std()


def test_the_collection_has_all_of_this_as_often_as_the_benchmark_and_mostly_daylight():
    # Of Bench2Drive's 220 routes 24 % are at night, three in four in rain, 31 % in fog of half density and more.
    rng = random.Random(3)
    weathers = [looks.weather(rng) for _ in range(300)]
    nights, rain, clear, fog = (
        np.mean([bool(wanted(atmosphere(one), one)) for one in weathers])
        for wanted in (
            lambda air, _: air.night > 0.5,
            lambda air, _: air.streaks > 0.0,
            lambda air, _: air.night == air.streaks == air.gloss == 0.0,
            lambda _, one: one.fog_density >= 50.0,
        )
    )
    assert 0.15 < nights < 0.3 and 0.3 < rain < 0.7 and clear > 0.25 and 0.1 < fog < 0.3


def test_cars_and_vans_keep_the_bodies_that_networks_know():
    assert {model_of(name) for name, spec in VEHICLES.items() if spec.base_type in ("car", "van")} == {""}
    lorries = [spec for spec in VEHICLES.values() if spec.base_type in ("truck", "bus")]
    assert len({model_of(spec.type_id) for spec in lorries} - {""}) == len(lorries)


@pytest.mark.parametrize("type_id", [name for name in blueprints() if name.startswith("static.prop.")])
def test_every_prop_fills_its_box(type_id):
    shape, half = prop_spec(type_id)
    corners = actor_mesh(shape, half, 0, model_of(type_id)).corners.reshape(-1, 3)
    size = np.ptp(corners, axis=0)
    assert (size[:2] < 2.0 * max(half[:2]) + 0.7).all()
    assert size[2] == pytest.approx(2.0 * half[2], rel=0.2, abs=0.12)


@pytest.mark.parametrize("name", [name for name, spec in VEHICLES.items() if model_of(name)])
def test_a_body_of_its_own_fills_the_box_of_its_vehicle(name):
    spec = VEHICLES[name]
    mesh = actor_mesh(spec.shape, spec.half_extent, 0, model_of(name))
    size = np.ptp(mesh.corners[mesh.material != Material.ROAD].reshape(-1, 3), axis=0)
    np.testing.assert_allclose(size, 2.0 * np.array(spec.half_extent), rtol=0.2)
    assert not np.array_equal(mesh.colour, actor_mesh(spec.shape, spec.half_extent, 0).colour)
