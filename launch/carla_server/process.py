"""One simulator in a process of its own: start it, wait until it is ready, know whether it lives, stop it.

    with SimServer(town="Maple") as server:
        client = carla.Client(server.host, server.port)

The server runs in its own process group, and only that group is ever signalled.
"""

from __future__ import annotations

import atexit
import contextlib
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import IO

from linkvla.launch.carla_server.errors import CarlaServerError
from linkvla.launch.carla_server.ports import TRAFFIC_MANAGER_OFFSET, PortLease, check_free

READY_LINE = "linkvla sim: listening on"
"""The server prints this, once, when clients may connect."""

START_TIMEOUT = 180.0
"""Seconds until the server must be ready; the first start on a machine compiles the numba kernels."""

STOP_TIMEOUT = 8.0
"""Seconds between SIGTERM and SIGKILL."""

LOG_TAIL = 6
"""Lines of the log that go into an error message."""


class SimServer:
    """The embedded server as a child process.

    Args:
        port: RPC port; ``None`` takes a free block of ports.
        towns: folders with further towns (``NAME.xodr``).
        town: town that the server starts with.
        seed: seed of everything random in the server.
        recordings: folder in which clients may record; ``None``: a temporary one.
        options: further options of ``linkvla sim``, such as ``--view``.
        log: where the server's output goes; ``None`` makes a file in the system's temporary folder. It is kept.
        start_timeout: seconds until the server must be ready.

    Raises:
        CarlaServerError: the server did not become ready (unknown town, port in use, crash, timeout).
    """

    host = "127.0.0.1"

    def __init__(
        self,
        port: int | None = None,
        towns: Sequence[Path | str] = (),
        town: str = "Maple",
        seed: int = 0,
        *,
        recordings: Path | None = None,
        options: Sequence[str] = (),
        log: Path | None = None,
        start_timeout: float = START_TIMEOUT,
    ) -> None:
        self._process: subprocess.Popen | None = None
        self._output: IO[bytes] | None = None
        self._lease: PortLease | None = None
        if port is None:
            self._lease = PortLease(host=self.host)
            port = self._lease.port
        else:
            check_free(port, self.host)
        self.port = port
        self.traffic_manager_port = port + TRAFFIC_MANAGER_OFFSET
        self.town = town
        self.log = log if log is not None else _temporary_log(port)
        try:
            self._start(towns, seed, recordings, options)
            self._wait_until_ready(start_timeout)
        except BaseException:
            self.close()
            raise
        atexit.register(self.close)

    @property
    def process_id(self) -> int | None:
        """Process id of the server while it runs."""
        return self._process.pid if self._process is not None else None

    def alive(self) -> bool:
        """Whether the process runs and its port takes connections."""
        return self._process is not None and self._process.poll() is None and self._connects()

    def log_tail(self, lines: int = LOG_TAIL) -> list[str]:
        """Last non-empty lines of the server's output."""
        return [line.rstrip() for line in self._log_text().splitlines() if line.strip()][-lines:]

    def close(self) -> None:
        """Stop the server and wait until it is gone. May be called more than once; the log stays."""
        process, self._process = self._process, None
        if process is not None:
            stop_group(process)
        if self._output is not None:
            self._output.close()
            self._output = None
        if self._lease is not None:
            self._lease.close()
        atexit.unregister(self.close)

    def __enter__(self) -> SimServer:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    def _start(self, towns: Sequence[Path | str], seed: int, recordings: Path | None, options: Sequence[str]) -> None:
        command = [sys.executable, "-u", "-m", "linkvla.launch.carla_server.guard", "linkvla.launch.sim"]
        command += ["--port", str(self.port), "--town", self.town, "--seed", str(seed)]
        for folder in towns:
            command += ["--towns", str(folder)]
        if recordings is not None:
            command += ["--recordings", str(recordings)]
        command += options
        self.log.parent.mkdir(parents=True, exist_ok=True)
        self._output = self.log.open("wb")
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,  # see guard.py: its closing tells the server that we are gone
            stdout=self._output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )

    def _wait_until_ready(self, timeout: float) -> None:
        deadline = time.monotonic() + timeout
        while time.monotonic() < deadline:
            if self._process is not None and self._process.poll() is not None:
                raise CarlaServerError(self._last_words(self._process.returncode))
            if READY_LINE in self._log_text() and self._connects():
                return
            time.sleep(0.05)
        tail = " | ".join(self.log_tail()) or "(no output)"
        raise CarlaServerError(
            f"the server was not ready after {timeout:g} s; its last output: {tail}; log: {self.log}"
        )

    def _last_words(self, code: int) -> str:
        """Why the server ended: its own message where it refused on purpose (exit code 2), otherwise the log's end."""
        tail = self.log_tail()
        if code == 2 and tail:
            return tail[-1].removeprefix("linkvla sim:").strip()
        return f"the server stopped with exit code {code}: {' | '.join(tail) or '(no output)'}; log: {self.log}"

    def _log_text(self) -> str:
        try:
            return self.log.read_text(encoding="utf-8", errors="replace")
        except OSError:
            return ""

    def _connects(self) -> bool:
        with contextlib.suppress(OSError), socket.create_connection((self.host, self.port), timeout=1.0):
            return True
        return False


def _temporary_log(port: int) -> Path:
    handle, name = tempfile.mkstemp(prefix=f"linkvla-sim-{port}-", suffix=".log")
    os.close(handle)
    return Path(name)


def stop_group(process: subprocess.Popen) -> None:
    """SIGTERM, then SIGKILL, to the process group that ``start_new_session`` made; never to anything else."""
    try:
        if process.poll() is None:  # once it has been reaped its number may belong to someone else
            os.killpg(process.pid, signal.SIGTERM)
            process.wait(STOP_TIMEOUT)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    finally:
        if process.stdin is not None:
            with contextlib.suppress(OSError):
                process.stdin.close()
