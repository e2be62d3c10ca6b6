"""Starting and stopping the server: bad input is one clear line and exit code 2, signals end it cleanly."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys

import pytest

pytestmark = pytest.mark.system

COMMAND = [sys.executable, "-m", "linkvla.launch.sim"]


def run(*arguments: str) -> subprocess.CompletedProcess:
    return subprocess.run([*COMMAND, *arguments], capture_output=True, text=True, timeout=60, check=False)


def test_port_in_use_is_one_line():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        result = run("--port", str(port))
    assert result.returncode == 2
    assert result.stderr.count("\n") == 1
    assert f"port {port}" in result.stderr
    assert "in use" in result.stderr


def test_unknown_town_is_one_line_that_names_the_others():
    result = run("--port", "0", "--town", "Mapel")
    assert result.returncode == 2
    assert result.stderr.count("\n") == 1
    assert "Mapel" in result.stderr
    assert "Maple" in result.stderr


def test_missing_towns_directory_is_one_line():
    result = run("--towns", "no/such/folder")
    assert result.returncode == 2
    assert result.stderr.count("\n") == 1
    assert "no/such/folder" in result.stderr


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_signals_end_it_cleanly(number):
    process = subprocess.Popen(
        [*COMMAND, "--port", "0"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, bufsize=1
    )
    try:
        assert process.stdout.readline().startswith("linkvla sim: listening on 127.0.0.1:")
        process.send_signal(number)
        _, errors = process.communicate(timeout=20)
    finally:
        process.kill()
    assert process.returncode == 0
    assert errors == ""
