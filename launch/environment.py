"""What the launch room reads from the environment, and what it hands on to programs that it starts."""

from __future__ import annotations

import os
from importlib.util import find_spec
from pathlib import Path

PYTHON_API = Path(__file__).resolve().parent / "sim" / "pythonapi"
"""Holds our own package ``agents``, which stands in for CARLA's."""


def numba_cache_folder() -> Path | None:
    """Where the user wants numba to keep compiled code; None where that is left to numba."""
    chosen = os.environ.get("NUMBA_CACHE_DIR")
    return Path(chosen) if chosen else None


def program_environment() -> dict[str, str]:
    """The environment for a CARLA program: with our ``agents`` on its path, unless CARLA's own is there already."""
    environment = dict(os.environ)
    if find_spec("agents") is None:
        known = [part for part in environment.get("PYTHONPATH", "").split(os.pathsep) if part]
        environment["PYTHONPATH"] = os.pathsep.join([*known, str(PYTHON_API)])
    return environment
