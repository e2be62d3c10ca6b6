"""The tour's stops at the session, the map, the scenery, the lights and the recorder."""

from __future__ import annotations

import math
import queue
import tempfile
import uuid

import carla

from tests.system.protocol_tour import STEP_S, RawClient, Tour, answered_or_refused, close_to

ROAD = """<?xml version="1.0"?><OpenDRIVE><header revMajor="1" revMinor="4" name="tour"/>
<road name="r" length="200.0" id="1" junction="-1"><type s="0" type="town"><speed max="30" unit="mph"/></type>
<planView><geometry s="0" x="0" y="0" hdg="0" length="200.0"><line/></geometry></planView>
<elevationProfile><elevation s="0" a="0" b="0" c="0" d="0"/></elevationProfile><lateralProfile/>
<lanes><laneOffset s="0" a="0" b="0" c="0" d="0"/><laneSection s="0"><left>
<lane id="1" type="driving" level="false"><link/><width sOffset="0" a="3.5" b="0" c="0" d="0"/></lane></left>
<center><lane id="0" type="none" level="false"/></center><right>
<lane id="-1" type="driving" level="false"><link/><width sOffset="0" a="3.5" b="0" c="0" d="0"/></lane></right>
</laneSection></lanes></road></OpenDRIVE>"""


def session(tour: Tour) -> None:
    """version, get_episode_info, get_sensor_token, get_available_maps"""
    assert tour.client.get_server_version() == tour.client.get_client_version() == "0.9.16"
    maps = tour.client.get_available_maps()
    assert any(tour.map.name.rsplit("/", 1)[-1] in name for name in maps), maps
    assert tour.world.id > 0


def clock(tour: Tour) -> None:
    """get_episode_settings, set_episode_settings, tick_cue: both modes, and there and back"""
    before = tour.world.get_snapshot()
    frame = tour.tick()
    after = tour.world.get_snapshot()
    assert after.frame == frame == before.frame + 1
    assert close_to(after.timestamp.delta_seconds, STEP_S, 1e-6)
    settings = tour.world.get_settings()
    settings.synchronous_mode, settings.fixed_delta_seconds = False, 0.0
    settings.max_substeps = 7
    tour.world.apply_settings(settings)
    assert tour.world.get_settings().max_substeps == 7
    first, second = tour.world.wait_for_tick(), tour.world.wait_for_tick()
    assert second.frame > first.frame
    assert 0.0 < second.timestamp.delta_seconds < 1.0
    tour.synchronous(True)
    frame = tour.tick()
    assert tour.world.get_snapshot().frame == frame
    assert tour.tick() == frame + 1


def map_and_files(tour: Tour) -> None:
    """get_map_info, get_map_data, get_required_files, request_file, get_navigation_mesh"""
    assert tour.map.to_opendrive().count("<road ") >= 1
    assert len(tour.places) > 1
    for name in tour.client.get_required_files():
        assert name
    answered_or_refused(tour.client.request_file, "tour-no-such-file.bin")
    navigation_mesh(tour)


def navigation_mesh(tour: Tour) -> None:
    """A town with sidewalks has a mesh in Detour's file format, and places to walk that lie on them."""
    error, result = tour.raw.call("get_navigation_mesh")
    assert error is None
    good, mesh = result[0]
    assert good == 1
    if 'type="sidewalk"' not in tour.map.to_opendrive():
        return
    assert bytes(mesh[:4]) == b"TESM"
    assert len(mesh) > 1000
    places = [tour.world.get_random_location_from_navigation() for _ in range(20)]
    lanes = [tour.map.get_waypoint(place, False, carla.LaneType.Sidewalk) for place in places if place is not None]
    assert sum(lane is not None for lane in lanes) > 15, "a real town's plazas lie beside its sidewalks"


def second_client(tour: Tour) -> None:
    """Another client sees the same world."""
    other = RawClient(*tour.raw._socket.getpeername()[:2])
    error, result = other.call("get_actors_by_id", [tour.car.id])
    assert error is None
    assert result[0][1][0][0] == tour.car.id
    other.close()


def weather(tour: Tour) -> None:
    """get_weather_parameters, set_weather_parameters"""
    before = tour.world.get_weather()
    tour.world.set_weather(carla.WeatherParameters(cloudiness=70.0, sun_altitude_angle=25.0, fog_density=5.0))
    tour.tick()
    now = tour.world.get_weather()
    assert (now.cloudiness, now.sun_altitude_angle, now.fog_density) == (70.0, 25.0, 5.0)
    tour.world.set_weather(before)
    tour.tick()


