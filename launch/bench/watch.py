"""What a benchmark reads of a running server from outside: CPU time, memory, cores, and the stages it counts itself."""

from __future__ import annotations

import json
import os
import platform
import re
import time
import urllib.request
from importlib.metadata import version
from pathlib import Path

from linkvla.launch.carla_server.errors import CarlaServerError
from linkvla.launch.carla_server.process import SimServer

VIEW_OPTIONS = ("--view", "--view-port", "0")
"""The live page also tells where the server's time goes."""

_PACKAGES = ("linkvla", "carla", "numpy", "numba", "opencv-python-headless", "msgpack")
_ADDRESS = re.compile(r"live view at (http://\S+/)")
_PATIENCE_S = 120.0


class ServerWatch:
    """Looks at a server that was started with ``VIEW_OPTIONS``."""

    def __init__(self, server: SimServer) -> None:
        found = _ADDRESS.search(server.log.read_text(encoding="utf-8", errors="replace"))
        if found is None or server.process_id is None:
            raise CarlaServerError(f"the server told no address of its live page; log: {server.log}")
        self._page, self._process = found.group(1), Path("/proc") / str(server.process_id)

    def stages(self) -> dict[str, float]:
        """CPU seconds of the server by stage since its start."""
        with urllib.request.urlopen(f"{self._page}state.json", timeout=_PATIENCE_S) as answer:
            return json.load(answer)["cpu"]

    def memory_mb(self) -> float:
        """Resident memory, MB (1e6 bytes)."""
        status = (self._process / "status").read_text()
        return int(re.search(r"VmRSS:\s+(\d+) kB", status).group(1)) * 1024 / 1e6

    def pin(self, core: int) -> None:
        """Keep all threads of the server, present and future, on one core. Raises OSError where there is none such."""
        for thread in (self._process / "task").iterdir():
            os.sched_setaffinity(int(thread.name), {core})


def machine() -> dict[str, str | int]:
    """Where and with what the figures were taken."""
    found = {"cpu": _processor(), "cores": os.cpu_count() or 1, "python": platform.python_version()}
    found["load"] = f"{os.getloadavg()[0]:.1f}"
    found["date"] = time.strftime("%Y-%m-%d")
    return found | {name: version(name) for name in _PACKAGES}


def _processor() -> str:
    try:
        found = re.search(r"model name\s*:\s*(.+)", Path("/proc/cpuinfo").read_text(encoding="utf-8"))
    except OSError:
        found = None
    return found.group(1).strip() if found else platform.processor() or platform.machine()
