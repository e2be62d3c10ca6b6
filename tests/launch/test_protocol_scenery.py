"""What clients change in pictures and physics: hidden objects, debug lines, physics controls."""

from __future__ import annotations

import math

import numpy as np
import pytest

from linkvla.launch.sim.protocol import physics_control, structs
from linkvla.launch.sim.protocol.debug_shapes import DebugShapes, decode_shape
from linkvla.launch.sim.protocol.envelope import MethodError
from linkvla.launch.sim.protocol.environment import ALL_LAYERS, BUILDINGS_LAYER, Environment
from linkvla.launch.sim.render.camera import Camera, CameraRenderer
from linkvla.launch.sim.render.capture import capture
from linkvla.launch.sim.render.debug_overlay import draw_lines
from linkvla.launch.sim.render.materials import Material
from linkvla.launch.sim.render.scene import TownScene
from linkvla.launch.sim.world.pose import Pose
from linkvla.launch.sim.world.town_loader import load_town
from linkvla.launch.sim.world.world import World

CAMERA = Camera(160, 90, 90.0)


@pytest.fixture(scope="module")
def town():
    return load_town("Maple")


@pytest.fixture(scope="module")
def scene(town):
    return TownScene.build(town, 0)


@pytest.fixture(scope="module")
def renderer(scene):
    return CameraRenderer(scene)


@pytest.fixture
def world(town):
    return World(town)


def facing(item) -> Pose:
    """Above an object, looking down."""
    return Pose(item.box.x, item.box.y, item.box.z + item.box.half_z + 15.0, pitch=-90.0)


def share_of(frame, material: Material) -> float:
    return float((frame.material == int(material)).mean())


def test_a_hidden_building_leaves_the_picture_and_comes_back(town, scene, renderer, world):
    environment = Environment(town)
    building = environment.of_label(structs.BUILDINGS)[0]
    snapshot, eye = capture(world), facing(building)
    assert environment.veil(snapshot, scene) is snapshot
    before = renderer.render(snapshot, CAMERA, eye)
    environment.enable([building.number], False)
    hidden = renderer.render(environment.veil(snapshot, scene), CAMERA, eye)
    assert share_of(hidden, Material.BUILDING) < share_of(before, Material.BUILDING) - 0.05
    environment.enable([building.number], True)
    after = renderer.render(environment.veil(snapshot, scene), CAMERA, eye)
    assert np.array_equal(after.rgb, before.rgb)


def test_unloading_the_buildings_hides_all_of_them(town, scene, renderer, world):
    environment = Environment(town)
    environment.set_layers(BUILDINGS_LAYER, loaded=False)
    eye = facing(environment.of_label(structs.BUILDINGS)[0])
    frame = renderer.render(environment.veil(capture(world), scene), CAMERA, eye)
    assert share_of(frame, Material.BUILDING) == 0.0
    environment.set_layers(ALL_LAYERS, loaded=True)
    snapshot = capture(world)
    assert environment.veil(snapshot, scene) is snapshot


def test_a_hidden_light_is_dark(town, scene, world):
    environment = Environment(town)
    light = environment.of_label(structs.TRAFFIC_LIGHT)[0]
    environment.enable([light.number], False)
    assert environment.veil(capture(world), scene).light_states[light.light_index] == 3


def test_numbers_of_objects_do_not_depend_on_the_question(town):
    environment = Environment(town)
    everything = {item.number: item.name for item in environment.of_label(structs.ANY)}
    for label in (structs.BUILDINGS, structs.TRAFFIC_LIGHT, structs.TRAFFIC_SIGNS):
        assert all(everything[item.number] == item.name for item in environment.of_label(label))


def line(start, end, life: float, thickness: float = 0.1) -> list:
    return [[1, [list(start), list(end), thickness]], [255, 0, 255], life, False]


