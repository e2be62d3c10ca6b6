"""What results were made with: versions of packages, graphics cards."""

from __future__ import annotations

import json
import platform
import subprocess
import sys
from functools import lru_cache
from importlib import metadata

PACKAGES = ("carla", "numpy", "torch", "transformers")

_PROBE = (
    "import importlib.metadata as m, json, platform, sys\n"
    "known = {d.metadata['Name']: d.version for d in m.distributions() if d.metadata['Name'] in sys.argv[1:]}\n"
    "print(json.dumps({'python': platform.python_version(), **known}))"
)
_TIMEOUT = 60.0  # s


@lru_cache(maxsize=8)
def _versions_elsewhere(python: str) -> str:
    command = [python, "-c", _PROBE, *PACKAGES]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_TIMEOUT, stdin=subprocess.DEVNULL)
    except (OSError, subprocess.TimeoutExpired):
        return "{}"
    return done.stdout if done.returncode == 0 else "{}"


def package_versions(python: str = sys.executable) -> dict[str, str]:
    """Versions of an interpreter and of those packages in it that a result depends on; those it lacks are left out."""
    if python != sys.executable:
        return json.loads(_versions_elsewhere(python))
    versions = {"python": platform.python_version()}
    for name in PACKAGES:
        try:
            versions[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return versions


def gpu_names() -> list[str]:
    """Names of NVIDIA's cards in this machine; none where its tool is missing."""
    command = ["nvidia-smi", "--query-gpu=name", "--format=csv,noheader"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_TIMEOUT, stdin=subprocess.DEVNULL)
    except (OSError, subprocess.TimeoutExpired):
        return []
    return [line.strip() for line in done.stdout.splitlines() if line.strip()] if done.returncode == 0 else []
