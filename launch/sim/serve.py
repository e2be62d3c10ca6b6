"""``serve``: the embedded CARLA server as one blocking call."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from pathlib import Path

from linkvla.launch.sim.log import open_log
from linkvla.launch.sim.settings import SimSettings
from linkvla.launch.sim.sockets import bind, bind_view

logger = logging.getLogger(__name__)


def serve(settings: SimSettings) -> None:
    """Run the server until SIGINT or SIGTERM.

    Two lines go to standard output, one when clients can connect and one at the end; the log goes to standard error.

    Raises:
        TownError: unknown or unreadable town.
        SimError: a port is in use.
    """
    open_log(settings.log_level)
    with contextlib.suppress(KeyboardInterrupt):  # before the loop has its own handler
        _serve(settings)
    print("linkvla sim: stopped", flush=True)


def _serve(settings: SimSettings) -> None:
    from linkvla.launch.sim.world.town_loader import load_town, town_file  # late, for it brings numpy

    started = time.monotonic()
    bind(settings.host, settings.port).close()  # what cannot work is said at once
    if settings.view:
        bind_view(settings.view_port, settings.port).close()
    directories = tuple(Path(directory) for directory in settings.towns)
    town_file(settings.town, directories)
    logger.info("starting with town %s (the first start on a machine compiles for a minute)", settings.town)
    from linkvla.launch.sim.server import SimServer  # later still, for it brings numba and the carla wheel

    town = load_town(settings.town, directories)
    server = SimServer(settings, town)

    def announce() -> None:
        logger.info("ready after %.1f s", time.monotonic() - started)
        if server.view_address is not None:
            print(f"linkvla sim: live view at {server.view_address}", flush=True)
        print(f"linkvla sim: listening on {server.host}:{server.port}, town {town.name}", flush=True)

    asyncio.run(server.run(announce))
