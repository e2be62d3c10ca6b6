"""Every method of CARLA 0.9.16 is answered; no argument, however odd, brings the server down."""

from __future__ import annotations

import asyncio
import socket

import msgpack
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from linkvla.launch.sim import server  # noqa: F401  (registers the methods)
from linkvla.launch.sim.protocol.registry import METHODS
from linkvla.launch.sim.protocol.rpc import Session, call, explain, pack, wrap
from linkvla.launch.sim.protocol.simulation import Simulation
from linkvla.launch.sim.protocol.streams import StreamHub
from linkvla.launch.sim.protocol.traffic_managers import TrafficManagers
from linkvla.launch.sim.world.town_loader import load_town

# The RPC methods of CARLA 0.9.16: session and map, actors, vehicles and walkers, lights and the rest.
NAMES = """
    version get_episode_info get_sensor_token get_episode_settings set_episode_settings get_map_info get_map_data
    get_required_files request_file get_navigation_mesh get_available_maps load_new_episode copy_opendrive_to_file
    load_map_layer unload_map_layer tick_cue get_actor_definitions get_spectator get_weather_parameters
    set_weather_parameters get_imui_gravity set_imui_gravity get_all_level_BBs get_environment_objects
    enable_environment_objects get_names_of_all_objects apply_color_texture_to_objects
    apply_float_color_texture_to_objects project_point cast_ray query_lights_state update_lights_state
    update_day_night_cycle set_annotations_traverse_translucency draw_debug_shape clear_debug_shape
    clear_debug_string start_recorder stop_recorder show_recorder_file_info show_recorder_collisions
    show_recorder_actors_blocked replay_file stop_replayer set_replayer_time_factor set_replayer_ignore_hero
    set_replayer_ignore_spectator is_traffic_manager_running get_traffic_manager_running add_traffic_manager_running
    destroy_traffic_manager spawn_actor spawn_actor_with_parent destroy_actor get_actors_by_id set_actor_location
    set_actor_transform set_actor_target_velocity set_actor_target_angular_velocity enable_actor_constant_velocity
    disable_actor_constant_velocity add_actor_impulse add_actor_force add_actor_torque add_actor_angular_impulse
    add_actor_impulse_at_location add_actor_force_at_location set_actor_simulate_physics set_actor_collisions
    set_actor_enable_gravity set_actor_dead get_actor_bounding_box get_actor_component_names get_actor_bone_names
    get_actor_socket_names get_actor_component_world_transform get_actor_component_relative_transform
    get_actor_bone_world_transforms get_vehicle_bone_world_transforms get_actor_socket_world_transforms
    get_actor_bone_relative_transforms get_actor_socket_relative_transforms apply_control_to_vehicle
    apply_ackermann_control_to_vehicle get_ackermann_controller_settings apply_ackermann_controller_settings
    get_physics_control apply_physics_control get_vehicle_light_state set_vehicle_light_state
    get_vehicle_light_states open_vehicle_door close_vehicle_door set_wheel_steer_direction get_wheel_steer_angle
    set_wheel_pitch_angle get_wheel_pitch_angle get_telemetry_data show_vehicle_debug_telemetry set_actor_autopilot
    enable_carsim use_carsim_road enable_chrono_physics restore_physx_physics apply_control_to_walker
    get_bones_transform set_bones_transform blend_pose get_pose_from_animation set_traffic_light_state
    set_traffic_light_green_time set_traffic_light_yellow_time set_traffic_light_red_time freeze_all_traffic_lights
    freeze_traffic_light reset_traffic_light_group reset_all_traffic_lights get_group_traffic_lights get_light_boxes
    get_gbuffer_token enable_gbuffers are_gbuffers_enabled enable_sensor_for_ros disable_sensor_for_ros
    is_sensor_enabled_for_ros send set_ignored_vehicles console_command apply_batch
"""
EVERY_METHOD = NAMES.split()


@pytest.fixture(scope="module")
def session():
    async def build():
        return Simulation(load_town("Maple"), (), 0, StreamHub(0))

    simulation = asyncio.run(build())
    yield Session(simulation)
    simulation.close()


def ask(session, name, *arguments):
    """The enveloped answer of one method."""
    method = METHODS[name]
    if not method.waits:
        return call(method, session, list(arguments))

    async def wait():
        try:
            return wrap(method, await method.handler(session, *arguments))
        except Exception as error:
            return explain(method, error)

    return asyncio.run(wait())


def test_the_table_is_complete():
    assert set(EVERY_METHOD) == set(METHODS)


odd = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-3, 300)
    | st.floats(width=32)
    | st.text(max_size=4)
    | st.binary(max_size=4),
    lambda inner: st.lists(inner, max_size=4),
    max_leaves=12,
)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(name=st.sampled_from([n for n in EVERY_METHOD if n != "tick_cue"]), arguments=st.lists(odd, max_size=4))
def test_odd_arguments_get_an_answer(session, name, arguments):
    answer = ask(session, name, *arguments)
    assert isinstance(answer, list)
    world = session.simulation.world
    world.step(0.05)
    for actor in world.actors.values():
        assert actor.pose.x == actor.pose.x  # no NaN has got in


def test_spawn_fills_defaults_and_echoes_all_attributes(session):
    point = session.simulation.world.town.spawn_points[30]
    transform = [[point.x, point.y, point.z], [0.0, point.yaw, 0.0]]
    answer = ask(session, "spawn_actor", [1, "vehicle.tesla.model3", [["role_name", 4, "hero"]]], transform)
    assert answer[0][0] == 1
    actor_id, parent_id, (_, type_id, attributes), *_ = answer[0][1]
    assert (parent_id, type_id) == (0, "vehicle.tesla.model3")
    named = {name: value for name, _, value in attributes}
    assert named["role_name"] == "hero"
    assert named["number_of_wheels"] == "4"
    assert ask(session, "destroy_actor", actor_id) == [[1, True]]
    assert ask(session, "destroy_actor", actor_id)[0][0] == 0


