"""The live page: a map with everything on it and a camera beside it, for browsers on this machine.

It runs on the server's event loop and costs nothing while nobody looks: browsers ask for states and pictures, and only
what is asked for is made. Pictures are drawn by a thread of their own, at most ten a second for all pages together.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import socket
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlsplit

from linkvla.launch.sim.sockets import LOCALHOST
from linkvla.launch.sim.view.http import MAX_HEAD_BYTES, Answer, HttpServer
from linkvla.launch.sim.view.picture import LivePicture
from linkvla.launch.sim.view.scene_json import town_json, world_json

if TYPE_CHECKING:
    from linkvla.launch.sim.protocol.simulation import Simulation
    from linkvla.launch.sim.world.town import Town

logger = logging.getLogger(__name__)

_FILES = {
    "/": ("page.html", "text/html"),
    "/page.css": ("page.css", "text/css"),
    "/page.js": ("page.js", "text/javascript"),
}
_JSON = "application/json"
_LARGEST_ID = 1 << 32
_MOST_FIELDS = 8  # of a query


class ViewServer:
    """The page's server.

    Args:
        listener: a listening socket.
    """

    def __init__(self, listener: socket.socket) -> None:
        self._listener = listener
        self._port = listener.getsockname()[1]
        self._http = HttpServer(self.respond, self._port)
        self._server: asyncio.AbstractServer | None = None
        self._simulation: Simulation | None = None
        self._picture: LivePicture | None = None
        self._connect_to = ("", 0)
        self._town: tuple[Town, asyncio.Future[bytes]] | None = None

    @property
    def address(self) -> str:
        """URL of the page."""
        return f"http://{LOCALHOST}:{self._port}/"

    async def start(self, simulation: Simulation, host: str, port: int) -> None:
        """Serve from now on.

        Args:
            simulation: what to show.
            host, port: where clients connect; the page tells its reader.
        """
        self._simulation, self._connect_to = simulation, (host, port)
        self._picture = LivePicture(simulation)
        self._server = await asyncio.start_server(self._http.converse, sock=self._listener, limit=MAX_HEAD_BYTES)

    def close(self) -> None:
        """Stop serving."""
        if self._picture is not None:
            self._picture.close()
        self._http.close()
        if self._server is not None:
            self._server.close()
        self._listener.close()

    async def respond(self, target: str) -> Answer:
        """The answer to GET ``target``."""
        try:
            url = urlsplit(target)
            query = parse_qs(url.query, max_num_fields=_MOST_FIELDS)
        except ValueError:
            return Answer(b"this address cannot be read\n", status=400)
        if url.path in _FILES:
            name, kind = _FILES[url.path]
            return Answer(_file(name), f"{kind}; charset=utf-8")
        if url.path == "/state.json":
            return Answer(self._state(), _JSON)
        if url.path == "/town.json":
            return Answer(await self._town_json(), _JSON)
        if url.path == "/picture.jpg":
            picture = await self._picture.take(query.get("from", [""])[0], _actor_id(query.get("actor", ["0"])[0]))
            if picture is not None:
                return Answer(picture, "image/jpeg")
        return Answer(b"there is nothing here\n", status=404)

    def _state(self) -> bytes:
        host, port = self._connect_to
        state = world_json(self._simulation) | {"host": host, "port": port}
        return json.dumps(state, separators=(",", ":")).encode()

    async def _town_json(self) -> bytes:
        """The present town's map; made once per town, in a thread."""
        town = self._simulation.world.town
        if self._town is None or self._town[0] is not town:
            made = asyncio.get_running_loop().run_in_executor(None, town_json, town)
            self._town = town, made
        with contextlib.suppress(ValueError):
            return await asyncio.shield(self._town[1])
        return b"{}"


def _actor_id(text: str) -> int:
    return int(text) if text.isdecimal() and len(text) < 12 and int(text) < _LARGEST_ID else 0


@lru_cache(maxsize=len(_FILES))
def _file(name: str) -> bytes:
    return (Path(__file__).resolve().parent / name).read_bytes()
