"""A tour of CARLA's RPC protocol with the real 0.9.16 client: every method called, every answer checked.

    python -m tests.system.protocol_tour --host 127.0.0.1 --port 2000

It runs against the embedded server and against a real CARLA server alike. What either may decline (textures, V2X,
ROS) must be declined with an error that reaches the caller. It loads worlds and leaves the server asynchronous.
"""

from __future__ import annotations

import argparse
import socket
import sys
import time
import traceback
from collections.abc import Callable

import carla
import msgpack

STEP_S = 0.05
TIMEOUT_S = 30.0


class RawClient:
    """MessagePack-RPC by hand, for the methods that no call of the Python client reaches."""

    def __init__(self, host: str, port: int) -> None:
        self._socket = socket.create_connection((host, port), timeout=TIMEOUT_S)
        self._reader = msgpack.Unpacker(raw=False, strict_map_key=False)
        self._number = 0

    def call(self, method: str, *arguments: object) -> tuple[object, object]:
        """(error, result) of the reply."""
        self._number += 1
        self._socket.sendall(msgpack.packb([0, self._number, method, [[False], *arguments]]))
        while True:
            for kind, number, error, result in self._reader:
                if (kind, number) == (1, self._number):
                    return error, result
            data = self._socket.recv(1 << 16)
            assert data, f"the server closed the connection at {method}"
            self._reader.feed(data)

    def close(self) -> None:
        """Hang up."""
        self._socket.close()


class Tour:
    """What the stops of the tour share."""

    def __init__(self, host: str, port: int) -> None:
        self.client = carla.Client(host, port)
        self.client.set_timeout(TIMEOUT_S)
        self.raw = RawClient(host, port)
        self.world = self.client.get_world()
        self.enter()

    def enter(self) -> None:
        """Take the present world and its clock, and put a car on the road."""
        self.world = self.client.get_world()
        self.synchronous(True)
        self.map = self.world.get_map()
        self.blueprints = self.world.get_blueprint_library()
        self.places = self.map.get_spawn_points()
        self.car = self.spawn("vehicle.lincoln.mkz_2020", 0)
        self.walker: carla.Walker | None = None
        self.tick(2)

    def synchronous(self, on: bool) -> None:
        """Our clock, or the server's."""
        settings = self.world.get_settings()
        settings.synchronous_mode = on
        settings.fixed_delta_seconds = STEP_S
        self.world.apply_settings(settings)

    def tick(self, count: int = 1) -> int:
        """So many ticks; the last frame."""
        for _ in range(count):
            frame = self.world.tick()
        return frame

    def spawn(self, type_id: str, place: int | carla.Transform, parent: carla.Actor | None = None) -> carla.Actor:
        """At a spawn point, or at a transform."""
        where = self.places[place] if isinstance(place, int) else place
        return self.world.spawn_actor(self.blueprints.find(type_id), where, attach_to=parent)

    def a_walker(self) -> carla.Walker:
        """The tour's walker, off the car's path."""
        if self.walker is None:
            where = carla.Transform(self.places[1].location + carla.Location(z=0.6))
            self.walker = self.spawn("walker.pedestrian.0001", where)
            self.tick(2)
        return self.walker

    def park(self) -> None:
        """The car at its place, at rest."""
        self.car.set_transform(self.places[0])
        self.car.set_target_velocity(carla.Vector3D())
        self.car.set_target_angular_velocity(carla.Vector3D())
        self.car.apply_control(carla.VehicleControl(brake=1.0))
        self.tick(5)

    def done(self) -> None:
        """Hand the clock back."""
        self.synchronous(False)
        self.raw.close()


def answered_or_refused(call: Callable, *arguments: object) -> object:
    """The answer, or None when the server declines with an error text."""
    try:
        return call(*arguments)
    except RuntimeError as error:
        assert str(error).strip(), "an error without a text"
        assert "time-out" not in str(error), error
        return None


def close_to(value: float, wanted: float, slack: float = 0.05) -> bool:
    """Within ``slack``."""
    return abs(value - wanted) <= slack


def stops() -> list[Callable[[Tour], None]]:
    """All stops, in their order."""
    from tests.system import protocol_tour_actors, protocol_tour_world

    return [*protocol_tour_world.STOPS, *protocol_tour_actors.STOPS, *protocol_tour_world.LAST_STOPS]


def run(host: str, port: int, say: Callable[[str], None] = print) -> list[str]:
    """Make the tour; the names of the stops that failed, with their reasons."""
    tour, failures = Tour(host, port), []
    try:
        for stop in stops():
            started = time.monotonic()
            try:
                stop(tour)
                say(f"ok    {time.monotonic() - started:6.2f} s  {stop.__name__}")
            except Exception as error:  # the tour goes on, and its report names what failed
                failures.append(f"{stop.__name__}: {type(error).__name__}: {error}")
                say(f"FAIL  {time.monotonic() - started:6.2f} s  {stop.__name__}\n{traceback.format_exc()}")
    finally:
        tour.done()
    return failures


def main(arguments: list[str] | None = None) -> int:
    """Parse the command line and make the tour; 1 when a stop failed."""
    parser = argparse.ArgumentParser(description="Calls every RPC method of CARLA 0.9.16 and checks the answers.")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=2000)
    options = parser.parse_args(arguments)
    failures = run(options.host, options.port)
    print(f"{len(failures)} of {len(stops())} stops failed")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
