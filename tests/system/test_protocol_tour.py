"""The tour of the protocol against the embedded server: every stop succeeds, and every method was really sent."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.launch.test_protocol_methods import EVERY_METHOD
from tests.system.rpc_relay import RpcRelay

pytestmark = pytest.mark.system

ROOT = Path(__file__).resolve().parents[2]


def test_the_tour_covers_every_method(server):
    relay = RpcRelay(server.host, server.port)
    try:  # in a process of its own: the client holds Python's lock while it waits, and the relay needs it
        command = [sys.executable, "-m", "tests.system.protocol_tour", "--port", str(relay.port)]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120)
    finally:
        relay.close()
    assert done.returncode == 0, done.stdout + done.stderr
    assert sorted(set(EVERY_METHOD) - relay.methods) == []
