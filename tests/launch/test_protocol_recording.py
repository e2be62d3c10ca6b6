"""Recordings: written, read, replayed; nothing outside their folder, no damaged file brings anything down."""

from __future__ import annotations

import math

import msgpack
import pytest

from linkvla.launch.sim.protocol import recording_reports as reports
from linkvla.launch.sim.protocol.envelope import MethodError
from linkvla.launch.sim.protocol.recorder import Recorder
from linkvla.launch.sim.protocol.recording import RecordingFolder, RecordingReader
from linkvla.launch.sim.protocol.replayer import Replayer, ReplayRequest, between
from linkvla.launch.sim.world.actors import Vehicle
from linkvla.launch.sim.world.pose import Pose
from linkvla.launch.sim.world.town_loader import load_town
from linkvla.launch.sim.world.world import World

STEP_S, TICKS = 0.05, 60
NOTHING_SPECIAL = ReplayRequest(0.0, 0.0, 0, Pose())


@pytest.fixture(scope="module")
def town():
    return load_town("Maple")


@pytest.fixture(scope="module")
def recorded(town, tmp_path_factory):
    """A drive of three seconds, a second car that is destroyed half way; and where the first one was at each tick."""
    folder = tmp_path_factory.mktemp("recordings")
    world, recorder = World(town), Recorder(RecordingFolder(folder))
    car = world.spawn("vehicle.lincoln.mkz_2020", {"role_name": "hero"}, town.spawn_points[0])
    other = world.spawn("vehicle.audi.tt", {}, town.spawn_points[5])
    recorder.start("sub/drive.log", world)
    car.control.throttle = 0.6
    places = []
    for tick in range(TICKS):
        if tick == TICKS // 2:
            world.destroy(other.id)
        recorder.write(world, world.step(STEP_S))
        places.append(car.pose.copy())
    recorder.stop()
    return folder / "sub" / "drive.log", places, car.id


def cars_of(world: World) -> list[Vehicle]:
    return world.of_kind(Vehicle)


def replay(town, path, request=NOTHING_SPECIAL) -> tuple[World, Replayer]:
    world, replayer = World(town), Replayer()
    replayer.start(RecordingReader(path), request, world)
    return world, replayer


def test_a_replay_follows_the_recording(town, recorded):
    path, places, _ = recorded
    world, replayer = replay(town, path)
    assert len(cars_of(world)) == 2
    for tick in range(1, TICKS - 1):
        replayer.advance(world, STEP_S)
        world.step(STEP_S)
        (car, *others) = cars_of(world)
        assert math.dist((car.pose.x, car.pose.y), (places[tick].x, places[tick].y)) < 0.05
        assert len(others) == (1 if tick < TICKS // 2 else 0)
    assert not car.simulate_physics
    replayer.advance(world, STEP_S)
    replayer.advance(world, STEP_S)
    assert car.simulate_physics  # the end: it goes on by itself


def test_a_replay_may_start_late_follow_an_actor_and_leave_nothing(town, recorded):
    path, places, car_id = recorded
    world, replayer = replay(town, path, ReplayRequest(2.0, 0.5, car_id, Pose(x=-8.0, z=4.0)))
    (car,) = cars_of(world)
    assert math.dist((car.pose.x, car.pose.y), (places[40].x, places[40].y)) < 0.5
    spectator = world.spectator.pose
    assert math.dist((spectator.x, spectator.y), (car.pose.x, car.pose.y)) == pytest.approx(8.0, abs=0.1)
    replayer.stop(world, keep_actors=False)
    assert cars_of(world) == []


def test_the_hero_may_be_left_out(town, recorded):
    world, replayer = World(town), Replayer()
    replayer.ignore_hero = True
    replayer.start(RecordingReader(recorded[0]), NOTHING_SPECIAL, world)
    assert [car.type_id for car in cars_of(world)] == ["vehicle.audi.tt"]


def test_reports_tell_what_happened(recorded):
    path, _, car_id = recorded
    info = reports.file_info(path, show_all=True)
    assert f"Create {car_id}: vehicle.lincoln.mkz_2020" in info
    assert "Destroy" in info
    assert f"Frames: {TICKS}" in info
    stood = reports.blocked(path, 1.0, 10.0)
    assert "vehicle.audi.tt" in stood
    assert "mkz" not in stood
    assert "Frames" in reports.collisions(path, "h", "a")
    with pytest.raises(MethodError, match="category"):
        reports.collisions(path, "x", "a")


def test_collisions_are_listed_once_each(town, tmp_path):
    world, recorder = World(town), Recorder(RecordingFolder(tmp_path))
    start = town.spawn_points[0]
    ahead = start.rotation_matrix()[:, 0] * 9.0
    world.spawn("vehicle.lincoln.mkz_2020", {"role_name": "hero"}, start).control.throttle = 1.0
    world.spawn("vehicle.audi.tt", {}, Pose(start.x + ahead[0], start.y + ahead[1], start.z, yaw=start.yaw))
    path = recorder.start("crash.log", world)
    for _ in range(60):
        recorder.write(world, world.step(STEP_S))
    recorder.stop()
    lines = [line for line in reports.collisions(tmp_path / "crash.log", "h", "v").splitlines() if "audi" in line]
    assert path.endswith("crash.log")
    assert lines
    assert len(lines) < 10


@pytest.mark.parametrize("name", ["../x.log", "/etc/passwd", "", " ", "a/../../x", "x\0y", "z" * 600, 7, None])
def test_places_outside_the_folder_are_refused(tmp_path, name):
    with pytest.raises(MethodError):
        RecordingFolder(tmp_path / "inside").place(name)


def test_a_link_out_of_the_folder_is_refused(tmp_path):
    inside = tmp_path / "inside"
    inside.mkdir()
    (inside / "out").symlink_to(tmp_path)
    with pytest.raises(MethodError, match="outside"):
        RecordingFolder(inside).place("out/x.log")
    assert RecordingFolder(inside).place(str(inside / "x.log")) == inside / "x.log"


def damaged(recorded, change) -> bytes:
    raw = recorded[0].read_bytes()
    return change(raw)


@pytest.mark.parametrize(
    "change",
    [
        lambda raw: b"",
        lambda raw: b"CARLA_RECORDER" + raw,
        lambda raw: raw[:30] + b"\xc1" * 40 + raw[70:],
        lambda raw: msgpack.packb(["linkvla-recording", 2, "Maple", 0]),
        lambda raw: msgpack.packb(["linkvla-recording", 1, "Maple", 0]) + msgpack.packb([1, 2, 3]),
        lambda raw: (
            msgpack.packb(["linkvla-recording", 1, "Maple", 0]) + msgpack.packb([1, 0.0, [], [], [], [], [[1]], 5])
        ),
    ],
)
def test_damaged_files_are_refused(recorded, tmp_path, change):
    path = tmp_path / "bad.log"
    path.write_bytes(damaged(recorded, change))
    with pytest.raises(MethodError):
        reports.file_info(path, show_all=False)


def test_a_cut_off_file_is_replayed_as_far_as_it_goes(recorded, tmp_path):
    path = tmp_path / "cut.log"
    path.write_bytes(recorded[0].read_bytes()[:-20])
    assert f"Frames: {TICKS - 1}" in reports.file_info(path, show_all=False)


def test_angles_take_the_short_way():
    middle = between(Pose(yaw=170.0), Pose(x=2.0, yaw=-170.0), 0.5)
    assert (middle.x, abs((middle.yaw + 180.0) % 360.0 - 180.0)) == (1.0, 180.0)
