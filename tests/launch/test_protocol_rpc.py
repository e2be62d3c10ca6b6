"""MessagePack-RPC framing, order of execution and error envelopes, over a real socket with a stand-in simulation."""

from __future__ import annotations

import asyncio

import msgpack
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from linkvla.launch.sim.protocol.envelope import MethodError
from linkvla.launch.sim.protocol.registry import METHODS, refuse, rpc
from linkvla.launch.sim.protocol.rpc import RpcConnection, pack, request_reader


class Hall:
    """What a connection needs of a simulation."""

    def __init__(self) -> None:
        self.sessions = set()
        self.closed = []
        self.log = []

    def close_session(self, session) -> None:
        self.sessions.discard(session)
        self.closed.append(session)


@pytest.fixture(autouse=True)
def methods():
    @rpc("test_add")
    def _add(session, left, right):
        session.simulation.log.append("add")
        return left + right

    @rpc("test_slow")
    async def _slow(session):
        await asyncio.sleep(0.02)
        session.simulation.log.append("slow")
        return 1

    @rpc("test_void", void=True)
    def _void(session):
        raise MethodError("not today")

    @rpc("test_bug")
    def _bug(session):
        raise RuntimeError("boom")

    refuse(("test_refused",), "it is a test")
    yield
    for name in [name for name in METHODS if name.startswith("test_")]:
        del METHODS[name]


def converse(requests: bytes, replies: int) -> tuple[list, Hall]:
    """Send raw bytes, read that many replies."""

    async def talk():
        hall = Hall()
        server = await asyncio.get_running_loop().create_server(lambda: RpcConnection(hall), "127.0.0.1", 0)
        reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
        writer.write(requests)
        unpacker, got = msgpack.Unpacker(raw=False), []
        while len(got) < replies:
            data = await asyncio.wait_for(reader.read(65536), 5.0)
            if not data:
                break
            unpacker.feed(data)
            got.extend(unpacker)
        writer.close()
        for _ in range(100):
            if not hall.sessions:
                break
            await asyncio.sleep(0.01)
        server.close()
        return got, hall

    return asyncio.run(talk())


def request(number: int, name: str, *arguments) -> bytes:
    return pack([0, number, name, [[False], *arguments]])


def test_result_is_wrapped_and_numbered():
    replies, _ = converse(request(7, "test_add", 2, 3), 1)
    assert replies == [[1, 7, None, [[1, 5]]]]


def test_later_requests_wait_for_an_earlier_one_that_waits():
    replies, hall = converse(request(1, "test_slow") + request(2, "test_add", 1, 1), 2)
    assert [reply[1] for reply in replies] == [1, 2]
    assert hall.log == ["slow", "add"]


def test_errors_use_the_envelope_that_the_method_declares():
    replies, _ = converse(request(1, "test_void") + request(2, "test_bug") + request(3, "test_refused", 4), 3)
    assert replies[0][3] == [[True, ["not today"]]]
    assert replies[1][3][0][0] == 0
    assert "boom" in replies[1][3][0][1][0]
    assert "test_refused is not available" in replies[2][3][0][1][0]


def test_wrong_number_of_arguments_is_answered():
    replies, _ = converse(request(1, "test_add", 1), 1)
    assert replies[0][3][0][0] == 0


def test_unknown_method_is_an_rpc_error_not_a_hang():
    replies, _ = converse(request(5, "no_such_method"), 1)
    assert replies[0][:2] == [1, 5]
    assert "no_such_method" in replies[0][2]


@pytest.mark.parametrize("garbage", [b"\xc1\xc1", b"GET / HTTP/1.1\r\n\r\n", pack([0, 1]), pack({"a": 1})])
def test_garbage_closes_the_connection(garbage):
    replies, hall = converse(garbage, 1)
    assert replies == []
    assert len(hall.closed) == 1


def test_a_closed_connection_is_reported():
    _, hall = converse(request(1, "test_add", 1, 2), 1)
    assert len(hall.closed) == 1
    assert not hall.sessions


@settings(max_examples=30, deadline=None)
@given(st.lists(st.integers(0, 2**32 - 1), min_size=1, max_size=5), st.integers(1, 7))
def test_requests_survive_any_fragmentation(numbers, size):
    data = b"".join(request(number, "test_add", 1, 2) for number in numbers)
    reader, got = request_reader(), []
    for start in range(0, len(data), size):
        reader.feed(data[start : start + size])
        got.extend(reader)
    assert [message[1] for message in got] == numbers
