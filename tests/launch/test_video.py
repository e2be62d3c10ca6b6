"""Pictures and films of a drive, from made-up views."""

from __future__ import annotations

import math
from pathlib import Path

import av
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from linkvla.launch.report.birdeye import CAR, EGO, BirdsEye
from linkvla.launch.report.hud import HEIGHT
from linkvla.launch.report.overlay import draw_plan
from linkvla.launch.report.tick_adapter import camera_of, command_text, light_ahead
from linkvla.launch.report.video import Composer, VideoWriter
from linkvla.launch.report.view import DriveView, OtherActor, PinholeCamera
from linkvla.model.interface.errors import ConfigurationError
from linkvla.model.interface.types import Command

CAMERA = PinholeCamera(x=-1.5, y=0.0, z=2.0, width=256, height=128, fov=110.0)
ROUTE = np.stack([np.arange(0.0, 100.0), np.zeros(100)], axis=1)
STRAIGHT = np.stack([np.arange(20.0), np.zeros(20)], axis=1)


def view(**changes) -> DriveView:
    values = {
        "simulated_seconds": 1.0,
        "route_percent": 10.0,
        "speed": 5.0,
        "real_time_ratio": 0.7,
        "command": "follow the lane",
        "throttle": 0.4,
        "steer": -0.1,
        "brake": 0.0,
        "ego_in_world": (20.0, 0.0, 0.0),
        "image": np.full((128, 256, 3), 90, dtype=np.uint8),
        "path_in_ego": STRAIGHT,
        "speed_waypoints_in_ego": STRAIGHT[1:11] * 1.2,
    }
    return DriveView(**{**values, **changes})


def test_projection_of_known_points():
    pixels, seen = CAMERA.project(np.array([[8.5, 0.0, 2.0], [8.5, 10.0, 2.0], [-5.0, 0.0, 0.0]]))
    assert pixels[0] == pytest.approx([128.0, 64.0])  # on the optical axis
    assert pixels[1] == pytest.approx([128.0 + CAMERA.focal_length, 64.0])  # 45 degrees to the right
    assert seen.tolist() == [True, True, False]
    edge, _ = CAMERA.project(np.array([[8.5, 10.0 * math.tan(math.radians(55.0)), 2.0]]))
    assert edge[0, 0] == pytest.approx(256.0)  # half the field of view is the picture's edge


def test_plan_is_drawn_on_the_road_only():
    image = np.zeros((128, 256, 3), dtype=np.uint8)
    draw_plan(image, CAMERA, STRAIGHT, STRAIGHT[1:11])
    rows, columns = np.nonzero(image.any(axis=2))
    assert rows.min() > 64, "the path lies below the horizon"
    assert columns.mean() == pytest.approx(127.5, abs=1.5), "a straight path runs up the middle"


@pytest.mark.parametrize("side", [-1.0, 1.0])
def test_a_turn_is_drawn_on_its_side(side: float):
    image = np.zeros((128, 256, 3), dtype=np.uint8)
    turn = np.stack([np.arange(20.0), side * np.arange(20.0) ** 2 / 40.0], axis=1)
    draw_plan(image, CAMERA, turn, None)
    rows, columns = np.nonzero(image.any(axis=2))
    far = columns[rows == rows.min()].mean()
    assert (far - 128.0) * side > 0.0, "positive y is to the right"


@given(st.lists(st.tuples(st.floats(-1e6, 1e6), st.floats(-1e6, 1e6)), min_size=0, max_size=20))
def test_no_plan_breaks_the_drawing(points: list[tuple[float, float]]):
    path = np.array(points, dtype=np.float64).reshape(-1, 2)
    draw_plan(np.zeros((128, 256, 3), dtype=np.uint8), CAMERA, path, path)


def test_plans_with_holes_are_drawn_around_them():
    path = STRAIGHT.copy()
    path[3] = np.nan
    draw_plan(np.zeros((128, 256, 3), dtype=np.uint8), CAMERA, path, path)


