"""Which cameras share a thread: those of one size that were at one place when they began to be read."""

from __future__ import annotations

from concurrent.futures import Future
from dataclasses import dataclass, field

from linkvla.launch.sim.protocol.cameras import CameraJob, camera_worker
from linkvla.launch.sim.protocol.streams import StreamHub
from linkvla.launch.sim.protocol.workers import FrameWorker
from linkvla.launch.sim.render.camera import Camera
from linkvla.launch.sim.render.scene import TownScene
from linkvla.launch.sim.world.actors import Sensor


@dataclass
class _Rig:
    camera: Camera
    worker: FrameWorker[CameraJob]
    members: dict[int, Sensor] = field(default_factory=dict)  # by stream id


class CameraRigs:
    """The camera threads of one world. A camera that is moved away from the others keeps its thread; only the drawing
    is then no longer shared.
    """

    def __init__(self, scene: Future[TownScene], hub: StreamHub) -> None:
        self._scene = scene
        self._hub = hub
        self._rigs: list[_Rig] = []

    def join(self, stream_id: int, camera: Camera, sensor: Sensor) -> FrameWorker[CameraJob]:
        """The thread that draws for a camera from now on."""
        for rig in self._rigs:
            if rig.camera == camera and all(member.pose == sensor.pose for member in rig.members.values()):
                break
        else:
            worker = camera_worker(camera, self._scene, self._hub, f"camera-{stream_id}")
            rig = _Rig(camera, worker)
            self._rigs.append(rig)
        rig.members[stream_id] = sensor
        return rig.worker

    def leave(self, stream_id: int) -> None:
        """A camera is not read any more; a thread without cameras ends."""
        for rig in self._rigs:
            if rig.members.pop(stream_id, None) is not None and not rig.members:
                rig.worker.stop()
        self._rigs = [rig for rig in self._rigs if rig.members]
