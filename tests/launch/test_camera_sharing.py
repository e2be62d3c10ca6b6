"""Cameras of one size at one place are drawn once; those that part still get their own view."""

from __future__ import annotations

import asyncio
from concurrent.futures import Future

import numpy as np
import pytest

from linkvla.launch.sim.protocol import camera_rigs, cameras
from linkvla.launch.sim.protocol.image_outputs import image_output
from linkvla.launch.sim.protocol.sensor_frames import DEPTH, RGB
from linkvla.launch.sim.render.camera import Camera, CameraRenderer
from linkvla.launch.sim.render.capture import capture
from linkvla.launch.sim.render.scene import TownScene
from linkvla.launch.sim.world.actors import Sensor
from linkvla.launch.sim.world.pose import Pose
from linkvla.launch.sim.world.town_loader import load_town
from linkvla.launch.sim.world.world import World

CAMERA = Camera(32, 16, 90.0)


@pytest.fixture(scope="module")
def world() -> World:
    return World(load_town("Aspen"))


@pytest.fixture(scope="module")
def scene(world) -> Future[TownScene]:
    built: Future[TownScene] = Future()
    built.set_result(TownScene.build(world.town))
    return built


class _Hub:
    """Takes what would be sent."""

    def __init__(self) -> None:
        self.sent: list[tuple[int, bytes]] = []

    def send_blocking(self, stream_id: int, message: memoryview) -> None:
        self.sent.append((stream_id, bytes(message)))


def _sensor(number: int, pose: Pose) -> Sensor:
    return Sensor(number, "sensor.camera.rgb", pose=pose)


def test_who_shares_a_thread(scene):
    async def play() -> None:
        rigs = camera_rigs.CameraRigs(scene, _Hub())
        here, there = Pose(1.0, 2.0, 3.0), Pose(1.0, 2.0, 3.5)
        first = rigs.join(1, CAMERA, _sensor(1, here))
        assert rigs.join(2, CAMERA, _sensor(2, here.copy())) is first
        others = [rigs.join(3, CAMERA, _sensor(3, there)), rigs.join(4, Camera(32, 16, 80.0), _sensor(4, here))]
        assert first not in others
        assert others[0] is not others[1]
        rigs.leave(1)
        assert rigs.join(5, CAMERA, _sensor(5, here.copy())) is first
        for stream_id in (2, 3, 4, 5):
            rigs.leave(stream_id)
        assert rigs.join(6, CAMERA, _sensor(6, here)) is not first
        rigs.leave(6)

    asyncio.run(play())


def test_one_drawing_serves_two_cameras(scene, world, monkeypatch):
    drawn = []
    draw = CameraRenderer.draw
    monkeypatch.setattr(CameraRenderer, "draw", lambda self, *rest: drawn.append(1) or draw(self, *rest))
    hub, pose = _Hub(), world.town.spawn_points[0].compose(Pose(z=2.0))
    noise = np.random.default_rng(0)
    outputs = tuple((number, image_output(kind, CAMERA, {}, noise)) for number, kind in ((7, RGB), (8, DEPTH)))

    async def play() -> None:
        worker = cameras.camera_worker(CAMERA, scene, hub, "camera-test")
        worker.submit(cameras.CameraJob(capture(world), pose, 5, 0.25, None, outputs))
        while len(hub.sent) < 2:
            await asyncio.sleep(0.005)
        worker.stop()

    asyncio.run(asyncio.wait_for(play(), 60.0))
    assert len(drawn) == 1
    assert [stream_id for stream_id, _ in hub.sent] == [7, 8]
    alone = CameraRenderer(scene.result()).render(capture(world), CAMERA, pose)
    picture = np.frombuffer(hub.sent[0][1], np.uint8, offset=64).reshape(16, 32, 4)
    np.testing.assert_array_equal(picture[..., 2::-1], alone.rgb)
