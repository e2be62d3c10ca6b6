"""What the launch room reads from the environment, and what it hands on to programs that it starts."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
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


def named_folder(variable: str) -> Path | None:
    """The folder that a variable such as ``CARLA_ROOT`` names, whether or not it is there; None where it is not set."""
    value = os.environ.get(variable, "").strip()
    return Path(value).expanduser() if value else None


def evaluator_python(chosen: str = "") -> str:
    """The interpreter of the official evaluators: the chosen one, ``EVALUATOR_PYTHON``, or the one that runs this.

    A path becomes absolute, because they are started in a folder of their own; a name is looked up as in a shell.
    """
    python = chosen or os.environ.get("EVALUATOR_PYTHON", "").strip() or sys.executable
    return os.path.abspath(os.path.expanduser(python)) if os.sep in python else python


def carla_agents_folder() -> Path:
    """Where the package ``agents`` lies: in the CARLA that ``CARLA_ROOT`` names, else our own."""
    root = named_folder("CARLA_ROOT")
    theirs = root / "PythonAPI" / "carla" if root is not None else None
    return theirs.resolve() if theirs is not None and (theirs / "agents").is_dir() else PYTHON_API


def child_environment(
    paths: Sequence[Path] = (), gpu: int | None = None, changes: Mapping[str, str] | None = None
) -> dict[str, str]:
    """The environment for a program that drives a route.

    Args:
        paths: go to the front of ``PYTHONPATH``.
        gpu: the only one that it sees, counted among those that this process sees; None leaves them all.
        changes: further variables.
    """
    environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1", **(changes or {})}
    known = [part for part in os.environ.get("PYTHONPATH", "").split(os.pathsep) if part]
    environment["PYTHONPATH"] = os.pathsep.join([*map(str, paths), *known])
    if gpu is not None:
        seen = [part.strip() for part in os.environ.get("CUDA_VISIBLE_DEVICES", "").split(",") if part.strip()]
        environment["CUDA_VISIBLE_DEVICES"] = seen[gpu] if gpu < len(seen) else str(gpu)
    return environment


def name_folder(variable: str, folder: Path) -> None:
    """Let a variable such as ``CARLA_ROOT`` name a folder, for this process and those that it starts."""
    os.environ[variable] = str(folder.expanduser().absolute())


def vulkan_driver_files() -> list[Path]:
    """The drivers that the user names to Vulkan's loader, by either variable; empty leaves it the choice."""
    named = os.environ.get("VK_DRIVER_FILES") or os.environ.get("VK_ICD_FILENAMES") or ""
    return [Path(part) for part in named.split(os.pathsep) if part]


def keep_ray_to_itself() -> None:
    """Ray tells its makers how it is used, unless it is told not to, or the user has said otherwise."""
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
