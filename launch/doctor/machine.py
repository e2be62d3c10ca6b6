"""The machine itself: interpreter, processor, disk, and what linkvla keeps on it."""

from __future__ import annotations

import os
import platform
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

from linkvla.launch.doctor.finding import Finding, State, verdict

MIN_DISK_GB = 1.0


def python() -> Iterator[Finding]:
    """The interpreter."""
    fine = (3, 10) <= sys.version_info < (3, 13)
    yield verdict("Python", fine, f"{platform.python_version()} in {sys.prefix}", "use Python 3.10, 3.11 or 3.12")


def hardware(folder: Path) -> Iterator[Finding]:
    """Processor, memory, and the disk on which ``folder`` lies or will lie."""
    import psutil

    memory = psutil.virtual_memory()
    yield Finding("processor", State.OK, f"{os.cpu_count()} cores, {platform.machine()}")
    yield Finding("memory", State.OK, f"{memory.available / 1e9:.1f} of {memory.total / 1e9:.1f} GB free")
    place = _existing(folder.absolute())
    free = shutil.disk_usage(place).free / 1e9
    cure = f"free {MIN_DISK_GB:g} GB, or choose a folder on another disk"
    yield verdict("disk", free >= MIN_DISK_GB, f"{free:.1f} GB free in {place}", cure)
    yield verdict("results", os.access(place, os.W_OK), str(place), "it cannot be written; choose another folder")


def video_encoder() -> Iterator[Finding]:
    """For the films of drives."""
    import av

    from linkvla.launch.report.video import CODECS

    there = [name for name, _ in CODECS if name in av.codecs_available]
    yield verdict("video encoder", bool(there), ", ".join(there) or "none", "pip install --force-reinstall av")


def kernels() -> Iterator[Finding]:
    """Numba keeps compiled code beside the source, or in a folder of the user; without either each start compiles."""
    import linkvla.launch.sim.render as render
    from linkvla.launch.environment import numba_cache_folder

    chosen = numba_cache_folder()
    places = [chosen] if chosen else [Path(render.__file__).parent / "__pycache__", Path.home() / ".cache"]
    usable = [place for place in places if os.access(_existing(place), os.W_OK)]
    cached = sum(1 for _ in Path(render.__file__).parent.glob("__pycache__/*.nbi"))
    state = f"{cached} compiled renderer kernels cached" if cached else "the first start compiles, a minute or two"
    where = f", {usable[0]}" if usable else ""
    yield verdict("numba cache", bool(usable), state + where, "set NUMBA_CACHE_DIR to a folder that you can write")


def _existing(place: Path) -> Path:
    """The place, or the nearest folder above it that exists."""
    while not place.exists() and place != place.parent:
        place = place.parent
    return place
