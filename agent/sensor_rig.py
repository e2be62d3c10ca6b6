"""An agent's sensors on the ego, set up and read as the leaderboard does it.

Payloads: camera uint8 (H, W, 4) BGRA; lidar float32 (N, 4); radar float32 (N, 4); GNSS float64 (3,) lat, lon (deg),
alt (m); IMU float64 (7,) acceleration (m/s^2), gyroscope (rad/s), compass (rad); speedometer ``{"speed": m/s}``; map
``{"opendrive": str}``. Each goes to ``agent.sensor_interface.update_sensor(id, payload, frame)``.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import Any

import carla
import numpy as np

from linkvla.model.interface.errors import ServerError

_FIXED = {
    "sensor.camera.rgb": {
        "lens_circle_multiplier": "3.0",
        "lens_circle_falloff": "3.0",
        "chromatic_aberration_intensity": "0.5",
        "chromatic_aberration_offset": "0",
    },
    "sensor.lidar.ray_cast": {
        "range": "85",
        "rotation_frequency": "10",
        "channels": "64",
        "upper_fov": "10",
        "lower_fov": "-30",
        "points_per_second": "600000",
        "atmosphere_attenuation_rate": "0.004",
        "dropoff_general_rate": "0.45",
        "dropoff_intensity_limit": "0.8",
        "dropoff_zero_intensity": "0.4",
    },
    "sensor.other.radar": {"points_per_second": "1500", "range": "100"},
    "sensor.other.gnss": {f"noise_{axis}_stddev": "5e-06" for axis in ("alt", "lat", "lon")}
    | {f"noise_{axis}_bias": "0.0" for axis in ("alt", "lat", "lon")},
    "sensor.other.imu": {
        "noise_accel_stddev_x": "0.001",
        "noise_accel_stddev_y": "0.001",
        "noise_accel_stddev_z": "0.015",
        "noise_gyro_stddev_x": "0.001",
        "noise_gyro_stddev_y": "0.001",
        "noise_gyro_stddev_z": "0.001",
    },
}
_FROM_SPEC = {
    "sensor.camera.rgb": {"image_size_x": "width", "image_size_y": "height", "fov": "fov"},
    "sensor.other.radar": {"horizontal_fov": "horizontal_fov", "vertical_fov": "vertical_fov"},
}
_PSEUDO = ("sensor.speedometer", "sensor.opendrive_map")


class SensorSilence(ServerError):
    """A sensor did not deliver its frame in time: the simulation, not the agent, has failed."""


class SensorRig:
    """Spawns the sensors of ``specs`` on the ego and passes their data on.

    Args:
        world: the running world.
        ego: what the sensors are attached to.
        specs: the agent's ``sensors()``.
        interface: the agent's ``sensor_interface``.
    """

    def __init__(self, world: carla.World, ego: carla.Actor, specs: Sequence[dict], interface: Any) -> None:
        self._interface = interface
        self._condition = threading.Condition()
        self._latest: dict[str, int] = {}  # frame last delivered by each real sensor
        self._speedometers: list[str] = []
        self._maps: list[tuple[str, str]] = []
        self._actors: list[carla.Sensor] = []
        self.camera: np.ndarray | None = None  # (H, W, 4) uint8 BGRA, latest frame of the first camera
        self._camera_tag = next((spec["id"] for spec in specs if spec["type"] == "sensor.camera.rgb"), None)
        library = world.get_blueprint_library()
        try:
            for spec in specs:
                self._add(world, ego, spec, library)
        except BaseException:
            self.close()
            raise

    def _add(self, world: carla.World, ego: carla.Actor, spec: dict, library: carla.BlueprintLibrary) -> None:
        tag, type_id = spec["id"], spec["type"]
        if type_id in _PSEUDO:
            self._interface.register_sensor(tag, type_id, self)
            if type_id == "sensor.speedometer":
                self._speedometers.append(tag)
            else:
                self._maps.append((tag, world.get_map().to_opendrive()))
            return
        blueprint = library.find(type_id)
        attributes = dict(_FIXED[type_id])
        attributes |= {name: str(spec[key]) for name, key in _FROM_SPEC.get(type_id, {}).items()}
        attributes["role_name"] = tag
        for name, value in attributes.items():
            if name != "role_name" or blueprint.has_attribute(name):
                blueprint.set_attribute(name, value)
        rotates = type_id != "sensor.other.gnss"
        location = carla.Location(*(float(spec.get(axis, 0.0)) for axis in ("x", "y", "z")))
        rotation = carla.Rotation(
            *(float(spec.get(axis, 0.0)) if rotates else 0.0 for axis in ("pitch", "yaw", "roll"))
        )
        sensor = world.spawn_actor(blueprint, carla.Transform(location, rotation), attach_to=ego)
        self._actors.append(sensor)
        self._interface.register_sensor(tag, type_id, sensor)
        self._latest[tag] = -1
        sensor.listen(self._callback(tag, self._converter(tag, type_id)))

    def _converter(self, tag: str, type_id: str) -> Callable[[Any], np.ndarray]:
        if type_id != "sensor.camera.rgb":
            return _CONVERTERS[type_id]
        keep = tag == self._camera_tag

        def convert(image: carla.Image) -> np.ndarray:
            # The client owns the buffer only during the callback: this is the one copy.
            frame = np.frombuffer(image.raw_data, dtype=np.uint8).reshape(image.height, image.width, 4).copy()
            if keep:
                self.camera = frame
            return frame

        return convert

    def _callback(self, tag: str, convert: Callable[[Any], np.ndarray]) -> Callable[[Any], None]:
        def receive(data: Any) -> None:
            frame = data.frame
            self._interface.update_sensor(tag, convert(data), frame)
            with self._condition:
                self._latest[tag] = max(frame, self._latest[tag])
                self._condition.notify_all()

        return receive

    def publish(self, frame: int, forward_speed: float) -> None:
        """Deliver the pseudo sensors of a tick; ``forward_speed`` in m/s."""
        for tag in self._speedometers:
            self._interface.update_sensor(tag, {"speed": forward_speed}, frame)
        for tag, text in self._maps:
            self._interface.update_sensor(tag, {"opendrive": text}, frame)

    def wait(self, frame: int, timeout: float = 10.0) -> None:
        """Wait until every sensor has delivered ``frame``.

        Raises:
            SensorSilence: some sensor did not, within ``timeout`` seconds.
        """
        with self._condition:
            if not self._condition.wait_for(lambda: all(last >= frame for last in self._latest.values()), timeout):
                silent = ", ".join(sorted(tag for tag, last in self._latest.items() if last < frame))
                raise SensorSilence(
                    f"no data of frame {frame} from {silent} within {timeout:g} s; does the simulator still run?"
                )

    def close(self) -> None:
        """Stop and destroy the sensors; a dead simulator is not an error here."""
        actors, self._actors = self._actors, []
        for sensor in actors:
            try:
                sensor.stop()
                sensor.destroy()
            except RuntimeError:  # the simulator is gone, and the sensors with it
                return


def _points(data: Any) -> np.ndarray:
    return np.frombuffer(data.raw_data, dtype=np.float32).reshape(-1, 4).copy()


def _radar(data: carla.RadarMeasurement) -> np.ndarray:
    return _points(data)[:, ::-1]


def _gnss(data: carla.GnssMeasurement) -> np.ndarray:
    return np.array([data.latitude, data.longitude, data.altitude], dtype=np.float64)


def _imu(data: carla.IMUMeasurement) -> np.ndarray:
    a, g = data.accelerometer, data.gyroscope
    return np.array([a.x, a.y, a.z, g.x, g.y, g.z, data.compass], dtype=np.float64)


_CONVERTERS: dict[str, Callable[[Any], np.ndarray]] = {
    "sensor.lidar.ray_cast": _points,
    "sensor.other.radar": _radar,
    "sensor.other.gnss": _gnss,
    "sensor.other.imu": _imu,
}
