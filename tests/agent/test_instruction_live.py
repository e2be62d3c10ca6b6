"""What is said while it drives: typed at the console, posted to the endpoint."""

from __future__ import annotations

import http.client
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator

import numpy as np
import pytest

from linkvla.agent.instruction.console import Console
from linkvla.agent.instruction.desk import InstructionDesk
from linkvla.agent.instruction.endpoint import MAX_BODY_BYTES, MAX_REQUESTS, Endpoint
from linkvla.agent.instruction.live import LiveInstructions
from linkvla.agent.recorder import TickRecord
from linkvla.model.interface.errors import ConfigurationError
from linkvla.model.interface.types import Plan


def heard(live: LiveInstructions) -> tuple[str, str] | None:
    found = live.current(0.0)
    return None if found is None else (found.text, found.source)


def wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20.0
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_lines_at_the_console_are_instructions():
    live = LiveInstructions()
    read, write = os.pipe()
    with os.fdopen(read) as stream:
        console = Console(live, stream)
        os.write(write, b"Drive slower.\nSto")
        wait_until(lambda: heard(live) == ("Drive slower.", "console"))
        os.write(write, b"p  now.\r\n")
        wait_until(lambda: heard(live) == ("Stop now.", "console"))
        os.write(write, b"x" * 5000 + b"\n\xff\x1b[A\n")  # too long, and the arrow key: neither is a sentence
        os.write(write, b"\n")
        wait_until(lambda: heard(live) is None)
        os.write(write, b"Go.")
        os.close(write)
        wait_until(lambda: heard(live) == ("Go.", "console"))
        wait_until(lambda: not console.listening)
        console.close()


def test_a_console_that_nobody_uses_can_be_closed():
    read, write = os.pipe()
    with os.fdopen(read) as stream:
        console = Console(LiveInstructions(), stream)
        assert console.listening
        console.close()
        console.close()
        assert not console.listening
    os.close(write)


@pytest.mark.parametrize("redirection", ["<&-", "</dev/null"])
def test_without_standard_input_nobody_speaks(redirection: str):
    program = (
        "from linkvla.agent.instruction.console import Console\n"
        "from linkvla.agent.instruction.live import LiveInstructions\n"
        "console = Console(LiveInstructions())\n"
        "console.close()\n"
        "print('fine')\n"
    )
    command = ["bash", "-c", f'exec "$0" -c "$1" {redirection}', sys.executable, program]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert (done.returncode, done.stdout, done.stderr) == (0, "fine\n", "")


def test_a_program_ends_while_the_console_still_listens():
    """Python dies of a thread that holds the lock of ``sys.stdin`` at exit; this one must not."""
    program = (
        "from linkvla.agent.instruction.console import Console\n"
        "from linkvla.agent.instruction.live import LiveInstructions\n"
        "Console(LiveInstructions())\n"
    )
    process = subprocess.Popen([sys.executable, "-c", program], stdin=subprocess.PIPE, stderr=subprocess.PIPE)
    try:
        assert process.wait(120) == 0
        assert process.stderr.read() == b""
    finally:
        process.kill()
        process.wait()
        process.stdin.close()
        process.stderr.close()


@pytest.fixture
def live() -> LiveInstructions:
    return LiveInstructions()


@pytest.fixture
def endpoint(live: LiveInstructions) -> Iterator[Endpoint]:
    serving = Endpoint(live, 0)
    yield serving
    serving.close()


def ask(endpoint: Endpoint, method: str, path: str, body: bytes | None = None, **headers: str) -> tuple[int, dict]:
    connection = http.client.HTTPConnection("127.0.0.1", endpoint.port, timeout=20)
    try:
        connection.request(method, path, body, {name.replace("_", "-"): value for name, value in headers.items()})
        answer = connection.getresponse()
        return answer.status, json.loads(answer.read())
    finally:
        connection.close()


def test_posts_are_instructions(endpoint: Endpoint, live: LiveInstructions):
    assert ask(endpoint, "POST", "/instruction", b"Stop now.") == (200, {"instruction": "Stop now."})
    assert heard(live) == ("Stop now.", "http")
    assert ask(endpoint, "DELETE", "/instruction") == (200, {"instruction": None})
    assert heard(live) is None
    body = json.dumps({"text": "Drive slower.", "duration": 2}).encode()
    assert ask(endpoint, "POST", "/instruction", body, Content_Type="application/json")[0] == 200
    assert live.current(10.0).text == "Drive slower."
    assert live.current(12.0) is None


