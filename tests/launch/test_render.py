"""The renderer through its public surface: scenes of hand-made towns, pictures of what a snapshot says."""

from __future__ import annotations

import math
from itertools import pairwise

import carla
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from linkvla.launch.sim.render.camera import Camera, CameraRenderer
from linkvla.launch.sim.render.materials import Material
from linkvla.launch.sim.render.roads import FLATNESS, LONGEST, simplify
from linkvla.launch.sim.render.scene import TownScene
from linkvla.launch.sim.render.snapshot import RenderActor, SceneSnapshot
from linkvla.launch.sim.world.pose import Box, Pose
from linkvla.launch.sim.world.town import Building, LightState, StopLine, StopSignSite, Town, TrafficLightSite
from linkvla.launch.sim.world.weather import Weather

XODR = """<?xml version="1.0"?><OpenDRIVE>
<header revMajor="1" revMinor="4" name="" north="0" south="0" east="0" west="0">
<geoReference><![CDATA[+proj=tmerc +lat_0=0 +lon_0=0]]></geoReference></header>
<road name="" length="200" id="1" junction="-1"><type s="0" type="town"/><planView>
<geometry s="0" x="0" y="0" hdg="0" length="200"><line/></geometry></planView>
<elevationProfile><elevation s="0" a="0" b="0" c="0" d="0"/></elevationProfile><lateralProfile/>
<lanes><laneSection s="0">
<left><lane id="1" type="driving" level="false"><width sOffset="0" a="3.5" b="0" c="0" d="0"/>
<roadMark sOffset="0" type="solid" weight="standard" color="standard" width="0.15"/></lane></left>
<center><lane id="0" type="none" level="false">
<roadMark sOffset="0" type="broken" weight="standard" color="yellow" width="0.15"/></lane></center>
<right><lane id="-1" type="driving" level="false"><width sOffset="0" a="3.5" b="0" c="0" d="0"/>
<roadMark sOffset="0" type="solid" weight="standard" color="standard" width="0.15"/></lane>
<lane id="-2" type="sidewalk" level="false"><width sOffset="0" a="2.5" b="0" c="0" d="0"/></lane></right>
</laneSection></lanes></road></OpenDRIVE>"""
LANE_Y = 1.75  # m, centre of the right lane in CARLA's frame
WALL_X = 150.0
CAMERA = Camera(512, 256, 110.0)
EYE = Pose(20.0, LANE_Y, 2.0)
DAY = Weather()


def _town() -> Town:
    line = StopLine(32.0, LANE_Y, 0.0, 0.0, 3.5, 1, -1)
    light = TrafficLightSite(
        "7", Pose(62.0, 6.5, 0.0, yaw=-90.0), Pose(62.0, LANE_Y, 5.0), "1", 0, (line,), Box(0, 0, 1, 2, 2, 1), 0
    )
    sign = StopSignSite("8", "stop", Pose(45.0, 4.6, 0.0), (), Box())
    wall = Building(
        np.array([[WALL_X, -30.0], [WALL_X + 5, -30.0], [WALL_X + 5, 30.0], [WALL_X, 30.0]]), 0.0, 12.8, (0.6, 0.5, 0.4)
    )
    crosswalk = np.array([[55.0, -3.5, 0.0], [55.0, 3.5, 0.0], [58.0, 3.5, 0.0], [58.0, -3.5, 0.0]])
    return Town("Strip", XODR, carla.Map("Strip", XODR), (EYE,), (light,), (sign,), (crosswalk,), (wall,))


@pytest.fixture(scope="module")
def scene() -> TownScene:
    return TownScene.build(_town())


@pytest.fixture(scope="module")
def renderer(scene) -> CameraRenderer:
    return CameraRenderer(scene)


def _snapshot(*actors: RenderActor, light: LightState = LightState.OFF, weather: Weather = DAY) -> SceneSnapshot:
    return SceneSnapshot(tuple(actors), np.array([light], np.uint8), weather)


def _actor(shape: str, x: float, y: float = LANE_Y, brake: bool = False, **options) -> RenderActor:
    extent = {"walker": (0.2, 0.2, 0.93), "cone": (0.2, 0.2, 0.4)}.get(shape, (2.45, 1.06, 0.755))
    return RenderActor(shape, Pose(x, y, 0.0), extent, (0.2, 0.3, 0.7), brake, **options)


def test_an_empty_street_shows_its_parts(renderer):
    frame = renderer.render(_snapshot(), Camera(1024, 512, 110.0), EYE)
    assert frame.rgb.shape == (512, 1024, 3)
    assert frame.material.shape == frame.inverse_depth.shape == (512, 1024)
    expected = {
        Material.SKY, Material.GROUND, Material.ROAD, Material.SIDEWALK, Material.LANE_LINE, Material.CROSSWALK,
        Material.STOP_LINE, Material.BUILDING, Material.POLE, Material.LAMP_OFF, Material.STOP_SIGN,
    }  # fmt: skip
    assert expected <= set(np.unique(frame.material))
    assert frame.material[-1, 512] == Material.ROAD
    assert (frame.inverse_depth[frame.material == Material.SKY] == 0.0).all()


