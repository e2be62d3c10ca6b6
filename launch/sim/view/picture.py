"""The live page's camera: behind a vehicle, where its own camera is, or the spectator's view."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import cv2
import numpy as np

from linkvla.launch.sim.protocol.sensor_station import camera_of
from linkvla.launch.sim.protocol.workers import FrameWorker
from linkvla.launch.sim.render.camera import Camera, CameraRenderer
from linkvla.launch.sim.render.capture import capture
from linkvla.launch.sim.render.scene import TownScene
from linkvla.launch.sim.render.snapshot import SceneSnapshot
from linkvla.launch.sim.view.scene_json import camera_on, ego_of
from linkvla.launch.sim.world.actors import Vehicle, Walker
from linkvla.launch.sim.world.pose import Pose

if TYPE_CHECKING:
    from linkvla.launch.sim.protocol.simulation import Simulation

WIDTH, HEIGHT, FOV = 800, 450, 90.0  # px, px, degrees
PERIOD_S = 0.1  # between pictures
FORGET_S = 20.0  # without a look: the renderer's memory is given back
_QUALITY = 82  # of the JPEG, 0..100
_TIMEOUT_S = 10.0
SENSOR, SPECTATOR = "sensor", "spectator"


@dataclass(frozen=True)
class _Job:
    snapshot: SceneSnapshot
    pose_in_world: Pose
    fov: float  # degrees
    drawn: asyncio.Future[bytes | None]


class LivePicture:
    """Draws at most one picture at a time, at most ten a second, and only when somebody asks.

    Args:
        simulation: whose world is shown.
    """

    def __init__(self, simulation: Simulation) -> None:
        self._simulation = simulation
        self._loop = asyncio.get_running_loop()
        self._scene: Future[TownScene] | None = None
        self._worker: FrameWorker[_Job] | None = None
        self._turn = asyncio.Lock()  # one picture at a time, for all pages together
        self._latest: tuple[tuple[str, int], float, bytes | None] = ("", 0), -PERIOD_S, None
        self._drawn: asyncio.Future[bytes | None] | None = None
        self._forget: asyncio.TimerHandle | None = None

    async def take(self, view: str, actor_id: int) -> bytes | None:
        """A JPEG picture; the previous one where it is fresh enough. None where none could be drawn.

        Args:
            view: "sensor": from the RGB camera that rides on the actor; "spectator"; anything else: from behind.
            actor_id: whom to follow; 0 or somebody who is gone: the ego vehicle.
        """
        wanted, asked = (view, actor_id), self._loop.time()
        async with self._turn:
            known, since, picture = self._latest
            if known == wanted and asked - since < PERIOD_S:
                return picture
            await asyncio.sleep(since + PERIOD_S - self._loop.time())
            since, drawn = self._loop.time(), self._submit(view, actor_id)
            await asyncio.wait([drawn], timeout=_TIMEOUT_S)
            picture = drawn.result() if drawn.done() and not drawn.cancelled() else None
            self._latest = wanted, since, picture
            return picture

    def _submit(self, view: str, actor_id: int) -> asyncio.Future[bytes | None]:
        simulation = self._simulation
        self._look_at(simulation.scene)
        pose, fov = self._stand(view, actor_id)
        self._drawn = self._loop.create_future()
        veiled = simulation.environment.veil(capture(simulation.world), simulation.scene.result())
        snapshot = replace(veiled, street_lights=simulation.lamps.lights())
        self._worker.submit(_Job(snapshot, pose, fov, self._drawn))
        return self._drawn

    def _look_at(self, scene: Future[TownScene]) -> None:
        """Have a thread for this scene, until nobody has looked for a while."""
        if self._scene is not scene:
            self.close()
            self._scene, self._worker = scene, FrameWorker("live-picture", lambda: _painter(scene.result(), self._loop))
        if self._forget is not None:
            self._forget.cancel()
        self._forget = self._loop.call_later(FORGET_S, self.close)

    def _stand(self, view: str, actor_id: int) -> tuple[Pose, float]:
        world = self._simulation.world
        actor = world.actors.get(actor_id)
        if not isinstance(actor, (Vehicle, Walker)):
            actor = ego_of(world)
        if actor is None or view == SPECTATOR:
            return world.spectator.pose.copy(), FOV
        camera = camera_on(world, actor) if view == SENSOR else None
        if camera is not None:
            return camera.pose.copy(), camera_of(camera.attributes).fov
        back, up = -3.2 * actor.box.half_x - 0.8, 2.6 * actor.box.half_z + 0.8
        heading = Pose(actor.pose.x, actor.pose.y, actor.pose.z, yaw=actor.pose.yaw)
        return heading.compose(Pose(back, 0.0, up, pitch=-14.0)), FOV

    def close(self) -> None:
        """Give the thread and its memory back; whoever waits for a picture gets none."""
        if self._worker is not None:
            self._worker.stop()
        if self._drawn is not None:
            self._drawn.cancel()
        self._worker = self._scene = self._drawn = None


def _painter(scene: TownScene, loop: asyncio.AbstractEventLoop) -> Callable[[_Job], None]:
    renderer = CameraRenderer(scene)

    def paint(job: _Job) -> None:
        picture = None
        try:
            frame = renderer.render(job.snapshot, Camera(WIDTH, HEIGHT, job.fov), job.pose_in_world)
            shown = np.ascontiguousarray(frame.rgb[:, :, ::-1])
            picture = cv2.imencode(".jpg", shown, [cv2.IMWRITE_JPEG_QUALITY, _QUALITY])[1].tobytes()
        finally:
            with contextlib.suppress(RuntimeError):  # the loop may be gone at shutdown
                loop.call_soon_threadsafe(_hand_over, job.drawn, picture)

    return paint


def _hand_over(drawn: asyncio.Future[bytes | None], picture: bytes | None) -> None:
    if not drawn.done():
        drawn.set_result(picture)
