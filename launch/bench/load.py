"""What benchmarks and soaks put on a server: cars of the client's own TrafficManager and a camera, in lockstep."""

from __future__ import annotations

import queue
import random
from collections.abc import Sequence
from types import TracebackType

import carla

STEP_S = 0.05
CLIENT_TIMEOUT_S = 120.0
FRAME_TIMEOUT_S = 60.0


class LostFrameError(Exception):
    """A tick's picture did not come, or came for another tick."""


class Load:
    """Cars and a camera in the present world, in synchronous mode. A context manager: what it placed goes with it.

    Args:
        client: connected.
        traffic_manager_port: for the client's TrafficManager.
        cars: how many are wanted; ``placed`` says how many the town had room for.
        size: of the camera's pictures, (width, height) px.
        seed: of the choice of places and of the TrafficManager.
    """

    def __init__(
        self, client: carla.Client, traffic_manager_port: int, cars: int, size: tuple[int, int], seed: int
    ) -> None:
        self._client, self._port, self._seed = client, traffic_manager_port, seed
        self.world = client.get_world()
        self._synchronous(True)
        self._manager = client.get_trafficmanager(traffic_manager_port)
        self._manager.set_synchronous_mode(True)
        self._manager.set_random_device_seed(seed)
        self._ids = self._place(cars)
        self._pictures: queue.Queue[carla.Image] = queue.Queue()
        self._camera = self._mount(size)
        self._camera.listen(self._pictures.put)

    @property
    def placed(self) -> int:
        """Cars that drive."""
        return len(self._ids)

    @property
    def cars(self) -> Sequence[int]:
        """Ids of the cars, in the order in which they were placed."""
        return tuple(self._ids)

    def _synchronous(self, on: bool) -> None:
        settings = self.world.get_settings()
        settings.synchronous_mode = on
        settings.fixed_delta_seconds = STEP_S if on else None
        self.world.apply_settings(settings)

    def _place(self, cars: int) -> list[int]:
        library = self.world.get_blueprint_library().filter("vehicle.*")
        models = sorted((m for m in library if m.get_attribute("base_type") == "car"), key=lambda model: model.id)
        points = self.world.get_map().get_spawn_points()
        random.Random(self._seed).shuffle(points)
        commands = carla.command
        batch = [
            commands.SpawnActor(models[number % len(models)], point).then(
                commands.SetAutopilot(commands.FutureActor, True, self._port)
            )
            for number, point in enumerate(points[:cars])
        ]
        answers = self._client.apply_batch_sync(batch, True)
        return [answer.actor_id for answer in answers if not answer.has_error()]

    def _mount(self, size: tuple[int, int]) -> carla.Sensor:
        blueprint = self.world.get_blueprint_library().find("sensor.camera.rgb")
        for name, value in (("image_size_x", size[0]), ("image_size_y", size[1]), ("fov", 110)):
            blueprint.set_attribute(name, str(value))
        roof = carla.Transform(carla.Location(x=-1.5, z=2.0))
        car = self.world.get_actor(self._ids[0]) if self._ids else None
        return self.world.spawn_actor(blueprint, roof, attach_to=car)

    def tick(self) -> carla.Image:
        """Advance one tick and wait for its picture. Raises LostFrameError; one that comes late is not taken for the
        next tick's.
        """
        frame = self.world.tick(CLIENT_TIMEOUT_S)
        try:
            picture = self._pictures.get(timeout=FRAME_TIMEOUT_S)
            while picture.frame < frame:
                picture = self._pictures.get(timeout=FRAME_TIMEOUT_S)
        except queue.Empty:
            raise LostFrameError(f"no picture of frame {frame} within {FRAME_TIMEOUT_S:g} s") from None
        if picture.frame != frame:
            raise LostFrameError(f"frame {frame} was ticked, the picture is of frame {picture.frame}")
        return picture

    def __enter__(self) -> Load:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is not None and issubclass(kind, RuntimeError):
            return  # the server is gone or hangs: every further call would wait for its time-out
        self._camera.stop()
        self._camera.destroy()
        commands = [carla.command.DestroyActor(actor_id) for actor_id in self._ids]
        self._manager.shut_down()  # first: its thread crashes the client when cars go from under it
        self._client.apply_batch_sync(commands, True)
        self._synchronous(False)


def connect(host: str, port: int) -> carla.Client:
    """A client with a patient time-out."""
    client = carla.Client(host, port)
    client.set_timeout(CLIENT_TIMEOUT_S)
    return client
