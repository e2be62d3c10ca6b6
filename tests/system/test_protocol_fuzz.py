"""Bad clients: whatever they send, the server lives on and a well-behaved client beside them is served."""

from __future__ import annotations

import contextlib
import socket
import struct
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import msgpack
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from tests.launch.test_protocol_methods import EVERY_METHOD
from tests.system.protocol_tour import RawClient

pytestmark = pytest.mark.system

ROOT = Path(__file__).resolve().parents[2]
PHASES = (Phase.explicit, Phase.generate)
QUICK = settings(max_examples=100, deadline=None, phases=PHASES, suppress_health_check=list(HealthCheck))
FEW = settings(QUICK, max_examples=25)

NUMBERS = st.one_of(
    st.integers(-3, 70),
    st.integers(-(1 << 63), (1 << 64) - 1),
    st.floats(),
    st.floats(-100.0, 100.0),
    st.sampled_from([1e7, 1e9, 1e300, -1e300, 3.5e38]),
)
LEAVES = st.one_of(st.none(), st.booleans(), NUMBERS, st.text(max_size=12), st.binary(max_size=30))
VALUES = st.recursive(
    LEAVES,
    lambda inner: st.one_of(st.lists(inner, max_size=12), st.dictionaries(st.text(max_size=4), inner, max_size=2)),
    max_leaves=12,
)
VECTORS = st.lists(NUMBERS, min_size=3, max_size=3)
TRANSFORMS = st.tuples(VECTORS, VECTORS)
IDS = st.integers(0, 70)
ARGUMENTS = st.one_of(
    st.lists(VALUES, max_size=5),
    st.tuples(IDS, VECTORS),
    st.tuples(IDS, TRANSFORMS),
    st.tuples(IDS, NUMBERS),
    st.tuples(IDS, st.lists(NUMBERS, min_size=5, max_size=7)),
    st.tuples(st.lists(NUMBERS, min_size=11, max_size=14)),
    st.tuples(st.lists(st.tuples(st.tuples(st.integers(0, 22), st.lists(VALUES, max_size=6))), max_size=4)),
    st.tuples(
        st.tuples(
            st.just(1),
            st.sampled_from(["vehicle.audi.tt", "walker.pedestrian.0001", "sensor.other.imu", "sensor.camera.rgb"]),
            st.lists(st.tuples(st.sampled_from(["color", "sticky_control", "noise_seed", "fov"]), IDS, VALUES)),
        ),
        TRANSFORMS,
    ),
)


@pytest.fixture(scope="module")
def witness(server) -> Iterator[subprocess.Popen]:
    """The well-behaved client; at the end it must have gone on all the time."""
    command = [sys.executable, "-m", "tests.system.witness", server.host, str(server.port)]
    process = subprocess.Popen(
        command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stdout.readline().strip() == "ready"
    yield process
    output, errors = process.communicate("", timeout=30)
    assert process.returncode == 0, errors[-3000:]
    assert int(output.split()[-1]) > 5


def connect(server, port: int | None = None) -> socket.socket:
    return socket.create_connection((server.host, port or server.port), timeout=10.0)


@pytest.fixture(scope="module")
def stream_port(server) -> int:
    client = RawClient(server.host, server.port)
    _, result = client.call("get_episode_info")
    client.close()
    return struct.unpack_from("<H", result[0][1][1][0], 4)[0]


def send(connection: socket.socket, data: bytes, *, reset: bool = False) -> None:
    """Send what the other side takes; it may hang up. Then close, with a TCP reset if ``reset``."""
    with contextlib.suppress(OSError):
        connection.sendall(data)
        if reset:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


def is_served(server, witness: subprocess.Popen) -> None:
    assert witness.poll() is None, witness.stderr.read()[-3000:]
    client = RawClient(server.host, server.port)
    assert client.call("version") == (None, [[1, "0.9.16"]])
    client.close()


@given(data=st.binary(min_size=1, max_size=200), reset=st.booleans())
@QUICK
def test_noise_on_the_rpc_port(server, witness, data, reset):
    send(connect(server), data, reset=reset)


@given(data=st.binary(max_size=12), reset=st.booleans())
@QUICK
def test_noise_on_the_stream_port(server, stream_port, witness, data, reset):
    send(connect(server, stream_port), data, reset=reset)


@given(calls=st.lists(st.tuples(st.sampled_from(EVERY_METHOD), ARGUMENTS), min_size=1, max_size=12))
@QUICK
def test_odd_calls_are_all_answered(server, witness, calls):
    client = RawClient(server.host, server.port)
    for method, arguments in calls:
        error, result = client.call(method, *arguments)
        assert error is not None or isinstance(result, list), method
    client.close()
    is_served(server, witness)


@given(message=VALUES)
@FEW
def test_well_formed_messages_that_are_no_requests(server, witness, message):
    send(connect(server), msgpack.packb(message))
    is_served(server, witness)


@given(
    calls=st.lists(st.sampled_from(["tick_cue", "get_map_data", "apply_batch", "get_actors_by_id"]), max_size=5),
    cut=st.integers(0, 40),
    reset=st.booleans(),
)
@FEW
def test_clients_that_vanish_in_the_middle_of_a_call(server, witness, calls, cut, reset):
    data = b"".join(msgpack.packb([0, number, name, [[False], []]]) for number, name in enumerate(calls))
    send(connect(server), data + msgpack.packb([0, 99, "version", [[False]]])[:cut], reset=reset)
    is_served(server, witness)


@pytest.mark.parametrize("header", [b"\xdd\xff\xff\xff\xff", b"\xdf\xff\xff\xff\xff"], ids=["array", "map"])
def test_arrays_and_maps_of_four_billion_entries_close_their_connection(server, witness, header):
    connection = connect(server)
    connection.sendall(header)
    assert connection.recv(1) == b""
    connection.close()
    is_served(server, witness)


@pytest.mark.parametrize(
    "header",
    [b"\xc6\xff\xff\xff\xff", b"\xdb\xff\xff\xff\xff", b"\x91" * 5000, b"\xdd\x00\x0f\xff\xff" * 200],
    ids=["bytes", "text", "nested", "nested arrays"],
)
def test_other_giants_harm_nobody(server, witness, header):
    connection = connect(server)
    connection.sendall(header)
    is_served(server, witness)
    connection.close()


def test_a_message_that_never_ends_closes_its_connection(server, witness):
    connection, sent = connect(server), 0
    chunk = b"\x00" * (1 << 20)
    with contextlib.suppress(OSError):
        connection.sendall(b"\x94\x00\x01\xa1x\xc6\x04\x00\x00\x00")  # 64 MiB of bytes are announced
        while sent < 80 << 20:
            connection.sendall(chunk)
            sent += len(chunk)
    connection.close()
    assert sent < 80 << 20
    is_served(server, witness)


def test_replies_that_nobody_reads_do_not_pile_up(server, witness):
    """A client that asks for the map thousands of times and reads nothing is not served further."""
    connection = connect(server)
    connection.settimeout(0.5)
    with contextlib.suppress(OSError):
        for number in range(3000):
            connection.sendall(msgpack.packb([0, number, "get_map_data", [[False]]]))
    is_served(server, witness)
    with open(f"/proc/{server.process_id}/status", encoding="utf-8") as status:
        kilobytes = next(int(line.split()[1]) for line in status if line.startswith("VmRSS"))
    connection.close()
    assert kilobytes < 2_000_000
