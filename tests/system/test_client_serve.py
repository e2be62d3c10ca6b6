"""Starting and stopping the server: bad input is one clear line and exit code 2, signals end it cleanly."""

from __future__ import annotations

import json
import re
import signal
import socket
import subprocess
import sys
import urllib.request

import carla
import cv2
import numpy as np
import pytest

from linkvla.launch.carla_server.process import SimServer

pytestmark = pytest.mark.system

COMMAND = [sys.executable, "-m", "linkvla.launch.sim"]
OUTLIVES_ITS_SERVER = """
import time
import carla
from linkvla.launch.carla_server.process import SimServer

def connect(server):
    client = carla.Client(server.host, server.port)
    client.set_timeout(10.0)
    return client

with SimServer(town="Maple") as first:
    old = connect(first)
    old.set_timeout(1.0)
    old_world = old.get_world()
    old_world.wait_for_tick()
with SimServer(town="Maple", port=first.port) as second:
    time.sleep(2.0)
    new = connect(second)
    new.load_world("Birch").wait_for_tick()
    time.sleep(3.0)
    new.get_world().wait_for_tick()
print("alive")
"""


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


def test_a_taken_view_port_is_one_line():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        result = run("--port", "0", "--view", "--view-port", str(port))
    assert result.returncode == 2
    assert result.stderr.count("\n") == 1
    assert f"port {port}" in result.stderr and "--view-port" in result.stderr


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_signals_end_it_cleanly(number):
    process = subprocess.Popen(
        [*COMMAND, "--port", "0", "--view", "--view-port", "0"],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, bufsize=1,
    )  # fmt: skip
    try:
        assert process.stdout.readline().startswith("linkvla sim: live view at http://127.0.0.1:")
        listening = process.stdout.readline()
        assert listening.startswith("linkvla sim: listening on 127.0.0.1:")
        port = int(listening.partition("127.0.0.1:")[2].partition(",")[0])
        client = carla.Client("127.0.0.1", port)
        client.set_timeout(20.0)
        client.get_world()
        with pytest.raises(RuntimeError, match="Nowhereville"):
            client.load_world("Nowhereville")
        process.send_signal(number)
        output, errors = process.communicate(timeout=20)
    finally:
        process.kill()
    assert process.returncode == 0
    assert output == "linkvla sim: stopped\n"
    log = errors.splitlines()
    assert all(re.match(r"\d\d:\d\d:\d\d (info|warning) ", line) for line in log), errors
    assert any("client 127.0.0.1" in line and "connected" in line for line in log)
    assert any(" warning " in line and "Nowhereville" in line for line in log)


def test_a_browser_sees_what_a_client_does():
    with SimServer(town="Maple", options=("--view", "--view-port", "0")) as server:
        page = re.search(r"live view at (\S+)", server.log.read_text()).group(1)
        assert b"Nobody is connected yet" in urllib.request.urlopen(page, timeout=20.0).read()
        client = carla.Client(server.host, server.port)
        client.set_timeout(20.0)
        world = client.get_world()
        blueprint = world.get_blueprint_library().find("vehicle.tesla.model3")
        blueprint.set_attribute("role_name", "hero")
        hero = world.spawn_actor(blueprint, world.get_map().get_spawn_points()[0])
        world.wait_for_tick()
        state = json.load(urllib.request.urlopen(f"{page}state.json", timeout=20.0))
        assert state["ego"] == hero.id and state["clients"] >= 1
        pictures = {view: _picture(page, view) for view in ("behind", "spectator")}
        assert all(picture.shape == (450, 800, 3) for picture in pictures.values())
        assert np.abs(pictures["behind"].astype(int) - pictures["spectator"]).mean() > 1.0
        assert _picture(page, "sensor&actor=99999999999999999999").shape == (450, 800, 3)


def test_a_client_outlives_its_server_and_leaves_the_next_one_on_that_port_alone():
    """It comes back for its streams, and would end its process over a change of town that it saw there."""
    command = [sys.executable, "-c", OUTLIVES_ITS_SERVER]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0 and done.stdout.endswith("alive\n"), done.stderr


def _picture(page: str, view: str) -> np.ndarray:
    coded = urllib.request.urlopen(f"{page}picture.jpg?from={view}", timeout=20.0).read()
    return cv2.imdecode(np.frombuffer(coded, np.uint8), cv2.IMREAD_COLOR)
