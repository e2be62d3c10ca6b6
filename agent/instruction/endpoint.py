"""A small HTTP endpoint on this machine: say something to the car, and see how it drives.

    GET    /              a page to type in
    GET    /state         the last tick as JSON, with the keys of ``linkvla.agent.recorder``; {} before the first. What
                          the network said and its agreement are the last there were, for they do not come each tick
    GET    /picture.jpg   what the camera saw at that tick
    POST   /instruction   a sentence as plain text, or as JSON: {"text": "Stop now.", "duration": 5}; "" takes it back
    DELETE /instruction   takes it back

    curl -d "Stop now." http://127.0.0.1:8100/instruction

It listens on 127.0.0.1 only and answers one who asks for it by that name or as localhost, so that a name which is made
to point here (DNS rebinding) gets nothing. A browser says which page a POST comes from: pages of other sites are
refused, and no header lets them read what is answered. Programs of other users on this machine are not kept out.
"""

from __future__ import annotations

import json
import logging
import socket
import threading
from functools import lru_cache
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any

from linkvla.agent.instruction.interface import HTTP
from linkvla.agent.instruction.live import LiveInstructions
from linkvla.model.interface.errors import ConfigurationError

if TYPE_CHECKING:
    from linkvla.agent.recorder import TickRecord

HOST = "127.0.0.1"
MAX_BODY_BYTES = 4096
MAX_REQUESTS = 16  # at a time
_DRAINED_DIGITS = 5  # of the length of a body that is too long, but still read
SOCKET_TIMEOUT = 10.0  # s that a peer may take for a read or a write

_FILES = {
    "/": ("page.html", "text/html; charset=utf-8"),
    "/page.css": ("page.css", "text/css; charset=utf-8"),
    "/page.js": ("page.js", "text/javascript; charset=utf-8"),
}
_HEADERS = {
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
    "Cross-Origin-Resource-Policy": "same-origin",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
}
_JSON = "application/json"
_WORDS = ("said", "caption", "agreement")

logger = logging.getLogger(__name__)


