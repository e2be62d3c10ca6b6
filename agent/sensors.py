"""The sensors of the agent, and what remains of them when one fails for a while."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np

CAMERA, IMU, GNSS, SPEED = "rgb_0", "imu", "gps", "speed"

_LONGEST_HOLD = 10  # ticks (0.5 s) that an old camera frame or speed may still be driven on


def sensor_specs(camera: Any, reduced: bool = False) -> list[dict[str, Any]]:
    """The leaderboard's specifications of SimLingo's sensors.

    Args:
        camera: the rig of the checkpoint, with x, y, z (m, ego frame), width, height (pixels) and fov (degrees).
        reduced: camera and GNSS only, all of these that scenario_runner knows; see ``instruments``.
    """
    level = {"roll": 0.0, "pitch": 0.0, "yaw": 0.0}
    origin = {"x": 0.0, "y": 0.0, "z": 0.0}
    lens = {"width": int(camera.width), "height": int(camera.height), "fov": float(camera.fov)}
    place = {"x": float(camera.x), "y": float(camera.y), "z": float(camera.z)}
    outside = [
        {"type": "sensor.camera.rgb", "id": CAMERA, **place, **level, **lens},
        {"type": "sensor.other.gnss", "id": GNSS, **origin, **level, "sensor_tick": 0.01},
    ]
    inside = [
        {"type": "sensor.other.imu", "id": IMU, **origin, **level, "sensor_tick": 0.05},
        {"type": "sensor.speedometer", "id": SPEED, "reading_frequency": 20},
    ]
    return outside if reduced else outside + inside


def instruments(ego: Any) -> dict[str, tuple[int, Any]]:
    """Speedometer and IMU by the leaderboard's conventions, read off the vehicle itself: all but its accelerations."""
    velocity, transform = ego.get_velocity(), ego.get_transform()
    forward = transform.get_forward_vector()
    speed = velocity.x * forward.x + velocity.y * forward.y + velocity.z * forward.z
    unknown = [math.nan] * 6
    compass = math.radians(transform.rotation.yaw) + math.pi / 2
    return {SPEED: (0, {"speed": speed}), IMU: (0, np.array([*unknown, compass]))}


@dataclass(frozen=True)
class SensorFrame:
    """One tick of measurements, gaps filled."""

    image: np.ndarray | None  # (H, W, 3) uint8 RGB; None before the first frame
    fix: np.ndarray | None  # (2,) latitude and longitude in degrees; None when this tick has no usable one
    compass: float | None  # rad, 0 = north, clockwise; None before the first usable value
    speed: float  # m/s, never negative, to 0.1 m/s as SimLingo's prompt and controllers take it
    fresh: bool  # image and speed are at most 0.5 s old


class SensorReader:
    """Turns the evaluator's data into a ``SensorFrame``; holds the last good value of what is missing or NaN."""

    def __init__(self) -> None:
        self._image: np.ndarray | None = None
        self._compass: float | None = None
        self._speed = 0.0
        self._image_age = self._speed_age = _LONGEST_HOLD + 1

    def read(self, input_data: dict[str, tuple[int, Any]]) -> SensorFrame:
        """``input_data``: {id: (frame, payload)} with the leaderboard's payloads; any of them may be absent."""
        payload = {tag: data for tag, (_, data) in input_data.items()}
        image = _rgb(payload.get(CAMERA))
        self._image_age = 0 if image is not None else self._image_age + 1
        self._image = image if image is not None else self._image
        speed = payload.get(SPEED)
        speed = _finite(speed.get("speed")) if isinstance(speed, dict) else None
        self._speed_age = 0 if speed is not None else self._speed_age + 1
        self._speed = round(max(0.0, speed), 1) if speed is not None else self._speed
        imu = _numbers(payload.get(IMU))
        compass = _finite(imu[-1]) if len(imu) else None
        self._compass = compass if compass is not None else self._compass
        fresh = max(self._image_age, self._speed_age) <= _LONGEST_HOLD
        return SensorFrame(self._image, _fix(payload.get(GNSS)), self._compass, self._speed, fresh)


def _rgb(data: Any) -> np.ndarray | None:
    """A BGRA camera payload as RGB, or None where it is not an image."""
    if not isinstance(data, np.ndarray) or data.ndim != 3 or data.dtype != np.uint8:
        return None
    if data.shape[2] not in (3, 4) or not data.size:
        return None
    return cv2.cvtColor(data, cv2.COLOR_BGRA2RGB if data.shape[2] == 4 else cv2.COLOR_BGR2RGB)


def _fix(data: Any) -> np.ndarray | None:
    """(2,) latitude and longitude, or None."""
    fix = _numbers(data)[:2]
    return fix if len(fix) == 2 and np.isfinite(fix).all() else None


def _numbers(data: Any) -> np.ndarray:
    """(n,) float64; empty where the data are missing or of another kind."""
    try:
        return np.asarray(data, float).reshape(-1) if data is not None else np.zeros(0)
    except (TypeError, ValueError):
        return np.zeros(0)


def _finite(value: Any) -> float | None:
    """A finite float, or None."""
    numbers = _numbers(value)
    return float(numbers[0]) if len(numbers) == 1 and math.isfinite(numbers[0]) else None
