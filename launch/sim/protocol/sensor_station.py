"""Sensors of an episode: which stream each has, when it is due, and what goes out after a tick."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import Future
from dataclasses import astuple, dataclass, replace

from linkvla.launch.sim.errors import SpawnError
from linkvla.launch.sim.protocol import structs
from linkvla.launch.sim.protocol.camera_rigs import CameraRigs
from linkvla.launch.sim.protocol.cameras import CameraJob
from linkvla.launch.sim.protocol.debug_shapes import DebugShapes
from linkvla.launch.sim.protocol.environment import Environment
from linkvla.launch.sim.protocol.image_outputs import ImageOutput, image_output
from linkvla.launch.sim.protocol.scanners import ScanJob, scan_of, scan_worker
from linkvla.launch.sim.protocol.sensor_frames import (
    COLLISION,
    DVS,
    GNSS,
    IMU,
    LIDAR,
    OBSTACLE,
    RADAR,
    SEMANTIC_LIDAR,
    TYPE_OF_SENSOR,
    encode_measurement,
)
from linkvla.launch.sim.protocol.streams import StreamHub
from linkvla.launch.sim.protocol.street_lamps import StreetLamps
from linkvla.launch.sim.protocol.workers import FrameWorker
from linkvla.launch.sim.render.camera import Camera
from linkvla.launch.sim.render.capture import capture
from linkvla.launch.sim.render.debug_overlay import DebugLines
from linkvla.launch.sim.render.scene import TownScene
from linkvla.launch.sim.render.snapshot import SceneSnapshot
from linkvla.launch.sim.sensors import gnss, imu, obstacle
from linkvla.launch.sim.sensors.options import EventOptions, LidarOptions, RadarOptions, real, whole
from linkvla.launch.sim.sensors.ray_caster import SharedCaster
from linkvla.launch.sim.world.actors import Actor, Sensor
from linkvla.launch.sim.world.events import StepEvents
from linkvla.launch.sim.world.world import World

_CLOCK_SLACK_S = 1e-4
_LONG_AGO = -1e9
_SCANNERS = (LIDAR, SEMANTIC_LIDAR, RADAR)
LARGEST_IMAGE_SIDE = 8192
LARGEST_IMAGE = 1 << 25  # pixels


def camera_of(attributes: Mapping[str, str]) -> Camera:
    """The camera that a blueprint describes. Raises SimError for one that cannot be drawn."""
    width = whole(attributes, "image_size_x", 1, LARGEST_IMAGE_SIDE)
    height = whole(attributes, "image_size_y", 1, LARGEST_IMAGE_SIDE)
    if width * height > LARGEST_IMAGE:
        raise SpawnError(f"Spawn failed: image size {width}x{height}: at most {LARGEST_IMAGE} pixels")
    return Camera(width, height, real(attributes, "fov", 1.0, 170.0))


def check_sensor(type_id: str, attributes: Mapping[str, str]) -> None:
    """Raises SimError where the attributes of a sensor say what it cannot do. Other actors pass."""
    kind = TYPE_OF_SENSOR.get(type_id)
    if type_id.startswith("sensor.camera."):
        camera_of(attributes)
    if kind == DVS:
        EventOptions.read(attributes)
    elif kind in (LIDAR, SEMANTIC_LIDAR):
        LidarOptions.read(attributes, kind == SEMANTIC_LIDAR)
    elif kind == RADAR:
        RadarOptions.read(attributes)


@dataclass
class _Channel:
    sensor: Sensor
    kind: int
    stream_id: int
    sensor_tick: float  # s
    camera: Camera | None
    output: ImageOutput | None = None  # of a camera that is being read
    worker: FrameWorker | None = None  # of a camera or scanner that is being read
    last_sent: float = _LONG_AGO  # s


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
        self._rigs = CameraRigs(scene, hub)
        self._before = world.elapsed  # s, at the tick before
        self.rays = SharedCaster(scene)

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
        """Stop all threads."""
        for channel in self._channels.values():
            self._stop(channel)
        self._channels.clear()

    def _stop(self, channel: _Channel) -> None:
        """Nobody reads the channel any more; whoever does next gets a fresh start."""
        if channel.camera is not None:
            self._rigs.leave(channel.stream_id)
        elif channel.worker is not None:
            channel.worker.stop()
        channel.worker, channel.output, channel.last_sent = None, None, _LONG_AGO

    async def room(self) -> None:
        """Wait until every thread can take another frame."""
        for channel in list(self._channels.values()):
            if channel.worker is not None and channel.worker.full:
                await channel.worker.room()

    def publish(
        self,
        events: StepEvents,
        *,
        may_drop: bool,
        rendering: bool,
        environment: Environment,
        lamps: StreetLamps,
        debug: DebugShapes,
    ) -> None:
        """Send what the sensors measured in the tick that just ended, and hand the cameras their frames.

        Args:
            events: of the tick.
            environment, lamps, debug: what cameras must not see, what they see from dusk on, and what RGB cameras see
                on top.
            may_drop: asynchronous mode: whoever is too slow misses a frame.
            rendering: False in no-rendering mode, where cameras stay silent.
        """
        due = [channel for channel in self._channels.values() if self._is_read(channel)]
        for channel in due:
            if channel.kind == COLLISION:
                self._publish_collisions(channel, events, may_drop)
        due = [channel for channel in due if channel.kind != COLLISION and self._due(channel)]
        cameras = [channel for channel in due if channel.camera is not None]
        scanners = [channel for channel in due if channel.kind in _SCANNERS]
        snapshot = capture(self._world) if scanners or (cameras and rendering) else None
        if cameras and rendering:
            seen = replace(environment.veil(snapshot, self._scene.result()), street_lights=lamps.lights())
            self._publish_images(cameras, seen, debug.lines(), may_drop)
        for channel in scanners:
            self._publish_scan(channel, snapshot, may_drop)
        for channel in due:
            if channel.camera is None and channel.kind not in _SCANNERS:
                self._publish_measurement(channel, may_drop)
                channel.last_sent = self._world.elapsed
        self._before = self._world.elapsed

    def _is_read(self, channel: _Channel) -> bool:
        if self._hub.subscribers(channel.stream_id):
            return True
        if channel.worker is not None:
            self._stop(channel)
        return False

    def _publish_images(
        self, cameras: list[_Channel], snapshot: SceneSnapshot, lines: DebugLines | None, may_drop: bool
    ) -> None:
        """Hand the camera threads one job for each place from which somebody looks."""
        jobs: dict[tuple, list[_Channel]] = {}
        for channel in cameras:
            if channel.worker is None:
                sensor = channel.sensor
                channel.worker = self._rigs.join(channel.stream_id, channel.camera, sensor)
                channel.output = image_output(channel.kind, channel.camera, sensor.attributes, sensor.noise)
            jobs.setdefault((id(channel.worker), astuple(channel.sensor.pose)), []).append(channel)
        for channels in jobs.values():
            first = channels[0]
            if may_drop and first.worker.full:
                continue
            outputs = tuple((channel.stream_id, channel.output) for channel in channels)
            pose, world = first.sensor.pose.copy(), self._world
            first.worker.submit(CameraJob(snapshot, pose, world.frame, world.elapsed, lines, outputs))
            for channel in channels:
                channel.last_sent = world.elapsed

    def _publish_scan(self, channel: _Channel, snapshot: SceneSnapshot, may_drop: bool) -> None:
        sensor, world = channel.sensor, self._world
        if channel.worker is None:
            scan = scan_of(channel.kind, sensor.attributes, sensor.noise)
            channel.worker = scan_worker(scan, self.rays, self._hub, channel.stream_id)
        if may_drop and channel.worker.full:
            return
        since = self._before if channel.last_sent == _LONG_AGO else channel.last_sent
        duration, velocity = world.elapsed - since, sensor.velocity.copy()
        channel.worker.submit(ScanJob(snapshot, sensor.pose.copy(), velocity, duration, world.frame, world.elapsed))
        channel.last_sent = world.elapsed

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
