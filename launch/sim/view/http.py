"""Just enough HTTP/1.1 to serve a page to this machine's browsers: GET, kept-alive connections, bounded everything.

The Host header must name this machine: a web page elsewhere whose name is made to point at 127.0.0.1 (DNS rebinding)
gets an error instead of the simulator's pictures.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

MAX_HEAD_BYTES = 8192
MAX_CONNECTIONS = 32
IDLE_S = 30.0  # a connection without requests is closed
WRITE_S = 20.0  # a browser that takes no bytes for so long is left
_NAMES, _HTTP_PORT = ("127.0.0.1", "localhost"), 80  # a browser leaves out the port that http has by itself
_REASONS = {200: "OK", 400: "Bad Request", 403: "Forbidden", 404: "Not Found", 405: "Method Not Allowed",
            503: "Service Unavailable"}  # fmt: skip
_HEADERS = (
    "Cache-Control: no-store\r\n"
    "X-Content-Type-Options: nosniff\r\n"
    "Cross-Origin-Resource-Policy: same-origin\r\n"
    "X-Frame-Options: DENY\r\n"
    "Referrer-Policy: no-referrer\r\n"
    "Content-Security-Policy: default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'\r\n"
)


@dataclass(frozen=True)
class Answer:
    """What a request gets."""

    body: bytes
    kind: str = "text/plain; charset=utf-8"  # content type
    status: int = 200

    def encode(self) -> bytes:
        """Bytes on the wire."""
        head = f"HTTP/1.1 {self.status} {_REASONS[self.status]}\r\nContent-Type: {self.kind}\r\n"
        return f"{head}Content-Length: {len(self.body)}\r\n{_HEADERS}\r\n".encode("ascii") + self.body


Respond = Callable[[str], Awaitable[Answer]]
"""From a request's target (path and query) to the answer."""


class HttpServer:
    """Serves connections on the running loop.

    Args:
        respond: called for every well-formed GET; runs on the event loop and must not block it.
        port: on which this machine's browsers find the server.
    """

    def __init__(self, respond: Respond, port: int) -> None:
        self._respond = respond
        self._hosts = {f"{name}:{port}" for name in _NAMES} | (set(_NAMES) if port == _HTTP_PORT else set())
        self._tasks: set[asyncio.Task] = set()

    async def converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Callback of ``asyncio.start_server``: answer one connection until it ends."""
        task = asyncio.current_task()
        self._tasks.add(task)
        try:
            if len(self._tasks) > MAX_CONNECTIONS:
                writer.write(Answer(b"too many pages are open\n", status=503).encode())
                return
            while await self._exchange(reader, writer):
                pass
        except (OSError, asyncio.TimeoutError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            # A browser that is gone, slow or not speaking HTTP: closing would wait until it has read its answer.
            writer.transport.abort()
        except asyncio.CancelledError:
            pass  # by close(): asyncio's streams would report a task that ends as cancelled
        finally:
            self._tasks.discard(task)
            with contextlib.suppress(OSError, RuntimeError):
                writer.close()

    async def _exchange(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """One request and its answer; whether the connection stays open."""
        head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), IDLE_S)
        answer, stay = await self.answer(head)
        writer.write(answer.encode())
        await asyncio.wait_for(writer.drain(), WRITE_S)
        return stay

    async def answer(self, head: bytes) -> tuple[Answer, bool]:
        """The answer to a request's head, and whether more requests may follow on the connection."""
        first, *lines = head.decode("latin-1").split("\r\n")
        parts = first.split(" ")
        headers = {name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        if len(parts) != 3 or not parts[2].startswith("HTTP/1."):
            return Answer(b"this port speaks HTTP/1.1\n", status=400), False
        if headers.get("host", "").lower() not in self._hosts:
            return Answer(b"open this page as 127.0.0.1 or localhost\n", status=403), False
        if parts[0] != "GET" or "content-length" in headers or "transfer-encoding" in headers:
            return Answer(b"only GET without a body is served\n", status=405), False
        stay = headers.get("connection", "keep-alive").lower() != "close"
        return await self._respond(parts[1]), stay

    def close(self) -> None:
        """Leave all connections."""
        for task in self._tasks:
            task.cancel()