def test_the_same_inputs_give_the_same_bytes(scene, renderer):
    snapshot = _snapshot(
        _actor("car", 35.0, brake=True), _actor("walker", 30.0, 5.0, phase=1.0), light=LightState.GREEN
    )
    first = renderer.render(snapshot, CAMERA, EYE)
    renderer.render(
        _snapshot(weather=Weather(sun_altitude_angle=-20.0)), CAMERA, Pose(80.0, 0.0, 5.0, -10.0, 170.0, 3.0)
    )
    other = CameraRenderer(TownScene.build(_town())).render(snapshot, CAMERA, EYE)
    again = renderer.render(snapshot, CAMERA, EYE)
    for name in ("rgb", "material", "inverse_depth"):
        assert getattr(first, name).tobytes() == getattr(again, name).tobytes() == getattr(other, name).tobytes()


@settings(max_examples=12, deadline=None)
@given(
    rows=st.integers(1, 128),
    yaw=st.floats(-180, 180),
    pitch=st.floats(-30, 30),
    roll=st.floats(-20, 20),
    x=st.floats(0, 200),
)
def test_rows_are_the_top_of_the_full_picture(renderer, rows, yaw, pitch, roll, x):
    camera, snapshot = Camera(256, 128, 100.0), _snapshot(_actor("truck", 60.0), light=LightState.RED)
    pose = Pose(x, 0.0, 1.7, pitch, yaw, roll)
    full, part = (renderer.render(snapshot, camera, pose, wanted) for wanted in (None, rows))
    assert part.rgb.shape == (rows, 256, 3)
    for name in ("rgb", "material", "inverse_depth"):
        np.testing.assert_array_equal(getattr(full, name)[:rows], getattr(part, name))


@pytest.mark.parametrize(
    ("state", "material", "channel"),
    [(LightState.RED, Material.LAMP_RED, 0), (LightState.GREEN, Material.LAMP_GREEN, 1)],
)
def test_a_lit_lamp_shows_its_colour(renderer, state, material, channel):
    frame = renderer.render(_snapshot(light=state), Camera(1024, 512, 110.0), EYE)
    lamp = frame.material == material
    assert lamp.sum() >= 8
    mean = frame.rgb[lamp].mean(0)
    assert mean[channel] > 200
    assert mean[channel] > 1.8 * np.delete(mean, channel).max()
    others = {Material.LAMP_RED, Material.LAMP_YELLOW, Material.LAMP_GREEN} - {material}
    assert not np.isin(frame.material, [int(item) for item in others]).any()


def test_red_is_above_green_and_lamps_are_dark_from_behind(renderer):
    centre = []
    for state, material in ((LightState.RED, Material.LAMP_RED), (LightState.GREEN, Material.LAMP_GREEN)):
        frame = renderer.render(_snapshot(light=state), CAMERA, EYE)
        centre.append(np.nonzero(frame.material == material)[0].mean())
    assert centre[0] < centre[1]
    behind = renderer.render(_snapshot(light=LightState.RED), CAMERA, Pose(80.0, LANE_Y, 2.0, yaw=180.0))
    assert Material.LAMP_RED not in behind.material
    dark = renderer.render(_snapshot(light=LightState.OFF), CAMERA, EYE)
    assert not np.isin(dark.material, [Material.LAMP_RED, Material.LAMP_YELLOW, Material.LAMP_GREEN]).any()


@pytest.mark.parametrize("x", [130.0, 100.0])
def test_depth_of_a_wall(renderer, x):
    frame = renderer.render(_snapshot(), CAMERA, Pose(x, 15.0, 6.0))
    assert frame.material[120, 256] == Material.BUILDING
    assert 1.0 / frame.inverse_depth[120, 256] == pytest.approx(WALL_X - x, rel=1e-4)


def test_brake_lamps_are_lit_only_when_braking(renderer):
    for shape in ("car", "van", "truck", "bus", "motorcycle"):
        off, on = (renderer.render(_snapshot(_actor(shape, 32.0, brake=b)), CAMERA, EYE) for b in (False, True))
        assert Material.VEHICLE in off.material
        assert Material.BRAKE_LAMP not in off.material
        lamp = on.material == Material.BRAKE_LAMP
        assert lamp.any()
        red, green, blue = on.rgb[lamp].mean(0)
        assert red > 200
        assert max(green, blue) < 80


