"""Ports, and the life and death of simulator processes."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from linkvla.launch.carla_server import ports
from linkvla.launch.carla_server.errors import CarlaServerError, PortError
from linkvla.launch.carla_server.process import SimServer

SLEEPER = "import time; print('up', flush=True); time.sleep(600)"


def gone(process_id: int, within: float = 15.0) -> bool:
    deadline = time.monotonic() + within
    while time.monotonic() < deadline:
        state = Path(f"/proc/{process_id}/stat")
        if not state.exists() or state.read_text().rpartition(")")[2].split()[0] == "Z":
            return True
        time.sleep(0.05)
    return False


def test_a_free_block_is_free():
    with ports.port_lock():
        port = ports.free_port()
    assert port % ports.BLOCK == 0
    ports.check_free(port)


@pytest.mark.parametrize("offset", [0, 1, ports.TRAFFIC_MANAGER_OFFSET])
def test_a_block_with_a_taken_port_is_passed_over(offset: int):
    with ports.port_lock():
        port = ports.free_port(first=30_000)
        with socket.create_server(("127.0.0.1", port + offset)):
            assert ports.free_port(first=port) > port
            if offset in ports.SERVER_PORTS:
                with pytest.raises(PortError, match=rf"{port + offset} .* in use"):
                    ports.check_free(port)


def test_a_leased_block_is_passed_over_until_it_is_given_back():
    with ports.PortLease(first=30_500) as first, ports.PortLease(first=first.port) as second:
        assert second.port > first.port
        assert second.traffic_manager_port == second.port + ports.TRAFFIC_MANAGER_OFFSET
    with ports.PortLease(first=first.port) as again:
        assert again.port == first.port


def test_a_lease_ends_with_its_holder():
    program = (
        "import time; from linkvla.launch.carla_server.ports import PortLease; lease = PortLease(30_700)\n"
        "print(lease.port, flush=True); time.sleep(600)"
    )
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE) as holder:
        port = int(holder.stdout.readline())
        with ports.PortLease(first=port) as other:
            assert other.port > port
        holder.kill()
    with ports.PortLease(first=port) as mine:
        assert mine.port == port


@pytest.mark.parametrize("port", [0, 80, 65_535])
def test_ports_that_cannot_be_used(port: int):
    with pytest.raises(PortError, match=str(port)):
        ports.check_free(port)


def test_a_wanted_port_that_is_taken_is_refused():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(PortError, match=str(port)):
            SimServer(port=port)


def test_refusal_of_the_server_is_the_message(tmp_path: Path):
    log = tmp_path / "sim.log"
    with pytest.raises(CarlaServerError) as caught:
        SimServer(town="Nowhereville", log=log)
    assert "Nowhereville" in str(caught.value) and "\n" not in str(caught.value)
    assert "Traceback" not in log.read_text()


def test_a_server_that_is_not_ready_in_time_is_stopped(tmp_path: Path):
    with pytest.raises(CarlaServerError, match=r"not ready after 0\.01 s"):
        SimServer(log=tmp_path / "sim.log", start_timeout=0.01)


@pytest.mark.skipif(not Path("/proc").exists(), reason="reads process states from /proc")
def test_a_guarded_program_ends_with_its_starter(tmp_path: Path):
    (tmp_path / "sleeper.py").write_text(SLEEPER)
    starter = (
        "import subprocess, sys, time\n"
        "child = subprocess.Popen([sys.executable, '-m', 'linkvla.launch.carla_server.guard', 'sleeper'],\n"
        "    stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True)\n"
        "child.stdout.readline()\n"
        "print(child.pid, flush=True)\n"
        "time.sleep(600)\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", starter],
        stdout=subprocess.PIPE,
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
    )
    try:
        child = int(process.stdout.readline())
        assert not gone(child, within=0.2)
        process.send_signal(signal.SIGKILL)
        assert gone(child)
    finally:
        process.kill()
        process.wait()
        process.stdout.close()
