"""The navigation meshes that clients fetch to steer their AI walkers: built once per town, off the event loop."""

from __future__ import annotations

import asyncio
import hashlib
import logging
import re
import time
from collections import OrderedDict

from linkvla.launch.sim.navmesh.mesh import LAYOUT, navigation_mesh
from linkvla.launch.sim.world.town import Town

logger = logging.getLogger(__name__)

_KEPT = 4  # towns
_PATH = (
    "linkvla/Nav/{town}-{print}.bin"  # clients keep files by this name for ever, so that it must tell versions apart
)


class NavigationFiles:
    """The files of the towns that were asked for last, by name."""

    def __init__(self) -> None:
        self._files: OrderedDict[str, asyncio.Future[bytes]] = OrderedDict()

    async def name(self, town: Town) -> str | None:
        """The name under which a town's mesh can be fetched; None where it has nowhere to walk."""
        name = _file_name(town)
        if name not in self._files:
            self._files[name] = asyncio.get_running_loop().run_in_executor(None, _build, town)
            while len(self._files) > _KEPT:
                self._files.popitem(last=False)
        self._files.move_to_end(name)
        return name if await asyncio.shield(self._files[name]) else None

    async def content(self, name: str) -> bytes | None:
        """The bytes of a file that ``name`` gave; None for any other."""
        file = self._files.get(name)
        return (await asyncio.shield(file) or None) if file is not None else None


def _file_name(town: Town) -> str:
    fingerprint = hashlib.sha256(f"{LAYOUT}\n{town.xodr}".encode()).hexdigest()[:16]
    return _PATH.format(town=re.sub(r"\W", "_", town.name)[:40], print=fingerprint)


def _build(town: Town) -> bytes:
    started = time.monotonic()
    try:
        mesh = navigation_mesh(town)
    except Exception:
        logger.exception("no navigation mesh for %s: AI walkers will not walk there", town.name)
        return b""
    logger.info("navigation mesh of %s: %d bytes in %.2f s", town.name, len(mesh), time.monotonic() - started)
    return mesh