def gravity(tour: Tour) -> None:
    """get_imui_gravity, set_imui_gravity"""
    tour.world.set_imui_sensor_gravity(3.7)
    tour.tick()
    assert close_to(tour.world.get_imui_sensor_gravity(), 3.7, 1e-3)
    tour.world.set_imui_sensor_gravity(9.81)


def spectator(tour: Tour) -> None:
    """get_spectator, set_actor_transform"""
    view = tour.world.get_spectator()
    wanted = carla.Transform(carla.Location(1.0, 2.0, 30.0), carla.Rotation(pitch=-45.0, yaw=10.0))
    view.set_transform(wanted)
    tour.tick()
    assert view.get_transform().location.distance(wanted.location) < 0.05
    assert close_to(view.get_transform().rotation.pitch, -45.0)


def layers(tour: Tour) -> None:
    """load_map_layer, unload_map_layer"""
    tour.world.unload_map_layer(carla.MapLayer.Buildings)
    tour.tick()
    tour.world.load_map_layer(carla.MapLayer.Buildings)
    tour.tick()


def environment_objects(tour: Tour) -> None:
    """get_all_level_BBs, get_environment_objects, enable_environment_objects, get_names_of_all_objects"""
    boxes = tour.world.get_level_bbs(carla.CityObjectLabel.Buildings)
    assert all(box.extent.x >= 0.0 for box in boxes)
    everything = tour.world.get_environment_objects(carla.CityObjectLabel.Any)
    some = tour.world.get_environment_objects(carla.CityObjectLabel.TrafficLight)
    assert {item.id for item in some} <= {item.id for item in everything}
    ids = {item.id for item in everything[:3]}
    tour.world.enable_environment_objects(ids, False)
    tour.tick()
    tour.world.enable_environment_objects(ids, True)
    tour.tick()
    assert all(tour.world.get_names_of_all_objects())


def textures(tour: Tour) -> None:
    """apply_color_texture_to_objects, apply_float_color_texture_to_objects"""
    names = tour.world.get_names_of_all_objects()[:1] or ["none"]
    kind = carla.MaterialParameter.Diffuse
    answered_or_refused(tour.world.apply_color_texture_to_object, names[0], kind, carla.TextureColor(2, 2))
    answered_or_refused(tour.world.apply_float_color_texture_to_object, names[0], kind, carla.TextureFloatColor(2, 2))


def rays(tour: Tour) -> None:
    """project_point, cast_ray"""
    tour.park()
    place = tour.places[1].location
    hit = tour.world.ground_projection(carla.Location(place.x, place.y, place.z + 5.0), 20.0)
    assert hit is not None
    assert abs(hit.location.z - place.z) < 1.5
    along = tour.world.project_point(carla.Location(place.x, place.y, place.z + 5.0), carla.Vector3D(0, 0, -1), 20.0)
    assert along.location.distance(hit.location) < 0.1
    top = tour.places[0].location + carla.Location(z=8.0)
    through = tour.world.cast_ray(top, top - carla.Location(z=16.0))
    assert through, "a ray through the car and the road hits nothing"
    assert all(-1.0 < point.location.z - tour.places[0].location.z < 3.0 for point in through)


def street_lights(tour: Tour) -> None:
    """query_lights_state, update_lights_state, update_day_night_cycle"""
    manager = tour.world.get_lightmanager()
    manager.set_day_night_cycle(False)
    lamps = manager.get_all_lights(carla.LightGroup.Street)
    tour.tick()
    if lamps:
        manager.turn_on(lamps[:2])
        lamps[0].set_intensity(1234.0)
        lamps[0].set_color(carla.Color(10, 20, 30))
        tour.tick(3)
        assert all(manager.is_active(lamps[:2]))
        state = next(raw for raw in tour.raw.call("query_lights_state", "tour:0")[1][0][1] if raw[0] == lamps[0].id)
        assert close_to(state[2], 1234.0)
        assert state[4][:3] == [10, 20, 30]
        assert state[5]
        manager.turn_off(lamps[:2])
        tour.tick(2)
    manager.set_day_night_cycle(True)
    tour.tick()


