"""Bytes on the wire: world state, sensor headers, images, structs."""

from __future__ import annotations

import struct

import msgpack
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from linkvla.launch.sim.protocol import structs
from linkvla.launch.sim.protocol.envelope import MethodError
from linkvla.launch.sim.protocol.sensor_frames import DEPTH, GNSS, RGB, ImageMessage, encode_measurement
from linkvla.launch.sim.protocol.settings import EpisodeSettings
from linkvla.launch.sim.protocol.state import BODY_OFFSET, MAP_CHANGED, RECORD_BYTES, encode_world
from linkvla.launch.sim.world.actors import Actor, TrafficSign, Vehicle, VehicleControl, Walker
from linkvla.launch.sim.world.blueprints import blueprints
from linkvla.launch.sim.world.pose import Pose
from linkvla.launch.sim.world.town import LightState
from linkvla.launch.sim.world.weather import Weather

finite = st.floats(-1e4, 1e4, width=32)


def world_bytes(actors) -> bytes:
    return encode_world(
        actors, frame=9, elapsed=0.45, step=0.05, episode_id=3, wall_clock=1.0, flags=MAP_CHANGED, spectator=Pose()
    )


def test_world_message_has_the_wire_layout():
    vehicle = Vehicle(5, "vehicle.x", pose=Pose(1, 2, 3, 4, 5, 6))
    vehicle.control = VehicleControl(0.5, -0.25, 0.0, True, False, False, 2)
    vehicle.speed_limit, vehicle.at_light_id, vehicle.light_state = 50.0, 77, LightState.RED
    message = world_bytes([vehicle, Walker(6, "walker.x"), TrafficSign(7, "traffic.stop", sign_id="abc")])
    assert struct.unpack_from("<I", message)[0] == len(message) - 4 == BODY_OFFSET + 3 * RECORD_BYTES
    kind, frame, elapsed = struct.unpack_from("<QQd", message, 4)
    assert (kind, frame, elapsed) == (17, 9, 0.45)
    episode, _, step, *_, flags = struct.unpack_from("<Qdf3iI", message, 52)
    assert (episode, flags) == (3, MAP_CHANGED)
    assert step == np.float32(0.05)
    record = message[4 + BODY_OFFSET :]
    assert struct.unpack_from("<IB6f", record) == (5, 1, 1, 2, 3, 4, 5, 6)
    assert struct.unpack_from("<fff???ifBBIB", record, 65) == (0.5, -0.25, 0, True, False, False, 2, 50, 0, 1, 77, 0)
    assert record[2 * RECORD_BYTES + 65 :].rstrip(b"\0") == b"abc"


@given(st.lists(st.tuples(finite, finite, finite), max_size=6))
def test_every_actor_takes_exactly_one_record(places):
    actors = [Actor(i + 1, "static.prop.box01", pose=Pose(*place)) for i, place in enumerate(places)]
    message = world_bytes(actors)
    for i, place in enumerate(places):
        offset = 4 + BODY_OFFSET + i * RECORD_BYTES
        assert struct.unpack_from("<I", message, offset)[0] == i + 1
        assert struct.unpack_from("<3f", message, offset + 5) == place


def test_measurement_body_is_messagepack_after_a_48_byte_header():
    message = encode_measurement(GNSS, 4, 0.2, Pose(1, 2, 3), [1.0, 2.0, 3.0])
    assert struct.unpack_from("<Q", message, 4)[0] == GNSS
    assert msgpack.unpackb(message[52:]) == [1.0, 2.0, 3.0]


def test_rgb_image_is_bgra():
    image = ImageMessage(RGB, 3, 2, 90.0)
    image.put_rgb(np.tile(np.array([10, 20, 30], np.uint8), (2, 3, 1)))
    image.stamp(1, 0.05, Pose())
    assert struct.unpack_from("<IIf", image.buffer, 52) == (3, 2, 90.0)
    assert bytes(image.buffer[64:68]) == bytes((30, 20, 10, 255))
    assert len(image.buffer) == 64 + 24


@settings(deadline=None)  # the first one compiles
@given(st.floats(0.5, 999.0))
def test_depth_image_decodes_to_metres(metres):
    image = ImageMessage(DEPTH, 1, 1, 90.0)
    image.put_depth(np.full((1, 1), 1.0 / metres, np.float32))
    blue, green, red, _ = image.bgra[0, 0].astype(int)
    assert (red + 256 * green + 65536 * blue) / (2**24 - 1) * 1000.0 == pytest.approx(metres, rel=1e-5, abs=1e-3)


def test_sky_is_as_far_as_a_depth_image_reaches():
    image = ImageMessage(DEPTH, 1, 1, 90.0)
    image.put_depth(np.zeros((1, 1), np.float32))
    assert (image.bgra[0, 0, :3] == 255).all()


@given(finite, finite, finite)
def test_poses_go_there_and_back(x, y, yaw):
    pose = Pose(x, y, 1.0, 2.0, yaw, 3.0)
    assert structs.decode_pose(structs.encode_pose(pose)) == pose


@pytest.mark.parametrize("poison", [float("nan"), float("inf")])
def test_numbers_that_would_poison_the_world_are_refused(poison):
    with pytest.raises(MethodError, match="finite"):
        structs.decode_pose([[poison, 0, 0], [0, 0, 0]])
    with pytest.raises(MethodError, match="throttle"):
        structs.decode_control([poison, 0, 0, False, False, False, 0])


def test_controls_are_clipped():
    control = structs.decode_control([2.0, -3.0, 0.5, False, True, False, 1])
    assert (control.throttle, control.steer, control.reverse) == (1.0, -1.0, True)


def test_weather_goes_there_and_back():
    weather = Weather(cloudiness=80.0, sun_altitude_angle=-5.0)
    assert structs.decode_weather(structs.encode_weather(weather)) == weather


def test_settings_go_there_and_back_and_bad_steps_are_refused():
    wanted = EpisodeSettings(synchronous_mode=True, fixed_delta_seconds=0.05)
    assert EpisodeSettings.decode(wanted.encode()) == wanted
    with pytest.raises(MethodError, match="fixed_delta_seconds"):
        EpisodeSettings.decode([True, False, [True, -1.0], *wanted.encode()[3:]])


def test_blueprints_carry_what_the_leaderboard_sets():
    table = blueprints()
    camera = {a.name for a in table["sensor.camera.rgb"].attributes}
    wanted = "image_size_x image_size_y fov lens_circle_multiplier lens_circle_falloff chromatic_aberration_intensity"
    assert set(wanted.split()) <= camera
    gnss = {a.name for a in table["sensor.other.gnss"].attributes}
    assert {"noise_alt_stddev", "noise_lat_bias", "noise_lon_stddev", "sensor_tick"} <= gnss
    imu = {a.name for a in table["sensor.other.imu"].attributes}
    assert {"noise_accel_stddev_x", "noise_gyro_stddev_z", "noise_gyro_bias_y"} <= imu
    assert [blueprint.uid for blueprint in table.values()] == list(range(1, len(table) + 1))
    assert all(len({a.name for a in b.attributes}) == len(b.attributes) for b in table.values())
