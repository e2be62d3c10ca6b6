"""A drive in the simulator as teaching data: what the camera saw now and then, and what the teacher would do."""

from __future__ import annotations

import contextlib
import math
import random
import threading
from dataclasses import replace
from typing import Any

import carla
import numpy as np

from linkvla.launch.collection.closed_loop.teacher import Teacher
from linkvla.launch.collection.closed_loop.wheel import Wheel
from linkvla.launch.collection.frames import noisy_guidance, weigh
from linkvla.launch.collection.navigation import SparsePlan
from linkvla.model.data.recording import Record, Tag
from linkvla.model.data.view import CameraRig, make_view

_HELD_EVERY = 2.0  # s, the same while nothing moves
_STANDING, _STAYS = 0.2, 1.0  # m/s of the ego; m at the end of the plan
_ASIDE, _ASIDE_WEIGHT = 0.7, 3.0  # m off the route where a detour begins to count; how much it counts


class Eye:
    """A camera of the lesson's own, which draws only when a frame is due. ``camera``: the sensor.

    ``view_shape``: rows and columns of what is kept. ``every``: simulated seconds from one frame to the next.
    """

    def __init__(
        self, world: carla.World, ego: carla.Actor, rig: CameraRig, view_shape: tuple[int, int], every: float
    ) -> None:
        self._rig, self._view_shape, self._lock = rig, view_shape, threading.Lock()
        self._views: list[tuple[int, np.ndarray]] = []
        blueprint = world.get_blueprint_library().find("sensor.camera.rgb")
        for name, value in (("image_size_x", rig.width), ("image_size_y", rig.height), ("fov", rig.fov)):
            blueprint.set_attribute(name, str(value))
        blueprint.set_attribute("sensor_tick", str(every))
        place = carla.Transform(carla.Location(rig.x, rig.y, rig.z))
        self.camera = world.spawn_actor(blueprint, place, attach_to=ego)
        self.camera.listen(self._receive)

    def _receive(self, image: carla.Image) -> None:
        pixels = np.frombuffer(image.raw_data, np.uint8).reshape(image.height, image.width, 4)
        view = make_view(pixels[:, :, 2::-1], self._view_shape, aspect=self._rig.width / self._rig.height)
        with self._lock:
            self._views.append((image.frame, view))

    def take(self) -> list[tuple[int, np.ndarray]]:
        """(frame, (*view_shape, 3) uint8 view) of all that have come since."""
        with self._lock:
            views, self._views = self._views, []
        return views


class Lesson(Teacher):
    """An agent that teaches: ``records`` fill up while ``wheel`` drives.

    Args:
        host, port: of the simulator.
        wheel: who steers.
        rng: of the noise of localisation.
        rig: the camera.
        view_shape: rows and columns of what is kept of its pictures.
        extra: tag bits (see ``Tag``) of all records.
    """

    def __init__(
        self,
        host: str,
        port: int,
        wheel: Wheel,
        rng: random.Random,
        rig: CameraRig,
        view_shape: tuple[int, int],
        extra: int = 0,
    ) -> None:
        super().__init__(host, port)
        self._wheel, self._rng, self._rig, self._view_shape, self._extra = wheel, rng, rig, view_shape, extra
        self.records: list[Record] = []
        self.plans: tuple[Any, Any] | None = None
        self._moments: dict[int, Record] = {}  # without a view yet, by frame
        self._last_held = -math.inf
        self._eye: Eye | None = None
        self._feeler: carla.Sensor | None = None
        self.hit = False
        """Whether the ego has touched something."""

    @property
    def over(self) -> bool:
        """Whether the drive has nothing more to teach."""
        return self.hit or self._wheel.over

    def set_global_plan(self, global_plan_gps: list, global_plan_world_coord: list) -> None:
        """Keep both formats, for who steers."""
        self.plans = global_plan_gps, global_plan_world_coord
        super().set_global_plan(global_plan_gps, global_plan_world_coord)

    def setup(self, path_to_conf_file: str) -> None:
        """Also get whoever steers ready."""
        super().setup(path_to_conf_file)
        self._specs = self._wheel.attach(self)

    def sensors(self) -> list[dict[str, Any]]:
        """Those of whoever steers."""
        return self._specs

    def run_step(self, input_data: dict[str, tuple[int, Any]], timestamp: float) -> carla.VehicleControl:
        """Plan, keep what a frame of this tick would teach, and let the wheel decide."""
        wanted = super().run_step(input_data, timestamp)
        self._collect()
        frame = self._world.get_snapshot().frame
        self._moments[frame] = self._moment()
        return self._wheel.steer(self, wanted, input_data, timestamp)

    def destroy(self) -> None:
        """Also take down what the lesson has put up; a dead simulator is not an error here."""
        if self._eye is not None:
            self._collect()
        for sensor in (self._feeler, None if self._eye is None else self._eye.camera):
            with contextlib.suppress(RuntimeError):
                if sensor is not None:
                    sensor.stop()
                    sensor.destroy()
        self._wheel.close()
        super().destroy()

    def _prepare(self) -> None:
        super()._prepare()
        self._sparse_plan = SparsePlan(self.route)
        self._town = self._world.get_map().name.rpartition("/")[2]
        self._eye = Eye(self._world, self._ego, self._rig, self._view_shape, self._wheel.every)
        feeler = self._world.get_blueprint_library().find("sensor.other.collision")
        self._feeler = self._world.spawn_actor(feeler, carla.Transform(), attach_to=self._ego)
        self._feeler.listen(self._touch)

    def _touch(self, event: carla.CollisionEvent) -> None:
        self.hit = True

    def _collect(self) -> None:
        """Pictures come in their order, however late: what lies before one of them has none."""
        for frame, view in self._eye.take():
            moment = self._moments.get(frame)
            if moment is not None and self._is_news(moment, frame):
                self.records.append(replace(moment, view=view))
            self._moments = {number: one for number, one in self._moments.items() if number > frame}

    def _is_news(self, moment: Record, frame: int) -> bool:
        """Whether the frame shows more than the one before: a car that waits sees the same for long."""
        stays = moment.speed < _STANDING and moment.speed_waypoints_in_ego[-1, 0] < _STAYS
        if stays and (frame - self._last_held) * 0.05 < _HELD_EVERY:
            return False
        self._last_held = frame if stays else -math.inf
        return True

    def _moment(self) -> Record:
        plan, speed = self.last_plan, round(self.speed, 1)
        guidance = noisy_guidance(self._sparse_plan, self.arc, self.pose, self._rng)
        starts = speed < 0.5 and np.hypot(*plan.speed_waypoints_in_ego[-1]) > 2.5
        tag = self._extra | (Tag.START if starts else 0)
        tag |= Tag.JUNCTION if self.route.is_junction[self.route.index_at(self.arc)] else 0
        return Record(
            view=None,
            presence=None,
            inverse_depth=None,
            path_in_ego=plan.path_in_ego,
            speed_waypoints_in_ego=plan.speed_waypoints_in_ego,
            speed=speed,
            command=guidance.command,
            next_command=guidance.next_command,
            distance_to_command=guidance.distance_to_command,
            target_points_in_ego=guidance.target_points_in_ego,
            tag=int(tag),
            weight=weigh(plan, speed) * (_ASIDE_WEIGHT if self.aside > _ASIDE else 1.0),
            town=self._town,
        )
