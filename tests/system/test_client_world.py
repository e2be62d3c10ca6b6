"""Session, map, settings, time, weather, blueprints: the real client against a running server."""

from __future__ import annotations

import time

import carla
import pytest

from tests.system.conftest import STEP_S, synchronous
from tests.system.protocol_tour import RawClient

pytestmark = pytest.mark.system


def test_connects_with_the_same_version(client):
    assert client.get_server_version() == client.get_client_version() == "0.9.16"


def test_map_is_the_town(client, world):
    town = world.get_map()
    assert town.name.endswith("Maple")
    assert len(town.get_spawn_points()) > 20
    assert len(town.get_topology()) > 20
    assert any(name.endswith("/Nutmeg") for name in client.get_available_maps())


def test_spawn_points_lie_on_driving_lanes(world):
    town = world.get_map()
    for point in town.get_spawn_points()[::10]:
        assert town.get_waypoint(point.location).transform.location.distance(point.location) < 1.5


def test_synchronous_time_moves_only_with_ticks(world):
    before = world.get_snapshot()
    time.sleep(0.2)
    assert world.get_snapshot().frame == before.frame
    frame = world.tick()
    after = world.get_snapshot()
    assert frame == after.frame == before.frame + 1
    assert after.elapsed_seconds == pytest.approx(before.elapsed_seconds + STEP_S)
    assert after.delta_seconds == pytest.approx(STEP_S)


def test_asynchronous_time_runs_by_itself(world):
    synchronous(world, on=False)
    try:
        first = world.wait_for_tick()
        later = world.wait_for_tick()
        assert later.frame > first.frame
    finally:
        synchronous(world)


def test_settings_come_back_as_they_were_set(world):
    settings = world.get_settings()
    settings.max_substeps = 7
    settings.no_rendering_mode = True
    world.apply_settings(settings)
    assert world.get_settings().max_substeps == 7
    assert world.get_settings().no_rendering_mode
    settings.no_rendering_mode = False
    world.apply_settings(settings)


def test_weather_goes_there_and_back(world):
    world.set_weather(carla.WeatherParameters(cloudiness=80.0, sun_altitude_angle=-15.0, fog_density=30.0))
    world.tick()
    weather = world.get_weather()
    assert (weather.cloudiness, weather.sun_altitude_angle, weather.fog_density) == (80.0, -15.0, 30.0)


def test_blueprints_have_vehicles_walkers_props_and_sensors(world):
    library = world.get_blueprint_library()
    assert len(library.filter("vehicle.*")) >= 30
    assert len(library.filter("walker.pedestrian.*")) >= 20
    assert library.find("vehicle.lincoln.mkz_2020").get_attribute("number_of_wheels").as_int() == 4
    assert any(b.get_attribute("base_type") == "bicycle" for b in library.filter("vehicle.*"))
    assert library.find("static.prop.trafficcone01")
    camera = library.find("sensor.camera.rgb")
    camera.set_attribute("lens_circle_multiplier", "3.0")


def test_spectator_moves(world):
    spectator = world.get_spectator()
    spectator.set_transform(carla.Transform(carla.Location(1.0, 2.0, 30.0), carla.Rotation(pitch=-90.0)))
    world.tick()
    assert spectator.get_transform().location.z == pytest.approx(30.0)


def test_ground_and_rays(world):
    point = world.get_map().get_spawn_points()[0].location
    hit = world.ground_projection(carla.Location(point.x, point.y, point.z + 5.0), 20.0)
    assert hit is not None
    assert abs(hit.location.z - point.z) < 1.0
    ray = world.cast_ray(
        carla.Location(point.x, point.y, point.z + 5.0), carla.Location(point.x, point.y, point.z - 5.0)
    )
    assert len(ray) == 1


def test_scenery_is_listed(world):
    assert world.get_level_bbs(carla.CityObjectLabel.Buildings)
    objects = world.get_environment_objects(carla.CityObjectLabel.Any)
    assert {o.type for o in objects} >= {carla.CityObjectLabel.Buildings, carla.CityObjectLabel.TrafficLight}


def test_debug_shapes_are_accepted(world):
    world.debug.draw_point(carla.Location(0, 0, 1), 0.1, carla.Color(255, 0, 0), 1.0)
    world.debug.draw_string(carla.Location(0, 0, 1), "hello")
    world.debug.draw_box(carla.BoundingBox(carla.Location(), carla.Vector3D(1, 1, 1)), carla.Rotation())
    world.tick()


def test_what_is_not_there_is_refused_by_name(client):
    with pytest.raises(RuntimeError, match="textures"):
        client.get_world().apply_color_texture_to_object(
            "building_0", carla.MaterialParameter.Diffuse, carla.TextureColor(1, 1)
        )
    with pytest.raises(RuntimeError, match=r"unknown town 'Atlantis'.*Maple"):
        client.load_world("Atlantis")
    assert client.get_world().get_map().name.endswith("Maple")


def test_loading_a_world_starts_a_new_episode(client, world):
    old_id, old_frame = world.id, world.get_snapshot().frame
    old_ids = {actor.id for actor in world.get_actors()}
    fresh = client.load_world("Nutmeg", reset_settings=False)
    try:
        assert fresh.id != old_id
        assert fresh.get_settings().synchronous_mode
        assert fresh.get_map().name.endswith("Nutmeg")
        assert fresh.tick() > old_frame
        assert not old_ids & {actor.id for actor in fresh.get_actors()}
    finally:
        back = client.load_world("Maple_Opt", reset_settings=False)
    assert back.get_map().name.endswith("/Maple_Opt")  # scenarios insist on the name that they asked for
    client.load_world("Maple", reset_settings=False)


def test_boxes_of_the_last_worlds_vehicles_are_still_told(server, client, world, spawn):
    """A traffic manager asks until it has seen the new world, and an error would end its process."""
    car = spawn("vehicle.tesla.model3", 3)
    gone = spawn("vehicle.mini.cooper_s", 9)
    boxes = {actor.id: actor.bounding_box.extent.x for actor in (car, gone)}
    world.tick()
    gone.destroy()
    client.load_world("Nutmeg", reset_settings=False)
    client.load_world("Maple", reset_settings=False)
    raw = RawClient(server.host, server.port)
    for actor_id, half in boxes.items():
        error, result = raw.call("get_actor_bounding_box", actor_id)
        assert error is None
        good, (_, extent, *_) = result[0]
        assert good == 1
        assert extent[0] == pytest.approx(half, abs=1e-5)
    assert raw.call("get_actors_by_id", list(boxes))[1][0][1] == []
    raw.close()


def test_opendrive_text_becomes_a_world(client, world):
    xodr = world.get_map().to_opendrive()
    generated = client.generate_opendrive_world(xodr, carla.OpendriveGenerationParameters(), reset_settings=False)
    assert generated.get_map().name.endswith("OpenDriveMap")
    client.load_world("Maple", reset_settings=False)


def test_a_second_client_sees_the_actors_without_a_tick(server, world, spawn):
    car = spawn("vehicle.tesla.model3")
    world.tick()
    other = carla.Client(server.host, server.port)
    other.set_timeout(10.0)
    seen = other.get_world().get_actors()
    for _ in range(50):
        if seen:
            break
        time.sleep(0.02)
        seen = other.get_world().get_actors()
    assert car.id in {actor.id for actor in seen}
