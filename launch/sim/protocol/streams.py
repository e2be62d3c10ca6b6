"""Streams: tokens, subscriptions and back-pressure.

Every sensor, and the world itself, is a stream with a number. A client opens one TCP connection per stream, sends the
number as four bytes, and then only reads. Small messages are written from the event loop without blocking it; camera
frames are written by the camera's own thread.
"""

from __future__ import annotations

import asyncio
import collections
import contextlib
import logging
import secrets
import select
import socket
import struct
import threading
import time

logger = logging.getLogger(__name__)

_TOKEN = struct.Struct("<IHBB16s")
_TCP, _SAME_HOST_AS_RPC = 1, 0

MAX_BACKLOG_BYTES = 64 << 20
SLOW_READER_S = 20.0
FIRST_FRAME_GUARD_S = 1.0
_ACCEPT_PAUSE_S = 0.05
_NUMBERS_PER_SERVER = 1 << 16


def encode_token(stream_id: int, port: int) -> bytes:
    """The 24 bytes by which a client finds a stream; it connects to the host that it already talks to."""
    return _TOKEN.pack(stream_id, port, _TCP, _SAME_HOST_AS_RPC, b"")


def framed(payload: bytes) -> bytes:
    """A stream message: u32 length, then the payload."""
    return struct.pack("<I", len(payload)) + payload


def _wait_writable(connection: socket.socket, milliseconds: int) -> None:
    poller = select.poll()
    with contextlib.suppress(OSError, ValueError):  # the event loop may close the connection meanwhile
        poller.register(connection, select.POLLOUT)
        poller.poll(milliseconds)


class Subscriber:
    """One client connection that reads one stream."""

    def __init__(self, connection: socket.socket, loop: asyncio.AbstractEventLoop) -> None:
        connection.setblocking(False)
        with contextlib.suppress(OSError):
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._connection = connection
        self._loop = loop
        self._backlog: collections.deque[memoryview] = collections.deque()
        self._backlog_bytes = 0
        self._newest: bytes | None = None  # of those that may be dropped, for when the backlog is gone
        self.closed = False

    def write(self, message: bytes, *, may_drop: bool) -> None:
        """Event loop only. Send without blocking; what the socket does not take waits.

        Of messages that ``may_drop`` only the newest waits, and it always arrives: a client that has just stopped the
        clock waits for the latest frame, and no other will follow.
        """
        if self.closed:
            return
        if self._backlog:
            if may_drop:
                self._newest = message
            else:
                self._catch_up()
                self._enqueue(memoryview(message))
            return
        try:
            sent = self._connection.send(message)
        except (BlockingIOError, InterruptedError):
            sent = 0
        except OSError:
            self.close()
            return
        if sent < len(message):
            self._enqueue(memoryview(message)[sent:])
            self._loop.add_writer(self._connection, self._flush)

    def write_blocking(self, message: memoryview) -> None:
        """Any thread but the event loop's. Send all of ``message``; a reader that is stuck for too long is cut off."""
        rest = message
        deadline = time.monotonic() + SLOW_READER_S
        while rest and not self.closed:
            try:
                rest = rest[self._connection.send(rest) :]
                continue
            except (BlockingIOError, InterruptedError):
                pass
            except (OSError, ValueError):
                break
            if time.monotonic() > deadline:
                logger.warning("a client has not read its camera for %g s: closing that stream", SLOW_READER_S)
                break
            _wait_writable(self._connection, 500)
        if rest:
            with contextlib.suppress(RuntimeError):  # the loop may be gone at shutdown
                self._loop.call_soon_threadsafe(self.close)

    def _enqueue(self, rest: memoryview) -> None:
        self._backlog.append(rest)
        self._backlog_bytes += len(rest)
        if self._backlog_bytes > MAX_BACKLOG_BYTES:
            logger.warning("a client does not read its stream: closing it")
            self.close()

    def _catch_up(self) -> None:
        if self._newest is not None:
            self._enqueue(memoryview(self._newest))
            self._newest = None

    def _flush(self) -> None:
        while self._backlog:
            head = self._backlog[0]
            try:
                sent = self._connection.send(head)
            except (BlockingIOError, InterruptedError):
                return
            except OSError:
                self.close()
                return
            self._backlog_bytes -= sent
            if sent < len(head):
                self._backlog[0] = head[sent:]
                return
            self._backlog.popleft()
            if not self._backlog:
                self._catch_up()
        self._loop.remove_writer(self._connection)

    def close(self) -> None:
        """Event loop only. Forget the connection."""
        if self.closed:
            return
        self.closed = True
        self._backlog.clear()
        self._newest = None
        self._loop.remove_writer(self._connection)
        self._loop.remove_reader(self._connection)
        self._connection.close()


