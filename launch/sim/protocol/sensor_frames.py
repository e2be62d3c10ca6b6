"""Bodies of the sensor streams. The client picks its decoder by the type number in the header; a mismatch aborts it."""

from __future__ import annotations

import struct

import cv2
import numpy as np

from linkvla.launch.sim.protocol.image_codes import depth_pixels
from linkvla.launch.sim.protocol.rpc import pack
from linkvla.launch.sim.protocol.streams import framed
from linkvla.launch.sim.render.camera import Camera
from linkvla.launch.sim.sensors.radar import Echoes
from linkvla.launch.sim.world.pose import Pose

HEADER = struct.Struct("<QQd6f")  # sensor type, frame, elapsed seconds, pose: 48 bytes
_LENGTH = struct.Struct("<I")
_IMAGE = struct.Struct("<IIf")  # width, height, horizontal field of view in degrees

COLLISION, DEPTH, NORMALS, DVS, GNSS, IMU, LANE_INVASION, OBSTACLE, OPTICAL_FLOW = 0, 1, 2, 3, 4, 5, 6, 7, 8
RADAR, SEMANTIC_LIDAR, LIDAR, RGB, SEMANTIC, INSTANCE, WORLD = 9, 10, 11, 13, 14, 15, 17

TYPE_OF_SENSOR = {
    "sensor.other.collision": COLLISION,
    "sensor.camera.depth": DEPTH,
    "sensor.camera.normals": NORMALS,
    "sensor.camera.dvs": DVS,
    "sensor.other.gnss": GNSS,
    "sensor.other.imu": IMU,
    "sensor.other.lane_invasion": LANE_INVASION,
    "sensor.other.obstacle": OBSTACLE,
    "sensor.camera.optical_flow": OPTICAL_FLOW,
    "sensor.other.radar": RADAR,
    "sensor.lidar.ray_cast_semantic": SEMANTIC_LIDAR,
    "sensor.lidar.ray_cast": LIDAR,
    "sensor.camera.rgb": RGB,
    "sensor.camera.semantic_segmentation": SEMANTIC,
    "sensor.camera.instance_segmentation": INSTANCE,
}
# Points as they are sent: metres in the sensor's frame.
LIDAR_POINT = np.dtype([("place", "<f4", 3), ("intensity", "<f4")])
SEMANTIC_POINT = np.dtype([("place", "<f4", 3), ("cosine", "<f4"), ("object", "<u4"), ("tag", "<u4")])
IMAGE_OFFSET = _LENGTH.size + HEADER.size + _IMAGE.size


def pack_header(message: bytearray, offset: int, kind: int, frame: int, elapsed: float, pose: Pose) -> None:
    """Write the 48-byte sensor header into ``message``."""
    HEADER.pack_into(message, offset, kind, frame, elapsed, pose.x, pose.y, pose.z, pose.pitch, pose.yaw, pose.roll)


def _message(kind: int, frame: int, elapsed: float, pose: Pose, body: bytes) -> bytes:
    """A framed message: the sensor header, then the body."""
    header = bytearray(HEADER.size)
    pack_header(header, 0, kind, frame, elapsed, pose)
    return framed(bytes(header) + body)


def encode_measurement(kind: int, frame: int, elapsed: float, pose: Pose, body: list) -> bytes:
    """A framed message of a sensor whose body is MessagePack (GNSS, IMU, collision, obstacle)."""
    return _message(kind, frame, elapsed, pose, pack(body))


def encode_lidar(
    kind: int, frame: int, elapsed: float, pose: Pose, angle: float, counts: np.ndarray, points: np.ndarray
) -> bytes:
    """A framed message of a lidar sweep.

    Args:
        kind: LIDAR or SEMANTIC_LIDAR.
        angle: radians that the lasers had turned.
        counts: (channels,) uint32 points of each channel.
        points: LIDAR_POINT or SEMANTIC_POINT, those of the first channel first.
    """
    body = struct.pack("<fI", angle, len(counts)) + counts.tobytes() + points.tobytes()
    return _message(kind, frame, elapsed, pose, body)


def encode_radar(frame: int, elapsed: float, pose: Pose, echoes: Echoes) -> bytes:
    """A framed message of a radar's detections."""
    columns = (echoes.velocity, echoes.azimuth, echoes.altitude, echoes.depth)
    return _message(RADAR, frame, elapsed, pose, np.column_stack(columns).astype("<f4").tobytes())


def encode_events(frame: int, elapsed: float, pose: Pose, camera: Camera, events: np.ndarray) -> bytes:
    """A framed message of an event camera; ``events`` are ``sensors.events.EVENT``."""
    body = _IMAGE.pack(camera.width, camera.height, camera.fov) + events.tobytes()
    return _message(DVS, frame, elapsed, pose, body)


class _GridMessage:
    """A reusable framed message with so many bytes for every pixel of an image."""

    def __init__(self, kind: int, width: int, height: int, fov: float, pixel_bytes: int) -> None:
        self._kind = kind
        body = HEADER.size + _IMAGE.size + pixel_bytes * width * height
        self.buffer = bytearray(_LENGTH.size + body)
        _LENGTH.pack_into(self.buffer, 0, body)
        _IMAGE.pack_into(self.buffer, _LENGTH.size + HEADER.size, width, height, fov)

    def stamp(self, frame: int, elapsed: float, pose: Pose) -> None:
        """Write the header of one frame."""
        pack_header(self.buffer, _LENGTH.size, self._kind, frame, elapsed, pose)


class FlowMessage(_GridMessage):
    """An optical-flow image; motion is written straight into ``flow`` (H, W, 2) float32."""

    def __init__(self, width: int, height: int, fov: float) -> None:
        super().__init__(OPTICAL_FLOW, width, height, fov, 8)
        self.flow = np.frombuffer(self.buffer, "<f4", offset=IMAGE_OFFSET).reshape(height, width, 2)


class ImageMessage(_GridMessage):
    """An image of four bytes a pixel; they are written straight into ``bgra`` (H, W, 4) uint8.

    Args:
        kind: RGB, DEPTH, SEMANTIC, INSTANCE or NORMALS.
        width, height: pixels.
        fov: horizontal field of view, degrees.
    """

    def __init__(self, kind: int, width: int, height: int, fov: float) -> None:
        super().__init__(kind, width, height, fov, 4)
        self.bgra = np.frombuffer(self.buffer, np.uint8, offset=IMAGE_OFFSET).reshape(height, width, 4)
        self.bgra[..., 3] = 255

    def put_rgb(self, rgb: np.ndarray) -> None:
        """Fill from an (H, W, 3) uint8 RGB image."""
        cv2.cvtColor(rgb, cv2.COLOR_RGB2BGRA, dst=self.bgra)

    def put_depth(self, inverse_depth: np.ndarray) -> None:
        """Fill from (H, W) float32 1/m along the viewing axis (0: nothing there)."""
        depth_pixels(inverse_depth, self.bgra)
