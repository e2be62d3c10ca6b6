"""Sensors of an episode: which stream each has, when it is due, and what goes out after a tick."""

from __future__ import annotations

from concurrent.futures import Future
from dataclasses import dataclass

from linkvla.launch.sim.protocol import structs
from linkvla.launch.sim.protocol.cameras import CameraWorker
from linkvla.launch.sim.protocol.debug_shapes import DebugShapes
from linkvla.launch.sim.protocol.envelope import MethodError
from linkvla.launch.sim.protocol.environment import Environment
from linkvla.launch.sim.protocol.sensor_frames import (
    COLLISION,
    GNSS,
    IMU,
    OBSTACLE,
    TYPE_OF_SENSOR,
    encode_measurement,
)
from linkvla.launch.sim.protocol.streams import StreamHub
from linkvla.launch.sim.render.camera import Camera
from linkvla.launch.sim.render.capture import capture
from linkvla.launch.sim.render.scene import TownScene
from linkvla.launch.sim.sensors import gnss, imu, obstacle
from linkvla.launch.sim.world.actors import Actor, Sensor
from linkvla.launch.sim.world.world import StepEvents, World

_CLOCK_SLACK_S = 1e-4
LARGEST_IMAGE_SIDE = 8192


def camera_of(attributes: dict[str, str]) -> Camera:
    """The camera that a blueprint describes. Raises MethodError for a size that cannot be drawn."""
    width, height = int(attributes["image_size_x"]), int(attributes["image_size_y"])
    fov = structs.number(attributes["fov"], "fov")
    if not (1 <= width <= LARGEST_IMAGE_SIDE and 1 <= height <= LARGEST_IMAGE_SIDE):
        raise MethodError(f"image size {width}x{height}: each side must be 1 to {LARGEST_IMAGE_SIDE} pixels")
    if not 1.0 <= fov <= 170.0:
        raise MethodError(f"camera fov is {fov:g} degrees; use 1 to 170")
    return Camera(width, height, fov)


@dataclass
class _Channel:
    sensor: Sensor
    kind: int
    stream_id: int
    sensor_tick: float  # s
    camera: Camera | None
    worker: CameraWorker | None = None
    last_sent: float = -1e9  # s


class SensorStation:
    """The sensors of one world.

    Args:
        world: whose sensors they are.
        scene: the town's triangles, perhaps still being built.
        hub: the streams.
    """

    def __init__(self, world: World, scene: Future[TownScene], hub: StreamHub) -> None:
        self._world = world
        self._scene = scene
        self._hub = hub
        self._channels: dict[int, _Channel] = {}

    def add(self, sensor: Sensor) -> None:
        """Give a newly spawned sensor its stream."""
        camera = camera_of(sensor.attributes) if sensor.type_id.startswith("sensor.camera.") else None
        tick = structs.number(sensor.attributes.get("sensor_tick", 0.0), "sensor_tick")
        kind = TYPE_OF_SENSOR[sensor.type_id]
        self._channels[sensor.id] = _Channel(sensor, kind, self._hub.new_stream(), tick, camera)

    def token(self, actor_id: int) -> bytes:
        """Stream token of a sensor, empty for any other actor."""
        channel = self._channels.get(actor_id)
        return self._hub.token(channel.stream_id) if channel else b""

    def prune(self) -> None:
        """Forget sensors that are no longer in the world. Their readers stay connected and hear nothing more."""
        for actor_id in [i for i in self._channels if i not in self._world.actors]:
            self._stop(self._channels.pop(actor_id))

    def close(self) -> None:
        """Stop all cameras."""
        for channel in self._channels.values():
            self._stop(channel)
        self._channels.clear()

    @staticmethod
    def _stop(channel: _Channel) -> None:
        if channel.worker is not None:
            channel.worker.stop()

    async def room(self) -> None:
        """Wait until every camera can take another frame."""
        for channel in list(self._channels.values()):
            if channel.worker is not None and channel.worker.full:
                await channel.worker.room()

    def publish(
        self, events: StepEvents, *, may_drop: bool, rendering: bool, environment: Environment, debug: DebugShapes
    ) -> None:
        """Send what the sensors measured in the tick that just ended, and hand the cameras their frames.

        Args:
            events: of the tick.
            environment, debug: what cameras must not see, and what RGB cameras see on top.
            may_drop: asynchronous mode: whoever is too slow misses a frame.
            rendering: False in no-rendering mode, where cameras stay silent.
        """
        snapshot = lines = None
        for channel in self._channels.values():
            readers = self._hub.subscribers(channel.stream_id)
            if not readers:
                if channel.worker is not None:
                    channel.worker.stop()
                    channel.worker = None
                continue
            if channel.kind == COLLISION:
                self._publish_collisions(channel, events, may_drop)
                continue
            if not self._due(channel):
                continue
            if channel.camera is None:
                self._publish_measurement(channel, may_drop)
            elif rendering:
                if channel.worker is None:
                    channel.worker = CameraWorker(
                        channel.sensor.type_id, channel.camera, self._scene, self._hub, channel.stream_id
                    )
                if may_drop and channel.worker.full:
                    continue
                if snapshot is None:
                    snapshot = environment.veil(capture(self._world), self._scene.result())
                    lines = debug.lines()
                pose = channel.sensor.pose.copy()
                channel.worker.submit(snapshot, pose, self._world.frame, self._world.elapsed, lines)
            channel.last_sent = self._world.elapsed

    def _due(self, channel: _Channel) -> bool:
        return self._world.elapsed - channel.last_sent >= channel.sensor_tick - _CLOCK_SLACK_S

    def _publish_measurement(self, channel: _Channel, may_drop: bool) -> None:
        sensor = channel.sensor
        if channel.kind == GNSS:
            body = [float(part) for part in gnss.measure(self._world, sensor)]
        elif channel.kind == IMU:
            acceleration, gyroscope, compass = imu.measure(self._world, sensor)
            body = [acceleration, gyroscope, float(compass)]
        elif channel.kind == OBSTACLE:
            hit = obstacle.measure(self._world, sensor)
            if hit is None:
                return
            body = [self._encode(sensor.parent_id), self._encode(hit[0]), float(hit[1])]
        else:  # lane invasion is computed by the client
            return
        self._send(channel, body, may_drop)

    def _publish_collisions(self, channel: _Channel, events: StepEvents, may_drop: bool) -> None:
        own_id = channel.sensor.parent_id
        for collision in events.collisions:
            if collision.actor_id == own_id:
                body = [self._encode(own_id), self._encode(collision.other_id, collision.other_type), collision.impulse]
                self._send(channel, body, may_drop)

    def _send(self, channel: _Channel, body: list, may_drop: bool) -> None:
        world = self._world
        message = encode_measurement(channel.kind, world.frame, world.elapsed, channel.sensor.pose, body)
        self._hub.send(channel.stream_id, message, may_drop=may_drop)

    def _encode(self, actor_id: int, scenery: str = "") -> list:
        actor: Actor | None = self._world.actors.get(actor_id)
        return structs.encode_actor(actor) if actor else structs.encode_scenery(scenery or "static.building")