def test_the_state_is_the_last_tick(endpoint: Endpoint):
    assert ask(endpoint, "GET", "/state") == (200, {})
    assert ask(endpoint, "GET", "/picture.jpg")[0] == 404
    image = np.zeros((64, 128, 3), np.uint8)
    tick = TickRecord(3, 0.15, (1.0, 2.0, 0.0), 4.5, (0.3, 0.0, 0.0), "model", instruction="Go.", image=image)
    endpoint.publish(tick)
    status, state = ask(endpoint, "GET", "/state")
    assert (status, state["tick"], state["speed"], state["instruction"]) == (200, 3, 4.5, "Go.")
    connection = http.client.HTTPConnection("127.0.0.1", endpoint.port, timeout=20)
    connection.request("GET", "/picture.jpg?3")
    assert connection.getresponse().read(3) == b"\xff\xd8\xff"
    connection.close()


def test_words_stay_in_the_state_until_there_are_others(endpoint: Endpoint):
    """A network that speaks on every 20th frame says nothing on the others."""
    points = Plan(np.zeros((20, 2)), np.zeros((10, 2)), "Follow the road.")
    silent = Plan(np.zeros((20, 2)), np.zeros((10, 2)))
    for number, plan in enumerate((points, silent)):
        endpoint.publish(TickRecord(number, 0.05 * number, (0.0, 0.0, 0.0), 1.0, (0.0, 0.0, 0.0), "model", plan=plan))
    _, state = ask(endpoint, "GET", "/state")
    assert (state["tick"], state["said"]) == (1, "Follow the road.")


@pytest.mark.parametrize("path", ["/", "/page.css", "/page.js"])
def test_the_page_is_served_and_closed_to_other_sites(endpoint: Endpoint, path: str):
    connection = http.client.HTTPConnection("127.0.0.1", endpoint.port, timeout=20)
    connection.request("GET", path)
    answer = connection.getresponse()
    assert answer.status == 200 and answer.read()
    assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
    assert answer.headers["Access-Control-Allow-Origin"] is None
    connection.close()


@pytest.mark.parametrize(
    "headers",
    [
        {"Host": "evil.example"},
        {"Host": "127.0.0.1"},
        {"Origin": "http://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://localhost:1"},
        {"Sec_Fetch_Site": "cross-site"},
        {"Sec_Fetch_Site": "same-site"},
    ],
)
def test_other_sites_may_not_speak(endpoint: Endpoint, live: LiveInstructions, headers: dict):
    for method, body in (("POST", b"Stop now."), ("DELETE", None)):
        assert ask(endpoint, method, "/instruction", body, **headers)[0] == 403
    assert heard(live) is None


def test_our_own_page_may_speak(endpoint: Endpoint, live: LiveInstructions):
    origin = endpoint.address.rstrip("/")
    assert ask(endpoint, "POST", "/instruction", b"Go.", Origin=origin, Sec_Fetch_Site="same-origin")[0] == 200
    assert heard(live) == ("Go.", "http")


@pytest.mark.parametrize(
    ("body", "kind", "status"),
    [
        (b"x" * 201, "text/plain", 400),
        (b"a\x00b", "text/plain", 400),
        (b"{", "application/json", 400),
        (b"[" * 4000, "application/json", 400),
        (b'{"text": 5}', "application/json", 400),
        (b'{"text": "Go.", "duration": "long"}', "application/json", 400),
        (b'{"text": "Go.", "colour": 1}', "application/json", 400),
        (b"x" * (MAX_BODY_BYTES + 1), "text/plain", 413),
    ],
)
def test_what_is_no_instruction_is_refused(endpoint: Endpoint, live, body: bytes, kind: str, status: int):
    got, answer = ask(endpoint, "POST", "/instruction", body, Content_Type=kind)
    assert got == status and answer["error"]
    assert heard(live) is None


def test_a_body_needs_a_length(endpoint: Endpoint):
    for length in ("-1", "99999999999999999999", "many", ""):
        status, _ = ask(endpoint, "POST", "/instruction", b"", Content_Length=length)
        assert status in (411, 413)


def test_idle_connections_do_not_pile_up(endpoint: Endpoint):
    """Those above the limit are dropped, and when one goes another may come."""
    held = [socket.create_connection(("127.0.0.1", endpoint.port), timeout=20) for _ in range(MAX_REQUESTS)]
    try:
        with socket.create_connection(("127.0.0.1", endpoint.port), timeout=20) as extra:
            assert extra.recv(1) == b""
    finally:
        for connection in held:
            connection.close()

    def served() -> bool:
        try:
            return ask(endpoint, "GET", "/state")[0] == 200
        except (OSError, http.client.HTTPException):
            return False

    wait_until(served)


def test_a_port_is_given_back_and_a_busy_one_is_named(live: LiveInstructions):
    first = InstructionDesk(port=0)
    port = int(first.address.rstrip("/").rpartition(":")[2])
    with pytest.raises(ConfigurationError, match=f"port {port} "):
        InstructionDesk(port=port)
    first.close()
    again = InstructionDesk(port=port)
    assert again.address == f"http://127.0.0.1:{port}/"
    again.close()
    assert InstructionDesk().address is None
