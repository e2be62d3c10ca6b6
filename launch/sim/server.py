"""Sockets, clock and shutdown of the embedded CARLA server."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import signal
import sys
from collections.abc import Callable
from pathlib import Path

from linkvla.launch.sim.protocol import (  # noqa: F401  (the methods_* modules register their RPC methods on import)
    methods_actors,
    methods_batch,
    methods_bones,
    methods_lights,
    methods_navigation,
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
from linkvla.launch.sim.settings import SimSettings
from linkvla.launch.sim.sockets import bind, bind_near, bind_view, port_error
from linkvla.launch.sim.view.page import ViewServer
from linkvla.launch.sim.world.town import Town

_THREAD_SWITCH_S = 0.0005  # camera threads must not hold up an RPC reply


class SimServer:
    """One embedded server.

    Args:
        settings: ports, folders and seed.
        town: loaded first.

    Raises:
        SimError: a port that was asked for is in use.
    """

    def __init__(self, settings: SimSettings, town: Town) -> None:
        self._settings = settings
        self._town = town
        self._rpc_socket = bind(settings.host, settings.port)
        self.host, self.port = self._rpc_socket.getsockname()[:2]
        self._stream_socket = bind_near(settings.host, self.port + 1)
        self._view = ViewServer(bind_view(settings.view_port, self.port)) if settings.view else None

    @property
    def view_address(self) -> str | None:
        """Where the live page is; None without one."""
        return self._view.address if self._view is not None else None

    async def run(self, on_ready: Callable[[], None]) -> None:
        """Serve until SIGINT or SIGTERM. ``on_ready`` is called once clients can connect and cameras are compiled."""
        loop = asyncio.get_running_loop()
        stop = asyncio.Event()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, stop.set)
        sys.setswitchinterval(_THREAD_SWITCH_S)
        hub = StreamHub(self._stream_socket.getsockname()[1])
        simulation = self._simulation(hub)
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
                if self._view is not None:
                    await self._view.start(simulation, self.host, self.port)
                on_ready()
                await self._until_first(tasks)
        finally:
            for task in tasks:
                task.cancel()
            if server is not None:
                server.close()
            if self._view is not None:
                self._view.close()
            hub.close()
            simulation.close()
            self._rpc_socket.close()
            self._stream_socket.close()

    def _simulation(self, hub: StreamHub) -> Simulation:
        chosen = self._settings
        directories = tuple(Path(directory) for directory in chosen.towns)
        return Simulation(self._town, directories, chosen.seed, hub, chosen.recordings)

    async def _listen(self, simulation: Simulation) -> asyncio.AbstractServer:
        try:
            return await asyncio.get_running_loop().create_server(
                lambda: RpcConnection(simulation), sock=self._rpc_socket, backlog=128
            )
        except OSError as error:
            raise port_error(self.host, self.port, error) from error

    @staticmethod
    async def _until_first(tasks: list[asyncio.Task]) -> None:
        finished, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in finished:
            with contextlib.suppress(asyncio.CancelledError):
                task.result()  # a crash of the clock or of the stream socket ends the server with its traceback
