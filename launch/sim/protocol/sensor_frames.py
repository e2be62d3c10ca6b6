"""Bodies of the sensor streams. The client picks its decoder by the type number in the header; a mismatch aborts it."""

from __future__ import annotations

import struct

import cv2
import numpy as np

from linkvla.launch.sim.protocol.rpc import pack
from linkvla.launch.sim.protocol.streams import framed
from linkvla.launch.sim.world.pose import Pose

HEADER = struct.Struct("<QQd6f")  # sensor type, frame, elapsed seconds, pose: 48 bytes
_LENGTH = struct.Struct("<I")
_IMAGE = struct.Struct("<IIf")  # width, height, horizontal field of view in degrees

COLLISION, DEPTH, GNSS, IMU, LANE_INVASION, OBSTACLE, RGB, SEMANTIC, WORLD = 0, 1, 4, 5, 6, 7, 13, 14, 17

TYPE_OF_SENSOR = {
    "sensor.other.collision": COLLISION,
    "sensor.camera.depth": DEPTH,
    "sensor.other.gnss": GNSS,
    "sensor.other.imu": IMU,
    "sensor.other.lane_invasion": LANE_INVASION,
    "sensor.other.obstacle": OBSTACLE,
    "sensor.camera.rgb": RGB,
    "sensor.camera.semantic_segmentation": SEMANTIC,
}
FULL_DEPTH_CODE = (1 << 24) - 1
FARTHEST_DEPTH_M = 1000.0  # what a depth camera encodes as white
IMAGE_OFFSET = _LENGTH.size + HEADER.size + _IMAGE.size


def pack_header(message: bytearray, offset: int, kind: int, frame: int, elapsed: float, pose: Pose) -> None:
    """Write the 48-byte sensor header into ``message``."""
    HEADER.pack_into(message, offset, kind, frame, elapsed, pose.x, pose.y, pose.z, pose.pitch, pose.yaw, pose.roll)


def encode_measurement(kind: int, frame: int, elapsed: float, pose: Pose, body: list) -> bytes:
    """A framed message of a sensor whose body is MessagePack (GNSS, IMU, collision, obstacle)."""
    header = bytearray(HEADER.size)
    pack_header(header, 0, kind, frame, elapsed, pose)
    return framed(bytes(header) + pack(body))


class ImageMessage:
    """A reusable framed image message; pixels are written straight into it.

    Args:
        kind: RGB, DEPTH or SEMANTIC.
        width, height: pixels.
        fov: horizontal field of view, degrees.
    """

    def __init__(self, kind: int, width: int, height: int, fov: float) -> None:
        self._kind = kind
        body = HEADER.size + _IMAGE.size + 4 * width * height
        self.buffer = bytearray(_LENGTH.size + body)
        _LENGTH.pack_into(self.buffer, 0, body)
        _IMAGE.pack_into(self.buffer, _LENGTH.size + HEADER.size, width, height, fov)
        self.bgra = np.frombuffer(self.buffer, np.uint8, offset=IMAGE_OFFSET).reshape(height, width, 4)
        self.bgra[..., 3] = 255

    def stamp(self, frame: int, elapsed: float, pose: Pose) -> None:
        """Write the header of one frame."""
        pack_header(self.buffer, _LENGTH.size, self._kind, frame, elapsed, pose)

    def put_rgb(self, rgb: np.ndarray) -> None:
        """Fill from an (H, W, 3) uint8 RGB image."""
        cv2.cvtColor(rgb, cv2.COLOR_RGB2BGRA, dst=self.bgra)

    def put_depth(self, inverse_depth: np.ndarray) -> None:
        """Fill from (H, W) float32 1/m (0: nothing there) in CARLA's 24-bit code: R + 256 G + 65536 B, full scale
        1000 m.
        """
        nearest = np.maximum(inverse_depth, 1.0 / FARTHEST_DEPTH_M, dtype=np.float64)
        code = (FULL_DEPTH_CODE / FARTHEST_DEPTH_M / nearest + 0.5).astype(np.uint32)
        self.bgra[..., 2] = code & 255
        self.bgra[..., 1] = (code >> 8) & 255
        self.bgra[..., 0] = code >> 16

    def put_labels(self, labels: np.ndarray) -> None:
        """Fill from (H, W) uint8 CityObjectLabel; CARLA carries it in the red channel."""
        self.bgra[..., :2] = 0
        self.bgra[..., 2] = labels