def test_unknown_blueprints_and_parents_are_refused(session):
    transform = [[0.0, 0.0, 0.0], [0.0, 0.0, 0.0]]
    assert "no blueprint" in ask(session, "spawn_actor", [1, "vehicle.flying.saucer", []], transform)[0][1][0]
    answer = ask(session, "spawn_actor_with_parent", [1, "sensor.other.imu", []], transform, 999_999, 0, "")
    assert "999999" in answer[0][1][0]


def test_traffic_managers_go_with_their_connection(session):
    other = Session(session.simulation)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        assert ask(other, "add_traffic_manager_running", ["192.0.2.1", port]) == [[1, True]]
        assert ask(session, "add_traffic_manager_running", ["192.0.2.1", port]) == [[1, False]]
        assert ask(session, "get_traffic_manager_running", port) == [[1, ["192.0.2.1", port]]]
        session.simulation.close_session(other)
        assert ask(session, "is_traffic_manager_running", port) == [[1, False]]


@pytest.mark.parametrize(("question", "answer"), [("is", False), ("get", ["", 0])])
def test_a_dead_traffic_manager_is_forgotten_though_its_connection_lives(session, question, answer):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        assert ask(session, "add_traffic_manager_running", ["127.0.0.1", port]) == [[1, True]]
        assert ask(session, "is_traffic_manager_running", port) == [[1, True]]
    assert ask(session, f"{question}_traffic_manager_running", port) == [[1, answer]]
    assert ask(session, "add_traffic_manager_running", ["127.0.0.1", port]) == [[1, True]]
    assert ask(session, "destroy_traffic_manager", port) == [[1, True]]


def test_the_dead_take_no_control_and_go_nowhere(session):
    world = session.simulation.world
    walker = world.spawn("walker.pedestrian.0001", {}, world.town.spawn_points[20])
    car = world.spawn("vehicle.tesla.model3", {}, world.town.spawn_points[21])
    ahead, still = [0.0, 1.0, 0.0], [[0.0] * 3, [0.0] * 3]
    world.step(0.05)
    for actor in (walker, car):
        ask(session, "enable_actor_constant_velocity", actor.id, [2.0, 0.0, 0.0])
        ask(session, "set_actor_dead", actor.id)
        world.step(0.05)
    places = [(actor.pose.x, actor.pose.y) for actor in (walker, car)]
    refused = [
        ask(session, "apply_control_to_walker", walker.id, [ahead, 1.5, False]),
        ask(session, "apply_control_to_vehicle", car.id, [1.0, 0.0, 0.0, False, False, False, 0]),
        ask(session, "apply_ackermann_control_to_vehicle", car.id, [0.0, 0.0, 5.0, 0.0, 0.0]),
        ask(session, "enable_actor_constant_velocity", walker.id, ahead),
        ask(session, "apply_batch", [[[7, [walker.id, still, 1.0]]]], False)[0],
    ]
    assert all("dead" in str(answer) for answer in refused)
    for _ in range(10):
        world.step(0.05)
    assert (walker.pose.x, walker.pose.y) == places[0]
    assert (car.pose.x, car.pose.y) == pytest.approx(places[1], abs=0.5)  # it brakes
    for actor in (walker, car):
        world.destroy(actor.id)


def test_batch_answers_each_command_and_goes_on_after_a_bad_one(session):
    commands = [[[1, [999_999]]], [[77, [1]]], [[2, "nonsense"]], [[16, [5, True]]]]
    answer = ask(session, "apply_batch", commands, False)
    assert [entry[0][0] for entry in answer] == [0, 0, 0, 1]


def test_a_silent_traffic_manager_is_noticed_and_nudged(session, monkeypatch):
    monkeypatch.setattr("linkvla.launch.sim.protocol.traffic_managers.STALL_S", 0.0)
    calls = []

    async def manager(reader, writer):
        unpacker = msgpack.Unpacker(raw=False)
        while data := await reader.read(100):
            unpacker.feed(data)
            for _, number, name, arguments in unpacker:
                calls.append((name, arguments))
                writer.write(pack([1, number, None, None]))

    async def scenario():
        listener = await asyncio.start_server(manager, "127.0.0.1", 0)
        port = listener.sockets[0].getsockname()[1]
        managers = TrafficManagers()
        managers.add("192.0.2.1", port, session)
        managers.ticked(10)
        assert managers.stalled() == []  # never heard of: perhaps not synchronous
        managers.heard(session)
        assert managers.stalled() == []
        managers.ticked(11)
        watching = asyncio.ensure_future(managers.watch())
        while len(calls) < 2:
            await asyncio.sleep(0.01)
        watching.cancel()
        assert managers.stalled() == []  # once per frame
        listener.close()

    asyncio.run(asyncio.wait_for(scenario(), 10.0))
    assert calls == [("set_synchronous_mode", [False]), ("set_synchronous_mode", [True])]


def test_a_traffic_manager_that_died_in_a_tick_is_forgotten(session, monkeypatch):
    monkeypatch.setattr("linkvla.launch.sim.protocol.traffic_managers.STALL_S", 0.0)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    managers = TrafficManagers()

    async def scenario():
        managers.add("127.0.0.1", port, session)
        managers.ticked(10)
        managers.heard(session)
        managers.ticked(11)
        watching = asyncio.ensure_future(managers.watch())
        while managers.find(port) is not None:
            await asyncio.sleep(0.01)
        watching.cancel()

    asyncio.run(asyncio.wait_for(scenario(), 10.0))