def debug_shapes(tour: Tour) -> None:
    """draw_debug_shape, clear_debug_shape, clear_debug_string, set_annotations_traverse_translucency"""
    debug, here = tour.world.debug, tour.places[0].location
    there, red = here + carla.Location(x=3.0, z=2.0), carla.Color(255, 0, 0)
    box = carla.BoundingBox(here, carla.Vector3D(1, 1, 1))
    for prefix in ("draw", "draw_hud"):
        getattr(debug, f"{prefix}_point")(here, 0.1, red, 0.2)
        getattr(debug, f"{prefix}_line")(here, there, 0.1, red, 0.2)
        getattr(debug, f"{prefix}_arrow")(here, there, 0.1, 0.3, red, 0.2)
        getattr(debug, f"{prefix}_box")(box, carla.Rotation(), 0.1, red, 0.2)
    debug.draw_string(here, "tour", False, red, 0.2)
    tour.tick(2)
    debug.clear_debug_shape()
    debug.clear_debug_string()
    tour.world.set_annotations_traverse_translucency(False)
    tour.tick()


def traffic_lights(tour: Tour) -> None:
    """set_traffic_light_state, ..._green_time, ..._yellow_time, ..._red_time, freeze_all_traffic_lights,
    freeze_traffic_light, reset_traffic_light_group, reset_all_traffic_lights, get_group_traffic_lights,
    get_light_boxes"""
    lights = tour.world.get_actors().filter("traffic.traffic_light*")
    tour.world.reset_all_traffic_lights()
    tour.world.freeze_all_traffic_lights(True)
    tour.raw.call("freeze_traffic_light", lights[0].id if lights else 0, True)
    tour.tick(2)
    if lights:
        light = lights[0]
        assert light.is_frozen()
        light.set_green_time(8.0)
        light.set_yellow_time(2.5)
        light.set_red_time(1.5)
        light.set_state(carla.TrafficLightState.Yellow)
        tour.tick(2)
        assert light.get_state() == carla.TrafficLightState.Yellow
        assert [light.get_green_time(), light.get_yellow_time(), light.get_red_time()] == [8.0, 2.5, 1.5]
        assert light.id in {member.id for member in light.get_group_traffic_lights()}
        assert light.get_light_boxes()
        assert light.get_opendrive_id()
        assert light.get_pole_index() >= 0
        assert light.get_stop_waypoints()
        assert light.get_affected_lane_waypoints()
        assert light.trigger_volume.extent.x > 0.0
        assert tour.world.get_traffic_light_from_opendrive_id(light.get_opendrive_id()).id == light.id
        light.reset_group()
    tour.world.freeze_all_traffic_lights(False)
    tour.world.reset_all_traffic_lights()
    tour.tick(2)
    for sign in tour.world.get_actors().filter("traffic.stop*"):
        assert sign.trigger_volume.extent.x > 0.0


def recorder(tour: Tour) -> None:
    """start_recorder, stop_recorder, show_recorder_file_info, show_recorder_collisions,
    show_recorder_actors_blocked, replay_file, stop_replayer, set_replayer_time_factor, set_replayer_ignore_hero,
    set_replayer_ignore_spectator"""
    tour.park()
    name = f"tour-{uuid.uuid4().hex}.log"
    assert name in tour.client.start_recorder(name)
    tour.car.apply_control(carla.VehicleControl(throttle=0.7))
    tour.tick(30)
    end = tour.car.get_location()
    tour.client.stop_recorder()
    tour.park()
    info = tour.client.show_recorder_file_info(name, True)
    assert "vehicle.lincoln.mkz_2020" in info
    assert "Duration" in info
    assert "Duration" in tour.client.show_recorder_collisions(name, "a", "a")
    assert "Duration" in tour.client.show_recorder_actors_blocked(name, 0.5, 10.0)
    tour.client.set_replayer_time_factor(1.0)
    tour.client.set_replayer_ignore_hero(False)
    tour.client.set_replayer_ignore_spectator(True)
    own = tour.car.id
    assert name in tour.client.replay_file(name, 0.0, 0.0, 0)
    tour.tick(25)
    cars = tour.world.get_actors().filter("vehicle.lincoln.mkz_2020")
    assert min(car.get_location().distance(end) for car in cars) < 6.0
    tour.client.stop_replayer(False)
    tour.tick(2)
    if own not in {actor.id for actor in tour.world.get_actors()}:  # CARLA's replayer takes over actors of the same id
        tour.car = tour.spawn("vehicle.lincoln.mkz_2020", 0)
    answered_or_refused(tour.client.show_recorder_file_info, f"{tempfile.gettempdir()}/../tour-no-such-file", False)


