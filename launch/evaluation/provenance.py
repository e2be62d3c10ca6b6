"""What results were made with: versions of packages, graphics cards."""

from __future__ import annotations

import json
import subprocess
import sys
from functools import lru_cache

from linkvla.launch.evaluation.evaluators.boot import client_by_another_name

PACKAGES = ("carla", "numpy", "torch", "transformers")

_PROBE = (
    "import importlib.metadata as m, json, platform\n"
    "installed = {d.metadata['Name'] or '': d.version for d in m.distributions()}\n"
    "print(json.dumps({**installed, 'python': platform.python_version()}))"
)
_TIMEOUT = 60.0  # s


def package_versions(python: str = sys.executable) -> dict[str, str]:
    """Versions of an interpreter and of those packages in it that have a part in a drive; those it lacks are left out.

    They are kept for people: of all these, results depend on CARLA's client, see ``client_version``.
    """
    installed = _installed(python)
    found = {name: installed[name] for name in ("python", *PACKAGES) if name in installed}
    renamed = client_by_another_name(installed)
    return found if renamed is None else {**found, "carla": renamed}


def client_version(python: str = sys.executable) -> str:
    """Version of CARLA's client in an interpreter; "unknown" where it has none."""
    return package_versions(python).get("carla", "unknown")


def gpu_names() -> list[str]:
    """Names of NVIDIA's cards in this machine; none where its tool is missing."""
    said = _output(["nvidia-smi", "--query-gpu=name", "--format=csv,noheader"])
    return [line.strip() for line in said.splitlines() if line.strip()]


@lru_cache(maxsize=8)
def _installed(python: str) -> dict[str, str]:
    return json.loads(_output([python, "-c", _PROBE]) or "{}")


def _output(command: list[str]) -> str:
    """What a program prints; empty where it fails."""
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, errors="replace", timeout=_TIMEOUT, stdin=subprocess.DEVNULL
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout if done.returncode == 0 else ""
