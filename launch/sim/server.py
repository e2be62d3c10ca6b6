"""Sockets, clock and shutdown of the embedded CARLA server."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import gc
import signal
import socket
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from linkvla.launch.sim.errors import SimError
from linkvla.launch.sim.protocol import (  # noqa: F401  (the methods_* modules register their RPC methods on import)
    methods_actors,
    methods_batch,
    methods_bones,
    methods_lights,
    methods_rays,
    methods_recorder,
    methods_scenery,
    methods_session,
    methods_traffic_manager,
    methods_vehicles,
)
from linkvla.launch.sim.protocol.rpc import RpcConnection
from linkvla.launch.sim.protocol.simulation import Simulation
from linkvla.launch.sim.protocol.streams import StreamHub
from linkvla.launch.sim.world.town import Town

_THREAD_SWITCH_S = 0.0005  # camera threads must not hold up an RPC reply


def bind(host: str, port: int) -> socket.socket:
    """A bound TCP socket that does not listen yet. Raises SimError when the port cannot be had."""
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
    except (OSError, OverflowError) as error:
        listener.close()
        raise _port_error(host, port, error) from error
    return listener


def bind_streams(host: str, rpc_port: int) -> socket.socket:
    """The stream socket: CARLA's customary next port, or any free one; clients learn it from tokens."""
    try:
        listener = bind(host, rpc_port + 1)
        listener.listen(128)
    except (SimError, OSError):
        listener = bind(host, 0)
        listener.listen(128)
    listener.setblocking(False)
    return listener


def _port_error(host: str, port: int, error: Exception) -> SimError:
    if getattr(error, "errno", None) == errno.EADDRINUSE:
        return SimError(f"port {port} on {host} is in use: stop the server that has it, or choose another with --port")
    return SimError(f"cannot listen on {host}:{port} ({error}): choose another host or port")


class SimServer:
    """One embedded server.

    Args:
        host, port: of the RPC socket. Port 0 takes any free one.
        town: loaded first.
        directories: where further towns are looked for.
        seed: of scenery and world.
        recordings: folder of recordings; None: a temporary one.
    """

    def __init__(
        self,
        host: str,
        port: int,
        town: Town,
        directories: Sequence[Path],
        seed: int,
        recordings: Path | None = None,
    ) -> None:
        self._rpc_socket = bind(host, port)
        self.host, self.port = self._rpc_socket.getsockname()[:2]
        self._stream_socket = bind_streams(host, self.port)
        self._town = town
        self._directories = directories
        self._seed = seed
        self._recordings = recordings

    async def run(self, on_ready: Callable[[], None]) -> None:
        """Serve until SIGINT or SIGTERM. ``on_ready`` is called once clients can connect and cameras are compiled."""
        loop = asyncio.get_running_loop()
        stop = asyncio.Event()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, stop.set)
        sys.setswitchinterval(_THREAD_SWITCH_S)
        hub = StreamHub(self._stream_socket.getsockname()[1])
        simulation = Simulation(self._town, self._directories, self._seed, hub, self._recordings)
        tasks = [loop.create_task(stop.wait())]
        server = None
        try:
            await asyncio.wait([asyncio.wrap_future(simulation.scene), *tasks], return_when=asyncio.FIRST_COMPLETED)
            if not stop.is_set():
                simulation.scene.result()
                simulation.warm_up()
                gc.freeze()
                server = await self._listen(simulation)
                tasks += [loop.create_task(hub.accept(self._stream_socket)), loop.create_task(simulation.run_freely())]
                tasks.append(loop.create_task(simulation.traffic_managers.watch()))
                on_ready()
                await self._until_first(tasks)
        finally:
            for task in tasks:
                task.cancel()
            if server is not None:
                server.close()
            hub.close()
            simulation.close()
            self._rpc_socket.close()
            self._stream_socket.close()

    async def _listen(self, simulation: Simulation) -> asyncio.AbstractServer:
        try:
            return await asyncio.get_running_loop().create_server(
                lambda: RpcConnection(simulation), sock=self._rpc_socket, backlog=128
            )
        except OSError as error:
            raise _port_error(self.host, self.port, error) from error

    @staticmethod
    async def _until_first(tasks: list[asyncio.Task]) -> None:
        finished, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in finished:
            with contextlib.suppress(asyncio.CancelledError):
                task.result()  # a crash of the clock or of the stream socket ends the server with its traceback