def test_debug_lines_show_where_nothing_is_nearer(renderer, world):
    start = world.town.spawn_points[0]
    eye = Pose(start.x, start.y, start.z + 2.0, yaw=start.yaw)
    ahead, right = eye.rotation_matrix()[:, 0], eye.rotation_matrix()[:, 1]
    middle = eye.location() + 8.0 * ahead
    shapes = DebugShapes()
    shapes.add(decode_shape(line(middle - right, middle + right, 0.0), 0.0, 0.05))
    plain = renderer.render(capture(world), CAMERA, eye)
    drawing = renderer.draw(capture(world), CAMERA, eye)
    drawn, _ = renderer.shade(drawing)
    draw_lines(drawing, drawn, shapes.lines())
    changed = (drawn != plain.rgb).any(axis=2)
    assert (drawn[changed] == (255, 0, 255)).all()
    assert 10 < changed.sum() < 200
    rows, columns = np.nonzero(changed)
    assert abs(rows.mean() - CAMERA.height / 2) < 3
    assert abs(columns.mean() - CAMERA.width / 2) < 3
    below = DebugShapes()
    below.add(decode_shape(line(middle - right - (0, 0, 6), middle + right - (0, 0, 6), 0.0), 0.0, 0.05))
    drawing = renderer.draw(capture(world), CAMERA, eye)
    under, _ = renderer.shade(drawing)
    draw_lines(drawing, under, below.lines())
    assert np.array_equal(under, plain.rgb)  # under the road


def test_debug_shapes_live_as_long_as_they_were_given():
    shapes = DebugShapes()
    for life in (-1.0, 0.0, 0.3):
        shapes.add(decode_shape(line((0, 0, 0), (1, 0, 0), life), 10.0, 0.05))
    counts = []
    for now in (10.05, 10.2, 10.4, 1000.0):
        shapes.expire(now)
        counts.append(len(shapes.lines().ends))
    assert counts == [3, 2, 1, 1]
    shapes.clear(strings=True)
    assert shapes.lines() is not None
    shapes.clear(strings=False)
    assert shapes.lines() is None


def test_odd_debug_shapes_are_refused():
    for raw in (line((0, 0, 0), (math.nan, 0, 0), 0.0), line((0, 0, 0), (1, 0, 0), 0.0, -1.0)):
        with pytest.raises(MethodError):
            decode_shape(raw, 0.0, 0.05)


def drive(world: World, change=None, steer: float = 0.4) -> Pose:
    car = world.spawn("vehicle.lincoln.mkz_2020", {}, world.town.spawn_points[0])
    if change is not None:
        control = physics_control.decode(physics_control.describe(car))
        change(control)
        physics_control.honour(car, control)
    car.control.throttle, car.control.steer = 0.7, steer
    for _ in range(30):
        world.step(0.05)
    return car.pose


def test_the_default_physics_control_changes_nothing(town):
    assert drive(World(town)) == drive(World(town), lambda control: None)


def test_mass_and_steering_limit_act(town):
    def heavy(control):
        control[physics_control.MASS] *= 3.0

    def stiff(control):
        for wheel in control[physics_control.WHEELS]:
            wheel[physics_control.MAX_ANGLE] = 20.0

    start, plain = town.spawn_points[0], drive(World(town), steer=0.0)
    slow = drive(World(town), heavy, steer=0.0)
    assert math.dist((slow.x, slow.y), (start.x, start.y)) < 0.6 * math.dist((plain.x, plain.y), (start.x, start.y))
    turned, straighter = drive(World(town)).yaw - start.yaw, drive(World(town), stiff).yaw - start.yaw
    assert 0.0 < straighter < 0.5 * turned


def test_physics_controls_that_nobody_could_read_back_are_refused(world):
    car = world.spawn("vehicle.lincoln.mkz_2020", {}, world.town.spawn_points[0])
    good = physics_control.describe(car)
    for place, value in (
        (physics_control.MASS, 0.0),
        (physics_control.MASS, "x"),
        (0, 3),
        (physics_control.WHEELS, [1]),
    ):
        bad = list(good)
        bad[place] = value
        with pytest.raises((MethodError, TypeError, ValueError)):
            physics_control.decode(bad)
    with pytest.raises(MethodError, match="17 fields"):
        physics_control.decode(good[:5])