class StreamHub:
    """All streams and who reads them.

    Every server counts from a number of its own. The client of a server that is gone comes back to the port for its
    streams, for ever, and not for its calls: were it to find the world under the old number it would follow the new
    server's, ask the old one about it on a thread without anybody to catch the error, and end its process.
    """

    def __init__(self, port: int) -> None:
        self.port = port  # of the listening socket; goes into the tokens
        self._first_id = _NUMBERS_PER_SERVER * (1 + secrets.randbelow((1 << 15) - 1))
        self._next_id = self._first_id
        self._subscribers: dict[int, list[Subscriber]] = {}
        self._lock = threading.Lock()  # camera threads read the subscriber lists
        self._announced: dict[int, tuple[float, object]] = {}  # by stream: until when, and whose word it is
        self._settled: asyncio.Future | None = None
        self._greetings: dict[int, bytes] = {}
        self._tasks: set[asyncio.Task] = set()

    def new_stream(self) -> int:
        """A stream number that was never used before."""
        self._next_id += 1
        return self._next_id - 1

    def token(self, stream_id: int) -> bytes:
        """24-byte token of a stream."""
        return encode_token(stream_id, self.port)

    def subscribers(self, stream_id: int) -> tuple[Subscriber, ...]:
        """Any thread. The open connections of a stream."""
        with self._lock:
            return tuple(s for s in self._subscribers.get(stream_id, ()) if not s.closed)

    def send(self, stream_id: int, message: bytes, *, may_drop: bool) -> None:
        """Event loop only. Give a framed message to every reader of the stream."""
        for subscriber in self._subscribers.get(stream_id, ()):
            subscriber.write(message, may_drop=may_drop)

    def send_blocking(self, stream_id: int, message: memoryview) -> None:
        """Any thread but the event loop's. Give a framed message to every reader of the stream, at their pace."""
        for subscriber in self.subscribers(stream_id):
            subscriber.write_blocking(message)

    def greet(self, stream_id: int, message: bytes) -> None:
        """Remember what a new reader of the stream gets at once (the world's latest state)."""
        self._greetings[stream_id] = message

    # -- first-frame guard ---------------------------------------------------------------------------------------------

    def announce(self, stream_id: int, owner: object = None) -> None:
        """A client has asked for the token and is about to connect; see ``all_connected``. Numbers that are no stream
        hold nobody up.
        """
        if isinstance(stream_id, int) and self._first_id <= stream_id < self._next_id:
            self._announced[stream_id] = (time.monotonic() + FIRST_FRAME_GUARD_S, owner)

    def withdraw(self, owner: object) -> None:
        """The client that announced is gone: nobody waits for its connections any more."""
        for stream_id in [i for i, (_, who) in self._announced.items() if who is owner]:
            del self._announced[stream_id]
        self._settle()

    def _settle(self) -> None:
        if not self._announced and self._settled is not None and not self._settled.done():
            self._settled.set_result(None)

    async def all_connected(self) -> None:
        """Wait (at most a second) until every announced reader has connected.

        ``listen()`` returns before its connection stands. A tick sent right after would overtake it and its first
        frame be lost.
        """
        while self._announced:
            latest = max(deadline for deadline, _ in self._announced.values())
            remaining = latest - time.monotonic()
            if remaining <= 0:
                self._announced.clear()
                return
            self._settled = asyncio.get_running_loop().create_future()
            with contextlib.suppress(asyncio.TimeoutError):
                await asyncio.wait_for(self._settled, remaining)

    # -- connections ---------------------------------------------------------------------------------------------------

    async def accept(self, listener: socket.socket) -> None:
        """Serve the listening socket until cancelled."""
        loop = asyncio.get_running_loop()
        while True:
            try:
                connection, _ = await loop.sock_accept(listener)
            except OSError as error:  # no file descriptor left, or the client is gone already
                logger.warning("a stream connection could not be taken: %s", error)
                await asyncio.sleep(_ACCEPT_PAUSE_S)
                continue
            task = loop.create_task(self._introduce(connection))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _introduce(self, connection: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        connection.setblocking(False)
        name = b""
        try:
            while len(name) < 4:
                part = await asyncio.wait_for(loop.sock_recv(connection, 4 - len(name)), 10.0)
                if not part:
                    raise ConnectionError
                name += part
        except (OSError, asyncio.TimeoutError):
            connection.close()
            return
        # A number that is not (or no longer) a stream stays open and silent: closing it would make the client
        # reconnect at once.
        self._subscribe(int.from_bytes(name, "little"), Subscriber(connection, loop), connection, loop)

    def _subscribe(
        self, stream_id: int, subscriber: Subscriber, connection: socket.socket, loop: asyncio.AbstractEventLoop
    ) -> None:
        def on_readable() -> None:
            try:
                gone = not connection.recv(4096)
            except (BlockingIOError, InterruptedError):
                return
            except OSError:
                gone = True
            if gone:
                subscriber.close()
                self._forget(stream_id, subscriber)

        with self._lock:
            readers = self._subscribers.setdefault(stream_id, [])
            readers[:] = [s for s in readers if not s.closed] + [subscriber]
        loop.add_reader(connection, on_readable)
        if stream_id in self._greetings:
            subscriber.write(self._greetings[stream_id], may_drop=False)
        self._announced.pop(stream_id, None)
        self._settle()

    def _forget(self, stream_id: int, subscriber: Subscriber) -> None:
        with self._lock:
            readers = [s for s in self._subscribers.get(stream_id, ()) if s is not subscriber]
            if readers:
                self._subscribers[stream_id] = readers
            else:
                self._subscribers.pop(stream_id, None)

    def close(self) -> None:
        """Event loop only. Drop every reader."""
        for task in self._tasks:
            task.cancel()
        for readers in self._subscribers.values():
            for subscriber in readers:
                subscriber.close()
        self._subscribers.clear()
