"""Ports for simulators on this machine.

A CARLA server takes ``port`` (RPC) and ``port + 1`` (sensor streams), and its clients assume ``port + 2`` to be its own
too; the client's TrafficManager listens on a port of its own choice. So each server gets a block of ten ports, and the
TrafficManager's port lies in the same block. Who needs a block leases it: a locked file per block keeps our other
programs off it, from before the server listens until after it has ended, and is unlocked by the system when its holder
dies.
"""

from __future__ import annotations

import contextlib
import os
import socket
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from linkvla.launch.carla_server.errors import PortError

BLOCK = 10
"""Ports per server."""

SERVER_PORTS = (0, 1, 2)
"""Offsets that the server itself uses."""

TRAFFIC_MANAGER_OFFSET = 5

FIRST_PORT, LAST_PORT = 20_000, 32_000
"""Searched range; below Linux's ephemeral ports (32768-60999), which the system hands to any client."""


def is_free(port: int, host: str = "127.0.0.1") -> bool:
    """Whether ``port`` can be bound on ``host`` right now."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return False
    return True


def free_port(host: str = "127.0.0.1", first: int = FIRST_PORT) -> int:
    """First port of a block that nobody has leased and of which a server and its TrafficManager can take all they need.

    Call it inside ``port_lock`` and hold the lock until the server listens, or take a lease: otherwise two callers may
    get one block.

    Raises:
        PortError: no block between ``first`` and ``LAST_PORT`` is free.
    """
    offsets = (*SERVER_PORTS, TRAFFIC_MANAGER_OFFSET)
    for port in range(first, LAST_PORT, BLOCK):
        if all(is_free(port + offset, host) for offset in offsets) and not _leased(port):
            return port
    raise PortError(f"no free port between {first} and {LAST_PORT}; stop servers that are no longer needed")


def check_free(port: int, host: str = "127.0.0.1") -> None:
    """Raise PortError unless a server can take ``port``."""
    if not 1024 <= port <= 65_525:
        raise PortError(f"port {port} cannot be used; choose one between 1024 and 65525, or leave it out")
    taken = [port + offset for offset in SERVER_PORTS if not is_free(port + offset, host)]
    if taken:
        raise PortError(
            f"port {taken[0]} on {host} is in use (a server needs {port} to {port + SERVER_PORTS[-1]}); "
            "stop the program that holds it, choose another port, or leave the port out"
        )


class PortLease:
    """A block of ports that is ours until it is closed, or until this process ends.

    Args:
        first: where the search begins.
        host: address that the ports are tested on.

    Raises:
        PortError: no block is free.
    """

    def __init__(self, first: int = FIRST_PORT, host: str = "127.0.0.1") -> None:
        with port_lock():
            self.port = free_port(host, first)
            self.traffic_manager_port = self.port + TRAFFIC_MANAGER_OFFSET
            self._file: IO[str] | None = try_lock(_block_file(self.port))

    def close(self) -> None:
        """Give the block back. May be called more than once."""
        file, self._file = self._file, None
        if file is not None:
            file.close()

    def __enter__(self) -> PortLease:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()


@contextlib.contextmanager
def port_lock() -> Iterator[None]:
    """One process of this user at a time may look for a free block. Released by the system if its holder dies."""
    with _lock_folder().joinpath("search.lock").open("a") as handle:
        try:
            import fcntl
        except ImportError:  # not a POSIX system: the search is then a race, which check_free makes visible
            yield
            return
        fcntl.flock(handle, fcntl.LOCK_EX)
        try:
            yield
        finally:
            fcntl.flock(handle, fcntl.LOCK_UN)


def _leased(port: int) -> bool:
    """Whether somebody holds the block's file. Only inside ``port_lock``: the test takes the lock for a moment."""
    file = try_lock(_block_file(port))
    if file is None:
        return True
    file.close()
    return False


def try_lock(path: Path) -> IO[str] | None:
    """The file, open and locked; None if another process holds it. Closed, or with its holder dead, it is unlocked."""
    file = path.open("a")
    try:
        import fcntl
    except ImportError:  # as above
        return file
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        file.close()
        return None
    return file


def _block_file(port: int) -> Path:
    return _lock_folder() / f"{port - port % BLOCK}.lock"


def _lock_folder() -> Path:
    folder = Path(tempfile.gettempdir()) / f"linkvla-ports-{_user()}"
    folder.mkdir(exist_ok=True)
    return folder


def _user() -> str:
    return str(os.getuid()) if hasattr(os, "getuid") else "user"