def test_birds_eye_shows_ego_and_others_where_they_are():
    size, reach = 200, 40.0
    birds_eye = BirdsEye(None, ROUTE, (size, size), reach)
    # Ego at (20, 0), heading along +y (yaw 90 degrees). A car further along +y is straight ahead: above, same column.
    inset = birds_eye.draw(
        view(ego_in_world=(20.0, 0.0, math.pi / 2), path_in_ego=None, speed_waypoints_in_ego=None,
             others=(OtherActor(20.0, 15.0, math.pi / 2, 2.4, 1.0), OtherActor(5.0, 0.0, 0.0, 2.4, 1.0)))
    )  # fmt: skip
    ego = np.argwhere((inset == EGO).all(axis=2)).mean(axis=0)
    cars = np.argwhere((inset == CAR).all(axis=2))
    ahead = cars[cars[:, 0] < ego[0] - 10].mean(axis=0)
    beside = cars[cars[:, 0] >= ego[0] - 10].mean(axis=0)
    scale = size / (2 * reach)
    assert ahead - ego == pytest.approx([-15.0 * scale, 0.0], abs=2.0)
    assert beside - ego == pytest.approx([0.0, 15.0 * scale], abs=2.0)  # world -x is to the right of a heading of +y


@pytest.mark.parametrize("image", [None, np.zeros((128, 256, 3), np.uint8), np.zeros((64, 128, 3), np.uint8)])
def test_pictures_have_one_size(image: np.ndarray | None):
    picture = Composer(CAMERA, None, ROUTE)(view(image=image))
    assert picture.shape == (128 + HEIGHT, 256, 3)
    assert picture.dtype == np.uint8


def test_composing_leaves_the_agents_image_alone():
    image = np.full((128, 256, 3), 90, dtype=np.uint8)
    Composer(CAMERA, None, ROUTE)(view(image=image))
    assert (image == 90).all()


def test_film_has_every_frame_and_appears_whole(tmp_path: Path):
    path = tmp_path / "drive.mp4"
    with VideoWriter(path, Composer(CAMERA, None, ROUTE), frames_per_second=10) as video:
        for k in range(60):  # more than the queue holds
            video.add(view(simulated_seconds=k / 10))
        assert not path.exists()
    assert [entry.name for entry in tmp_path.iterdir()] == ["drive.mp4"]
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        assert stream.average_rate == 10
        assert sum(1 for _ in container.decode(stream)) == 60


def test_an_interrupted_film_leaves_nothing(tmp_path: Path):
    with pytest.raises(KeyboardInterrupt), VideoWriter(tmp_path / "drive.mp4", Composer(CAMERA, None, ROUTE)) as video:
        video.add(view())
        raise KeyboardInterrupt
    assert list(tmp_path.iterdir()) == []


def test_a_film_without_frames_is_no_file(tmp_path: Path):
    with VideoWriter(tmp_path / "drive.mp4", Composer(CAMERA, None, ROUTE)):
        pass
    assert list(tmp_path.iterdir()) == []


def test_a_failing_drawing_thread_is_reported_and_blocks_nobody(tmp_path: Path):
    def fail(_: DriveView) -> np.ndarray:
        raise OSError("disk full")

    with pytest.raises(ConfigurationError, match="disk full"), VideoWriter(tmp_path / "drive.mp4", fail) as video:
        for _ in range(200):
            video.add(view())


def test_a_folder_that_is_not_there_is_reported(tmp_path: Path):
    video = VideoWriter(tmp_path / "none" / "drive.mp4", Composer(CAMERA, None, ROUTE))
    video.add(view())
    with pytest.raises(ConfigurationError, match=r"drive\.mp4"):
        video.close()


def test_light_on_the_route_ahead():
    route = np.stack([np.arange(100.0), np.zeros(100), np.zeros(100)], axis=1)
    ahead, behind, aside, later = (30.0, 0.5, 2), (10.0, 0.0, 0), (25.0, 4.0, 0), (50.0, 0.0, 0)
    assert light_ahead(route, (behind, aside, ahead, later), (20.0, 0.0), 0.0) == "green"
    assert light_ahead(route, (behind, aside), (20.0, 0.0), 0.0) is None
    assert light_ahead(route, (), (20.0, 0.0), 0.0) is None


def test_commands_for_people():
    assert command_text(Command.LEFT) == "turn left"
    assert command_text(4) == "follow the lane"
    assert command_text(None) == ""


def test_camera_comes_from_the_agents_sensors():
    place = {"x": 1.0, "y": 0.0, "z": 1.5, "roll": 0.0, "pitch": 0.0, "yaw": 0.0}
    spec = {"type": "sensor.camera.rgb", "id": "rgb", **place, "width": 640, "height": 360, "fov": 90.0}
    assert camera_of([{"type": "sensor.other.gnss"}, spec]) == PinholeCamera(1.0, 0.0, 1.5, 640, 360, 90.0)
    assert camera_of([]).width == 1024