def test_a_vehicle_hides_what_is_behind_it_and_keeps_its_place(renderer):
    frame = renderer.render(_snapshot(_actor("car", 40.0)), CAMERA, EYE)
    car = frame.material == Material.VEHICLE
    columns = np.nonzero(car)[1]
    width = (columns.max() - columns.min() + 1) / CAMERA.focal_length * (40.0 - 2.45 - EYE.x)
    assert width == pytest.approx(2.2, abs=0.35)
    assert columns.mean() == pytest.approx(256, abs=3)
    assert 1.0 / frame.inverse_depth[car].max() == pytest.approx(40.0 - 2.5 - EYE.x, abs=0.4)


def test_walkers_and_props_are_drawn(renderer):
    frame = renderer.render(_snapshot(_actor("walker", 28.0, 5.0, phase=0.8), _actor("cone", 27.0, 0.0)), CAMERA, EYE)
    assert (frame.material == Material.WALKER).sum() > 30
    assert (frame.material == Material.PROP).sum() > 10


def test_pitch_and_roll_turn_the_picture(renderer):
    level, up, rolled = (
        renderer.render(_snapshot(), CAMERA, Pose(20.0, LANE_Y, 2.0, pitch=pitch, roll=roll))
        for pitch, roll in ((0.0, 0.0), (10.0, 0.0), (0.0, 15.0))
    )
    sky = [(frame.material == Material.SKY).mean() for frame in (level, up)]
    assert sky[1] > sky[0]
    # The horizon tilts by the roll: its height differs between the outer quarters, whose middles are 384 px apart.
    left, right = ((rolled.material[:, half] == Material.SKY).mean() for half in (slice(0, 128), slice(384, 512)))
    expected = math.tan(math.radians(15.0)) * 384 / 256
    assert abs(left - right) == pytest.approx(expected, abs=0.15)


def test_weather_changes_light_but_not_materials(renderer):
    day = renderer.render(_snapshot(light=LightState.RED), CAMERA, EYE)
    weathers = {
        "night": Weather(sun_altitude_angle=-40.0),
        "fog": Weather(fog_density=70.0),
        "rain": Weather(cloudiness=90.0, precipitation=80.0, precipitation_deposits=70.0, wetness=90.0),
    }
    mean = {}
    for name, weather in weathers.items():
        frame = renderer.render(_snapshot(light=LightState.RED, weather=weather), CAMERA, EYE)
        np.testing.assert_array_equal(frame.material, day.material)
        mean[name] = frame.rgb.mean()
        lamp = frame.rgb[frame.material == Material.LAMP_RED].mean(0)
        assert lamp[0] > 1.5 * lamp[1]
    assert mean["night"] < 0.4 * day.rgb.mean()
    road = day.material == Material.ROAD
    wet = renderer.render(_snapshot(weather=Weather(wetness=90.0)), CAMERA, EYE)
    assert wet.rgb[road].mean() < day.rgb[road].mean()


def test_light_states_may_be_missing(renderer):
    frame = renderer.render(SceneSnapshot((), np.zeros(0, np.uint8), DAY), CAMERA, EYE)
    assert Material.LAMP_RED not in frame.material


def test_seeds_invent_different_surroundings(scene):
    bare = Town("Strip", XODR, _town().map, (EYE,), (), (), (), ())
    one, two = (TownScene.build(bare, seed) for seed in (1, 2))
    assert (one.mesh.material == Material.BUILDING).any()
    assert one.mesh.corners.tobytes() == TownScene.build(bare, 1).mesh.corners.tobytes()
    assert one.mesh.corners.shape != two.mesh.corners.shape or not np.array_equal(one.mesh.corners, two.mesh.corners)


@pytest.mark.parametrize(("width", "height", "fov"), [(0, 10, 90.0), (10, 0, 90.0), (10, 10, 0.0), (10, 10, 180.0)])
def test_cameras_that_cannot_be(width, height, fov):
    with pytest.raises(ValueError, match="camera"):
        Camera(width, height, fov)


@given(st.lists(st.tuples(st.floats(0.1, 3.0), st.floats(-0.02, 0.02)), min_size=1, max_size=60))
@settings(max_examples=60, deadline=None)
def test_a_simplified_line_leaves_out_only_what_lies_on_its_chords(steps):
    ahead, aside = np.cumsum(np.array([(0.0, 0.0), *steps]), axis=0).T
    points = np.column_stack([ahead, aside, np.zeros_like(ahead)])
    kept = simplify(points)
    assert kept[0] == 0 and kept[-1] == len(points) - 1
    for first, last in pairwise(kept.tolist()):
        share = (np.arange(first, last + 1) - first) / (last - first)
        chord = points[first] + share[:, None] * (points[last] - points[first])
        assert np.abs(points[first : last + 1] - chord).max() <= FLATNESS + 1e-9
        assert last == first + 1 or ahead[last] - ahead[first] <= LONGEST + 1e-9
