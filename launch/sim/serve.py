"""``serve``: the embedded CARLA server as one blocking call."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from pathlib import Path

from linkvla.launch.sim.errors import SimError

DEFAULT_PORT = 2000
DEFAULT_TOWN = "Maple"


@dataclass(frozen=True)
class SimSettings:
    """How to run the server. Raises SimError for values that cannot work."""

    port: int = DEFAULT_PORT  # 0: any free port
    towns: tuple[Path, ...] = ()  # directories of further .xodr towns, searched before the shipped ones
    town: str = DEFAULT_TOWN
    host: str = "127.0.0.1"
    seed: int = 0  # of scenery and world
    recordings: Path | None = None  # the one folder in which clients may record and replay; None: a temporary one

    def __post_init__(self) -> None:
        if not 0 <= self.port <= 65534:
            raise SimError(f"port {self.port}: use 1 to 65534, or 0 for any free port")
        for directory in self.towns:
            if not Path(directory).is_dir():
                raise SimError(f"towns directory {directory} does not exist: name a directory with .xodr files")
        if self.recordings is not None and not Path(self.recordings).is_dir():
            raise SimError(f"recordings directory {self.recordings} does not exist: make it, or name another")


def serve(settings: SimSettings) -> None:
    """Run the server until SIGINT or SIGTERM; prints one line when it is ready.

    Raises:
        TownError: unknown or unreadable town.
        SimError: the port is in use.
    """
    # numba and the carla wheel are imported only when a server really starts
    from linkvla.launch.sim.server import SimServer, bind
    from linkvla.launch.sim.world.town_loader import load_town

    bind(settings.host, settings.port).close()  # a taken port is reported before the town is read
    directories = tuple(Path(directory) for directory in settings.towns)
    town = load_town(settings.town, directories)
    server = SimServer(settings.host, settings.port, town, directories, settings.seed, settings.recordings)

    def announce() -> None:
        print(f"linkvla sim: listening on {server.host}:{server.port}, town {town.name}", flush=True)

    asyncio.run(server.run(announce))
