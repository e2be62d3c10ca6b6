"""MessagePack-RPC as CARLA's client speaks it: framing, dispatch and order of execution of one TCP connection.

There is no length prefix; each direction is a plain run of MessagePack objects. Requests of one connection take
effect in the order in which they arrive, also when an earlier one (a tick) has to wait.
"""

from __future__ import annotations

import asyncio
import logging
import socket
from typing import TYPE_CHECKING, Any

import msgpack

from linkvla.launch.sim.protocol import envelope
from linkvla.launch.sim.protocol.envelope import MethodError
from linkvla.launch.sim.protocol.registry import METHODS, Method

if TYPE_CHECKING:
    from linkvla.launch.sim.protocol.simulation import Simulation

logger = logging.getLogger(__name__)

REQUEST, REPLY = 0, 1
MAX_MESSAGE_BYTES = 64 << 20  # the largest legitimate request is an OpenDRIVE text of a few megabytes
MAX_ARRAY_LENGTH = 1 << 20


def _plain(thing: Any) -> Any:
    """Numpy scalars and arrays as MessagePack knows them."""
    if hasattr(thing, "tolist"):
        return thing.tolist()
    raise TypeError(f"cannot send a {type(thing).__name__} over RPC")


_packer = msgpack.Packer(use_bin_type=True, default=_plain, unicode_errors="surrogateescape")


def pack(thing: Any) -> bytes:
    """MessagePack bytes of plain Python data (and numpy scalars)."""
    return _packer.pack(thing)


def request_reader() -> msgpack.Unpacker:
    """A streaming unpacker that refuses messages larger than anything a real client sends."""
    return msgpack.Unpacker(
        raw=False,
        unicode_errors="surrogateescape",
        max_buffer_size=MAX_MESSAGE_BYTES,
        max_array_len=MAX_ARRAY_LENGTH,
        max_map_len=MAX_ARRAY_LENGTH,
    )


class Session:
    """What a method handler knows about the connection that called it."""

    def __init__(self, simulation: Simulation, host: str = "127.0.0.1") -> None:
        self.simulation = simulation
        self.host = host  # of the client
        self.left_episode: int | None = None  # the one that this client has replaced and not yet heard the end of


class RpcConnection(asyncio.Protocol):
    """Server side of one client connection."""

    def __init__(self, simulation: Simulation) -> None:
        self._simulation = simulation
        self._session = Session(simulation)
        self._reader = request_reader()
        self._transport: asyncio.Transport | None = None
        self._waiting: asyncio.Task | None = None
        self._choked = False  # the client does not read its replies
        self._address = ""
        self._introduced = False  # it has sent something: it is no mere look whether the port is open

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Called by asyncio."""
        self._transport = transport
        self._session.host, port = transport.get_extra_info("peername")[:2]
        self._address = f"{self._session.host}:{port}"
        transport.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._simulation.sessions.add(self._session)

    def connection_lost(self, error: Exception | None) -> None:
        """Called by asyncio. A traffic manager that lived in the client process is gone with it."""
        if self._waiting is not None:
            self._waiting.cancel()
        self._simulation.close_session(self._session)
        if self._introduced:
            logger.info("client %s left (%d connected)", self._address, len(self._simulation.sessions))

    def data_received(self, data: bytes) -> None:
        """Called by asyncio."""
        if not self._introduced:
            self._introduced = True
            logger.info("client %s connected (%d connected)", self._address, len(self._simulation.sessions))
        try:
            self._reader.feed(data)
        except msgpack.BufferFull:
            self._hang_up(f"a message is larger than {MAX_MESSAGE_BYTES} bytes")
            return
        if self._waiting is None and not self._choked:
            self._drain()

    def pause_writing(self) -> None:
        """Called by asyncio: replies pile up. Nothing more is read or served until the client has taken them."""
        self._choked = True
        self._transport.pause_reading()

    def resume_writing(self) -> None:
        """Called by asyncio: the client has read its replies."""
        self._choked = False
        self._transport.resume_reading()
        if self._waiting is None:
            self._drain()

    def _drain(self) -> None:
        """Serve buffered requests until there are none, or until one has to wait."""
        try:
            for message in self._reader:
                self._serve(message)
                if self._waiting is not None or self._choked or self._transport.is_closing():
                    return
        except (msgpack.UnpackException, ValueError) as error:
            self._hang_up(f"not MessagePack-RPC ({error or type(error).__name__})")

    def _hang_up(self, reason: str) -> None:
        logger.warning("closing an RPC connection: %s", reason)
        self._transport.abort()

    def _serve(self, message: Any) -> None:
        if not isinstance(message, list) or not message or message[0] not in (REQUEST, 2):
            raise ValueError("a message that is no request")
        if message[0] == 2:  # a notification has no reply; CARLA's client sends none
            return
        if len(message) != 4 or not isinstance(message[2], str) or not isinstance(message[3], list):
            raise ValueError("a malformed request")
        _, message_id, name, arguments = message
        method = METHODS.get(name)
        if method is None:
            logger.warning("RPC method %r is not known", name)
            self._reply(message_id, f"the linkvla server has no RPC method {name!r}", None)
            return
        if method.waits:
            self._waiting = asyncio.ensure_future(self._serve_later(message_id, method, arguments[1:]))
            return
        self._reply(message_id, None, call(method, self._session, arguments[1:]))

    async def _serve_later(self, message_id: int, method: Method, arguments: list) -> None:
        try:
            result = wrap(method, await method.handler(self._session, *arguments))
        except Exception as error:  # the client must get an answer whatever happened
            result = explain(method, error)
        self._reply(message_id, None, result)
        self._waiting = None
        if not self._choked:
            self._drain()

    def _reply(self, message_id: int, error: str | None, result: Any) -> None:
        if self._transport.is_closing():
            return
        self._transport.write(pack([REPLY, message_id, error, result]))


def call(method: Method, session: Session, arguments: list) -> Any:
    """Run a handler that does not wait; the enveloped result or error."""
    try:
        return wrap(method, method.handler(session, *arguments))
    except Exception as error:  # the client must get an answer whatever happened
        return explain(method, error)


def wrap(method: Method, result: Any) -> Any:
    """Put a handler's result into the envelope that the method declares."""
    if method.bare:
        return result
    return envelope.done() if method.void else envelope.value(result)


def explain(method: Method, error: Exception) -> Any:
    """Turn a handler's exception into an error envelope, and log what is a bug of ours."""
    if isinstance(error, MethodError):
        text = str(error)
        logger.warning("%s refused: %s", method.name, text)
    else:
        logger.error("%s failed", method.name, exc_info=error)
        text = f"{method.name} failed on the linkvla server: {type(error).__name__}: {error}"
    answer = envelope.failure(text, void=method.void)
    return [answer] if method.bare else answer