def traffic_manager(tour: Tour) -> None:
    """is_, get_, add_traffic_manager_running, destroy_traffic_manager, set_actor_autopilot, get_vehicle_light_states"""
    manager = tour.client.get_trafficmanager(tour.raw._socket.getpeername()[1] + 6000)
    manager.set_synchronous_mode(True)
    port = manager.get_port()
    error, result = tour.raw.call("is_traffic_manager_running", port)
    assert error is None
    assert result[0][1] is True
    address = tour.raw.call("get_traffic_manager_running", port)[1][0][1]
    assert address[1] == port
    tour.park()
    start = tour.car.get_location()
    tour.car.set_autopilot(True, port)
    tour.tick(60)
    assert tour.car.get_location().distance(start) > 2.0
    tour.car.set_autopilot(False, port)
    tour.raw.call("set_actor_autopilot", tour.car.id, False)
    assert dict(tour.world.get_vehicles_light_states()).keys() >= {tour.car.id}
    manager.set_synchronous_mode(False)
    spare = port + 1
    assert tour.raw.call("add_traffic_manager_running", ["127.0.0.1", spare])[1][0][1] is True
    assert tour.raw.call("destroy_traffic_manager", spare)[1][0][1] is True
    assert tour.raw.call("is_traffic_manager_running", spare)[1][0][1] is False
    tour.park()


def no_rendering(tour: Tour) -> None:
    """no_rendering_mode: time goes on, cameras are not needed"""
    settings = tour.world.get_settings()
    settings.no_rendering_mode = True
    tour.world.apply_settings(settings)
    frame = tour.tick()
    assert tour.tick() == frame + 1
    settings.no_rendering_mode = False
    tour.world.apply_settings(settings)


def sensors(tour: Tour) -> None:
    """A camera and an IMU ride on the car: get_sensor_token, get_gbuffer_token, enable_gbuffers, are_gbuffers_enabled,
    the ROS and V2X methods"""
    camera = tour.spawn("sensor.camera.rgb", carla.Transform(carla.Location(x=1.0, z=2.0)), tour.car)
    imu = tour.spawn("sensor.other.imu", carla.Transform(), tour.car)
    pictures: queue.Queue = queue.Queue()
    measured: queue.Queue = queue.Queue()
    camera.listen(pictures.put)
    imu.listen(measured.put)
    frame = tour.tick()
    picture = pictures.get(timeout=30.0)
    assert picture.frame == frame
    assert len(picture.raw_data) == 4 * picture.width * picture.height
    assert math.isfinite(measured.get(timeout=30.0).compass)
    for method, arguments in {
        "get_gbuffer_token": (camera.id, 0),
        "enable_gbuffers": (camera.id, False),
        "are_gbuffers_enabled": (camera.id,),
        "enable_sensor_for_ros": (1,),
        "disable_sensor_for_ros": (1,),
        "is_sensor_enabled_for_ros": (1,),
        "send": (camera.id, ""),
        "set_ignored_vehicles": (camera.id, []),
        "console_command": ("",),
    }.items():
        error, result = tour.raw.call(method, *arguments)
        assert error is not None or isinstance(result, list), method
    for sensor in (camera, imu):
        sensor.stop()
        sensor.destroy()
    tour.tick()


def loading(tour: Tour) -> None:
    """load_new_episode, copy_opendrive_to_file: reload, a world from OpenDRIVE text, and back"""
    name, episode = tour.map.name, tour.world.id
    tour.client.reload_world(False)
    tour.enter()
    assert tour.world.id != episode
    assert tour.map.name == name
    tour.client.generate_opendrive_world(ROAD, carla.OpendriveGenerationParameters(), False)
    tour.world = tour.client.get_world()
    assert tour.world.get_map().name.endswith("OpenDriveMap")
    assert len(tour.world.get_map().generate_waypoints(5.0)) > 20
    tour.client.load_world(name, False, carla.MapLayer.All)
    tour.enter()
    assert tour.map.name == name


STOPS = [
    session, clock, map_and_files, second_client, weather, gravity, spectator, layers, environment_objects, textures,
    rays, street_lights, debug_shapes, traffic_lights, sensors, no_rendering,
]  # fmt: skip
# A client with a traffic manager may not survive a change of worlds.
LAST_STOPS = [recorder, loading, traffic_manager]