class Endpoint:
    """Serves from its construction until ``close``, in threads of its own.

    Args:
        live: where instructions go.
        port: to listen on; 0 takes a free one.

    Raises:
        ConfigurationError: the port cannot be had.
    """

    def __init__(self, live: LiveInstructions, port: int) -> None:
        self.live = live
        self.last_tick: TickRecord | None = None
        self._last_words: TickRecord | None = None
        try:
            self._server = _Server((HOST, port), self)
        except (OSError, OverflowError) as error:
            raise ConfigurationError(
                f"port {port} on {HOST} cannot be listened on ({error}); choose another, between 1024 and 65535"
            ) from error
        self._thread = threading.Thread(target=self._serve, name="linkvla-endpoint", daemon=True)
        self._thread.start()

    @property
    def port(self) -> int:
        """Where it listens."""
        return self._server.server_address[1]

    @property
    def address(self) -> str:
        """URL of the page."""
        return f"http://{HOST}:{self.port}/"

    def publish(self, tick: TickRecord) -> None:
        """Show a tick; costs nothing until somebody asks for it."""
        self.last_tick = tick
        if tick.plan is not None and tick.plan.language:
            self._last_words = tick

    def state(self) -> dict[str, Any]:
        """What ``/state`` shows."""
        if self.last_tick is None:
            return {}
        words = {} if self._last_words is None else self._last_words.as_json()
        return {key: words[key] for key in _WORDS if key in words} | self.last_tick.as_json()

    def close(self) -> None:
        """Stop serving and give the port back."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def _serve(self) -> None:
        self._server.serve_forever(poll_interval=0.1)


class _Server(ThreadingHTTPServer):
    """Threads are bounded; a request that finds none free is dropped."""

    daemon_threads = True

    def __init__(self, address: tuple[str, int], endpoint: Endpoint) -> None:
        self.endpoint = endpoint
        self._free = threading.BoundedSemaphore(MAX_REQUESTS)
        super().__init__(address, _Handler)
        port = self.server_address[1]
        self.names = {f"{name}:{port}" for name in (HOST, "localhost")}

    def process_request(self, request: socket.socket, client_address: Any) -> None:
        if self._free.acquire(blocking=False):
            super().process_request(request, client_address)
        else:
            self.shutdown_request(request)

    def process_request_thread(self, request: socket.socket, client_address: Any) -> None:
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._free.release()

    def handle_error(self, request: socket.socket, client_address: Any) -> None:
        logger.debug("a request at the instruction endpoint failed", exc_info=True)


class _Handler(BaseHTTPRequestHandler):
    """One request."""

    server: _Server
    timeout = SOCKET_TIMEOUT
    server_version, sys_version = "linkvla", ""

    def do_GET(self) -> None:
        if not self._admitted():
            return
        tick = self.server.endpoint.last_tick
        if self.path in _FILES:
            name, kind = _FILES[self.path]
            self._answer(HTTPStatus.OK, _file(name), kind)
        elif self.path == "/state":
            self._answer_json(HTTPStatus.OK, self.server.endpoint.state())
        elif self.path.partition("?")[0] == "/picture.jpg" and tick is not None and tick.image is not None:
            self._answer(HTTPStatus.OK, tick.picture(), "image/jpeg")
        else:
            self._refuse(HTTPStatus.NOT_FOUND, "there is nothing here; see GET /")

    def do_POST(self) -> None:
        if not self._admitted():
            return
        body = self._body()
        if body is None:
            return
        if self.path != "/instruction":
            self._refuse(HTTPStatus.NOT_FOUND, "POST goes to /instruction")
            return
        try:
            text, duration = _instruction(body, self.headers.get_content_type())
            self.server.endpoint.live.say(text, HTTP, duration)
        except ConfigurationError as error:
            self._refuse(HTTPStatus.BAD_REQUEST, str(error))
            return
        self._answer_json(HTTPStatus.OK, {"instruction": text.strip() or None})

    def do_DELETE(self) -> None:
        if not self._admitted():
            return
        if self.path != "/instruction":
            self._refuse(HTTPStatus.NOT_FOUND, "DELETE goes to /instruction")
            return
        self.server.endpoint.live.say("", HTTP)
        self._answer_json(HTTPStatus.OK, {"instruction": None})

    def log_message(self, format: str, *arguments: object) -> None:
        logger.debug(format, *arguments)

    def _admitted(self) -> bool:
        """Whether the request is for this machine and, if a browser sent it, from our own page."""
        names = self.server.names
        if self.headers.get("Host", "").lower() not in names:
            self._refuse(HTTPStatus.FORBIDDEN, f"open this as {self.server.endpoint.address}")
            return False
        origin = self.headers.get("Origin")
        same_site = self.headers.get("Sec-Fetch-Site", "none") in ("none", "same-origin")
        own_page = origin is None or origin.lower() in {f"http://{name}" for name in names}
        if self.command != "GET" and not (own_page and same_site):
            self._refuse(HTTPStatus.FORBIDDEN, "pages of other sites may not speak to the car")
            return False
        return True

    def _body(self) -> bytes | None:
        """The request's body; None where it was refused."""
        length = self.headers.get("Content-Length", "")
        if not length.isascii() or not length.isdigit() or "Transfer-Encoding" in self.headers:
            self._refuse(HTTPStatus.LENGTH_REQUIRED, "give the body's length in Content-Length")
        elif len(length) > 9 or int(length) > MAX_BODY_BYTES:
            if len(length) <= _DRAINED_DIGITS:
                self.rfile.read(int(length))  # a peer that still writes would not see the answer
            self._refuse(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"a body may have {MAX_BODY_BYTES} bytes")
        else:
            return self.rfile.read(int(length))
        return None

    def _refuse(self, status: HTTPStatus, reason: str) -> None:
        self._answer_json(status, {"error": reason})

    def _answer_json(self, status: HTTPStatus, value: dict[str, Any]) -> None:
        self._answer(status, json.dumps(value, allow_nan=False).encode(), _JSON)

    def _answer(self, status: HTTPStatus, body: bytes, kind: str) -> None:
        self.send_response(status)
        for name, value in {"Content-Type": kind, "Content-Length": str(len(body)), **_HEADERS}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)


def _instruction(body: bytes, kind: str) -> tuple[str, float | None]:
    """Text and duration; raises ConfigurationError for a body that is neither text nor the JSON that we know."""
    text = body.decode("utf-8", errors="replace")
    if kind != _JSON:
        return text, None
    try:
        value = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ConfigurationError(f"the body is not JSON ({error}); send plain text instead") from None
    if not isinstance(value, dict) or "text" not in value or set(value) - {"text", "duration"}:
        raise ConfigurationError('the body must be {"text": "...", "duration": seconds}; duration may be left out')
    return value["text"], value.get("duration")


@lru_cache(maxsize=len(_FILES))
def _file(name: str) -> bytes:
    return (Path(__file__).resolve().parent / name).read_bytes()
