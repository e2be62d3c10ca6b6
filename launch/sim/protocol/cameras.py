"""Cameras: one thread for all cameras of one size at one place, drawing once for all of them."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass

from linkvla.launch.sim.protocol.image_outputs import ImageOutput, Picture
from linkvla.launch.sim.protocol.stages import RENDER, STREAM, stage
from linkvla.launch.sim.protocol.streams import StreamHub
from linkvla.launch.sim.protocol.workers import FrameWorker
from linkvla.launch.sim.render.bands import BandCrew, usable_cores
from linkvla.launch.sim.render.camera import Camera, CameraRenderer
from linkvla.launch.sim.render.debug_overlay import DebugLines
from linkvla.launch.sim.render.scene import TownScene
from linkvla.launch.sim.render.snapshot import SceneSnapshot
from linkvla.launch.sim.world.pose import Pose

PAINTERS = BandCrew(min(2, usable_cores()), lambda: stage(RENDER))
"""For all cameras of this process. More than two gain little: each one goes through all triangles."""


@dataclass(frozen=True)
class CameraJob:
    """One drawing, and who gets what of it."""

    snapshot: SceneSnapshot
    pose_in_world: Pose
    frame: int
    elapsed: float  # s
    debug: DebugLines | None  # drawn over RGB pictures
    outputs: tuple[tuple[int, ImageOutput], ...]  # stream id, what it sends


def camera_worker(camera: Camera, scene: Future[TownScene], hub: StreamHub, name: str) -> FrameWorker[CameraJob]:
    """A thread that draws ``CameraJob`` of one camera size.

    Args:
        camera: image size and field of view.
        scene: the town's static triangles, perhaps still being built.
        hub: where frames go.
        name: of the thread.
    """

    def prepare() -> Callable[[CameraJob], None]:
        renderer = CameraRenderer(scene.result(), PAINTERS)

        def draw(job: CameraJob) -> None:
            with stage(RENDER):
                drawing = renderer.draw(job.snapshot, camera, job.pose_in_world)
                picture = Picture(renderer, drawing, job.debug)
            for stream_id, output in job.outputs:
                with stage(RENDER):
                    message = output(picture, job.frame, job.elapsed)
                with stage(STREAM):
                    hub.send_blocking(stream_id, message)

        return draw

    return FrameWorker(name, prepare)
