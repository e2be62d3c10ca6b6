"""Cameras: one thread per camera that somebody reads, drawing from snapshots that the tick hands over.

In synchronous mode no frame is ever dropped: a tick waits while a camera still has ``MAX_PENDING`` frames to draw.
The tick's reply does not wait for its own frames.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import queue
import threading
from concurrent.futures import Future
from dataclasses import dataclass

import numpy as np

from linkvla.launch.sim.protocol import structs
from linkvla.launch.sim.protocol.sensor_frames import DEPTH, RGB, TYPE_OF_SENSOR, ImageMessage
from linkvla.launch.sim.protocol.streams import StreamHub
from linkvla.launch.sim.render.camera import Camera, CameraRenderer
from linkvla.launch.sim.render.debug_overlay import DebugLines, draw_lines
from linkvla.launch.sim.render.materials import Material
from linkvla.launch.sim.render.scene import TownScene
from linkvla.launch.sim.render.snapshot import SceneSnapshot
from linkvla.launch.sim.world.pose import Pose

logger = logging.getLogger(__name__)

MAX_PENDING = 2

_LABELS = {
    "SKY": structs.SKY,
    "GROUND": structs.TERRAIN,
    "ROAD": structs.ROADS,
    "SIDEWALK": structs.SIDEWALKS,
    "LANE_LINE": structs.ROAD_LINES,
    "CROSSWALK": structs.ROAD_LINES,
    "STOP_LINE": structs.ROAD_LINES,
    "BUILDING": structs.BUILDINGS,
    "VEGETATION": structs.VEGETATION,
    "POLE": structs.POLES,
    "LAMP_RED": structs.TRAFFIC_LIGHT,
    "LAMP_YELLOW": structs.TRAFFIC_LIGHT,
    "LAMP_GREEN": structs.TRAFFIC_LIGHT,
    "LAMP_OFF": structs.TRAFFIC_LIGHT,
    "VEHICLE": structs.CAR,
    "BRAKE_LAMP": structs.CAR,
    "WHEEL": structs.CAR,
    "WALKER": structs.PEDESTRIANS,
    "STOP_SIGN": structs.TRAFFIC_SIGNS,
    "PROP": structs.DYNAMIC,
}


def label_table() -> np.ndarray:
    """(256,) uint8: CityObjectLabel of each renderer material."""
    table = np.full(256, structs.STATIC, np.uint8)
    for material in Material:
        table[int(material)] = _LABELS.get(material.name, structs.STATIC)
    return table


@dataclass(frozen=True)
class _Job:
    snapshot: SceneSnapshot
    pose_in_world: Pose
    frame: int
    elapsed: float  # s
    debug: DebugLines | None


class CameraWorker:
    """Draws one camera sensor and sends its frames.

    Args:
        type_id: ``sensor.camera.rgb``, ``.depth`` or ``.semantic_segmentation``.
        camera: image size and field of view.
        scene: the town's static triangles, perhaps still being built.
        hub, stream_id: where frames go.
    """

    def __init__(self, type_id: str, camera: Camera, scene: Future[TownScene], hub: StreamHub, stream_id: int) -> None:
        self._kind = TYPE_OF_SENSOR[type_id]
        self._camera = camera
        self._scene = scene
        self._hub = hub
        self._stream_id = stream_id
        self._loop = asyncio.get_running_loop()
        self._jobs: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._pending = 0
        self._room = asyncio.Event()
        self._room.set()
        self._stopped = False
        self._thread = threading.Thread(target=self._run, name=f"camera-{stream_id}", daemon=True)
        self._thread.start()

    @property
    def full(self) -> bool:
        """No room for another frame now."""
        return self._pending >= MAX_PENDING

    async def room(self) -> None:
        """Wait until another frame can be handed over."""
        await self._room.wait()

    def submit(
        self, snapshot: SceneSnapshot, pose_in_world: Pose, frame: int, elapsed: float, debug: DebugLines | None
    ) -> None:
        """Event loop only. Queue one frame; ``debug`` lines are drawn over an RGB picture."""
        self._pending += 1
        if self.full:
            self._room.clear()
        self._jobs.put(_Job(snapshot, pose_in_world, frame, elapsed, debug))

    def stop(self) -> None:
        """Event loop only. Let go of the thread; frames that are still queued are not drawn."""
        self._stopped = True
        self._room.set()
        self._jobs.put(None)

    def _finished(self) -> None:
        self._pending -= 1
        self._room.set()

    def _run(self) -> None:
        try:
            renderer = CameraRenderer(self._scene.result())
        except Exception:
            logger.exception("camera stream %d cannot start", self._stream_id)
            renderer = None
        message = ImageMessage(self._kind, self._camera.width, self._camera.height, self._camera.fov)
        labels = label_table()
        while (job := self._jobs.get()) is not None and not self._stopped:
            try:
                if renderer is not None:
                    self._draw(renderer, message, labels, job)
            except Exception:
                logger.exception("camera stream %d lost frame %d", self._stream_id, job.frame)
            with contextlib.suppress(RuntimeError):  # the loop may be gone at shutdown
                self._loop.call_soon_threadsafe(self._finished)

    def _draw(self, renderer: CameraRenderer, message: ImageMessage, labels: np.ndarray, job: _Job) -> None:
        image = renderer.render(job.snapshot, self._camera, job.pose_in_world)
        message.stamp(job.frame, job.elapsed, job.pose_in_world)
        if self._kind == RGB:
            if job.debug is not None:
                draw_lines(image, self._camera, job.pose_in_world, job.debug)
            message.put_rgb(image.rgb)
        elif self._kind == DEPTH:
            message.put_depth(image.inverse_depth)
        else:
            message.put_labels(labels[image.material])
        for subscriber in self._hub.subscribers(self._stream_id):
            subscriber.write_blocking(memoryview(message.buffer))
