"""Streams over real loopback sockets: tokens, subscriptions, first-frame guard, slow readers."""

from __future__ import annotations

import asyncio
import socket
import struct
import time

from linkvla.launch.sim.protocol.streams import StreamHub, encode_token, framed


def serve(scenario):
    """Run ``scenario(hub)`` while the hub accepts connections."""

    async def run():
        listener = socket.create_server(("127.0.0.1", 0))
        listener.setblocking(False)
        hub = StreamHub(listener.getsockname()[1])
        accepting = asyncio.ensure_future(hub.accept(listener))
        try:
            return await asyncio.wait_for(scenario(hub), 10.0)
        finally:
            accepting.cancel()
            hub.close()
            listener.close()

    return asyncio.run(run())


async def subscribe(hub: StreamHub, stream_id: int):
    reader, writer = await asyncio.open_connection("127.0.0.1", hub.port)
    writer.write(struct.pack("<I", stream_id))
    return reader, writer


async def until(condition) -> None:
    while not condition():
        await asyncio.sleep(0.002)


async def read_message(reader) -> bytes:
    (length,) = struct.unpack("<I", await reader.readexactly(4))
    return await reader.readexactly(length)


def test_token_layout():
    token = encode_token(0x01020304, 2001)
    assert len(token) == 24
    assert token[:8] == bytes((4, 3, 2, 1)) + struct.pack("<H", 2001) + bytes((1, 0))


def test_every_subscriber_gets_every_message_of_its_stream_only():
    async def scenario(hub):
        one, two = hub.new_stream(), hub.new_stream()
        first, _w1 = await subscribe(hub, one)
        second, _w2 = await subscribe(hub, one)
        other, _w3 = await subscribe(hub, two)
        await until(lambda: len(hub.subscribers(one)) == 2 and hub.subscribers(two))
        hub.send(one, framed(b"hello"), may_drop=False)
        hub.send(two, framed(b"other"), may_drop=False)
        return [await read_message(reader) for reader in (first, second, other)]

    assert serve(scenario) == [b"hello", b"hello", b"other"]


def test_every_server_has_numbers_of_its_own():
    numbers = [StreamHub(2001).new_stream() for _ in range(4)]
    assert len(set(numbers)) > 1  # of 32,767, so that four are hardly ever the same
    assert all(0 < number < 1 << 32 for number in numbers)


def test_new_subscriber_is_greeted_with_the_latest_state():
    async def scenario(hub):
        stream = hub.new_stream()
        hub.greet(stream, framed(b"latest"))
        reader, _writer = await subscribe(hub, stream)
        return await read_message(reader)

    assert serve(scenario) == b"latest"


def test_tick_waits_for_an_announced_subscriber():
    async def scenario(hub):
        stream = hub.new_stream()
        hub.announce(stream)
        waiting = asyncio.ensure_future(hub.all_connected())
        await asyncio.sleep(0.05)
        assert not waiting.done()
        _connection = await subscribe(hub, stream)
        await asyncio.wait_for(waiting, 0.5)
        return len(hub.subscribers(stream))

    assert serve(scenario) == 1


def test_guard_gives_up_on_a_subscriber_that_never_comes(monkeypatch):
    monkeypatch.setattr("linkvla.launch.sim.protocol.streams.FIRST_FRAME_GUARD_S", 0.05)

    async def scenario(hub):
        hub.announce(hub.new_stream())
        started = time.monotonic()
        await hub.all_connected()
        await hub.all_connected()
        return time.monotonic() - started

    assert serve(scenario) < 5.0


def test_slow_reader_gets_everything_in_order_unless_dropping_is_allowed():
    async def scenario(hub):
        stream = hub.new_stream()
        reader, _writer = await subscribe(hub, stream)
        await until(lambda: hub.subscribers(stream))
        for number in range(200):
            hub.send(stream, framed(bytes((number,)) * 100_000), may_drop=False)
        kept = [(await read_message(reader))[0] for _ in range(200)]
        for number in range(200):
            hub.send(stream, framed(bytes((number,)) * 100_000), may_drop=True)
        got = [(await read_message(reader))[0]]
        while got[-1] != 199:
            got.append((await read_message(reader))[0])
        return kept, got

    kept, got = serve(scenario)
    assert kept == list(range(200))
    assert got[0] == 0
    assert got == sorted(got)
    assert len(got) < 200  # some were dropped, but never the newest: a client may be waiting for just that frame


def test_camera_thread_writes_a_large_message_to_a_slow_reader():
    async def scenario(hub):
        stream = hub.new_stream()
        reader, _writer = await subscribe(hub, stream)
        await until(lambda: hub.subscribers(stream))
        (subscriber,) = hub.subscribers(stream)
        message = framed(bytes(range(256)) * 40_000)
        sending = asyncio.get_running_loop().run_in_executor(None, subscriber.write_blocking, memoryview(message))
        await asyncio.sleep(0.05)
        got = await read_message(reader)
        await sending
        return got == message[4:]

    assert serve(scenario)


def test_closed_subscriber_is_forgotten_and_unknown_streams_stay_open():
    async def scenario(hub):
        stream = hub.new_stream()
        _reader, writer = await subscribe(hub, stream)
        await until(lambda: hub.subscribers(stream))
        writer.close()
        await until(lambda: not hub.subscribers(stream))
        stray, _stray_writer = await subscribe(hub, 999)
        await until(lambda: hub.subscribers(999))
        await asyncio.sleep(0.02)
        return stray.at_eof()

    assert serve(scenario) is False
