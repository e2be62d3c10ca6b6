"""One embedded server per test module, and the real CARLA client."""

from __future__ import annotations

import queue
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import carla
import pytest

from linkvla.launch.carla_server.process import SimServer

STEP_S = 0.05
TIMEOUT_S = 20.0


@pytest.fixture(scope="module")
def server() -> Iterator[SimServer]:
    """A server of its own for each module, in the held-out town."""
    with SimServer(town="Maple") as running:
        yield running


@pytest.fixture(scope="module")
def client(server: SimServer) -> carla.Client:
    """The unmodified client."""
    connected = carla.Client(server.host, server.port)
    connected.set_timeout(TIMEOUT_S)
    return connected


def synchronous(world: carla.World, on: bool = True) -> None:
    """Switch the world's clock to ours, or let it run by itself."""
    settings = world.get_settings()
    settings.synchronous_mode = on
    settings.fixed_delta_seconds = STEP_S
    world.apply_settings(settings)


@pytest.fixture
def world(client: carla.Client) -> Iterator[carla.World]:
    """The present world in synchronous mode; whatever a test spawns is gone after it."""
    present = client.get_world()
    synchronous(present)
    present.tick()
    before = {actor.id for actor in present.get_actors()}
    yield present
    present = client.get_world()  # a test may have loaded another
    present.tick()  # only a tick makes what was just spawned visible
    leftovers = [actor for actor in present.get_actors() if actor.id not in before]
    client.apply_batch_sync([carla.command.DestroyActor(actor) for actor in leftovers], True)


@pytest.fixture
def spawn(world: carla.World) -> Callable[..., carla.Actor]:
    """Spawn by type id at a spawn point (by number) or transform."""

    def do(type_id: str, place: int | carla.Transform = 0, attach_to: carla.Actor | None = None, **attributes: object):
        blueprint = world.get_blueprint_library().find(type_id)
        for name, value in attributes.items():
            blueprint.set_attribute(name, str(value))
        if isinstance(place, int):
            place = world.get_map().get_spawn_points()[place]
        return world.spawn_actor(blueprint, place, attach_to=attach_to)

    return do


@contextmanager
def listening(sensor: carla.Sensor) -> Iterator[queue.Queue]:
    """Collect what a sensor sends."""
    received: queue.Queue = queue.Queue()
    sensor.listen(received.put)
    try:
        yield received
    finally:
        sensor.stop()
