"""The live page's server: who may read it, what it refuses, and what it shows of a world."""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
from concurrent.futures import Future
from types import SimpleNamespace

import cv2
import numpy as np
import pytest

from linkvla.launch.sim.errors import SimError
from linkvla.launch.sim.protocol.environment import Environment
from linkvla.launch.sim.protocol.settings import EpisodeSettings
from linkvla.launch.sim.protocol.street_lamps import StreetLamps
from linkvla.launch.sim.render.scene import TownScene
from linkvla.launch.sim.sockets import bind_view
from linkvla.launch.sim.view.http import MAX_CONNECTIONS, MAX_HEAD_BYTES, Answer, HttpServer
from linkvla.launch.sim.view.page import ViewServer
from linkvla.launch.sim.view.picture import PERIOD_S, SPECTATOR, LivePicture
from linkvla.launch.sim.view.scene_json import ego_of, town_json, world_json
from linkvla.launch.sim.world.pose import Pose
from linkvla.launch.sim.world.town_loader import load_town
from linkvla.launch.sim.world.weather import Weather
from linkvla.launch.sim.world.world import World

PORT = 8123


async def _echo(target: str) -> Answer:
    return Answer(target.encode())


def status(head: str) -> tuple[int, bool]:
    answer, stay = asyncio.run(HttpServer(_echo, PORT).answer(head.encode()))
    return answer.status, stay


@pytest.mark.parametrize("host", [f"127.0.0.1:{PORT}", f"localhost:{PORT}", f"LOCALHOST:{PORT}"])
def test_this_machine_may_read(host: str):
    assert status(f"GET / HTTP/1.1\r\nHost: {host}\r\n\r\n") == (200, True)


@pytest.mark.parametrize("host", ["evil.example", f"evil.example:{PORT}", "127.0.0.1", f"127.0.0.1:{PORT + 1}", ""])
def test_a_page_elsewhere_may_not(host: str):
    """A name that someone else points at 127.0.0.1 is still someone else's name."""
    assert status(f"GET / HTTP/1.1\r\nHost: {host}\r\n\r\n") == (403, False)


@pytest.mark.parametrize(
    ("head", "expected"),
    [
        (f"POST / HTTP/1.1\r\nHost: 127.0.0.1:{PORT}\r\n\r\n", 405),
        (f"GET / HTTP/1.1\r\nHost: 127.0.0.1:{PORT}\r\nContent-Length: 5\r\n\r\n", 405),
        (f"GET / HTTP/9\r\nHost: 127.0.0.1:{PORT}\r\n\r\n", 400),
        ("\x00\x01\r\n\r\n", 400),
    ],
)
def test_what_is_no_plain_get_is_refused(head: str, expected: int):
    assert status(head) == (expected, False)


def converse(*requests: bytes) -> list[bytes]:
    """What a server of its own answers to each connection."""

    async def talk() -> list[bytes]:
        listener = bind_view(0, 0)
        port = listener.getsockname()[1]
        http = HttpServer(_echo, port)
        server = await asyncio.start_server(http.converse, sock=listener, limit=MAX_HEAD_BYTES)
        pairs = [await asyncio.open_connection("127.0.0.1", port) for _ in requests]
        answers = []
        for (_, writer), request in zip(pairs, requests):
            writer.write(request.replace(b"PORT", str(port).encode()))
        for reader, writer in pairs:
            try:
                answers.append(await asyncio.wait_for(reader.read(65536), 5.0))
            except ConnectionError:
                answers.append(b"")
            writer.close()
        http.close()
        server.close()
        return answers

    return asyncio.run(talk())


def test_a_head_without_end_is_not_read_for_ever():
    good = b"GET /here HTTP/1.1\r\nHost: 127.0.0.1:PORT\r\n\r\n"
    endless, answered = converse(b"GET / HTTP/1.1\r\nX: " + b"a" * (2 * MAX_HEAD_BYTES), good)
    assert endless == b""
    assert answered.endswith(b"/here")


def test_too_many_pages_are_turned_away():
    answers = converse(*[b"GET / HTTP/1.1\r\nHost: 127.0.0.1:PORT\r\n\r\n"] * (MAX_CONNECTIONS + 1))
    assert sum(b" 200 " in answer for answer in answers) == MAX_CONNECTIONS


def test_a_taken_port_that_was_asked_for_is_refused():
    with bind_view(0, 0) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(SimError, match=rf"{port}.*--view-port"):
            bind_view(port, 0)
        with bind_view(None, port - 4) as other:
            assert other.getsockname()[1] != port


@pytest.fixture(scope="module")
def town():
    return load_town("Maple")


def test_the_map_has_roads_and_a_line_for_every_light(town):
    found = json.loads(town_json(town))
    assert found["name"] == "Maple"
    assert {kind for kind, _, _ in found["lanes"]} == {"drive", "walk"}
    assert len(found["lines"]) == len(town.traffic_lights)
    assert all(len(points) >= 6 and len(points) % 2 == 0 for _, points, _ in found["lanes"])


def stand_in(world: World) -> SimpleNamespace:
    return SimpleNamespace(world=world, settings=EpisodeSettings(), sessions=set(), episode_id=1)


def test_the_state_tells_the_ego_from_others(town):
    world = World(town)
    first, second = town.spawn_points[0], town.spawn_points[1]
    other = world.spawn("vehicle.tesla.model3", {"role_name": "autopilot", "color": "255,0,0"}, first.copy())
    hero = world.spawn("vehicle.tesla.model3", {"role_name": "hero"}, second.copy())
    world.spawn("sensor.camera.rgb", {}, Pose(z=2.0), parent_id=hero.id)
    state = json.loads(json.dumps(world_json(stand_in(world))))
    assert ego_of(world) is hero and state["ego"] == hero.id
    assert [actor[0] for actor in state["actors"]] == [other.id, hero.id]
    assert state["sensors"] == 1
    assert len(state["lights"]) == len(town.traffic_lights)
    assert state["clients"] == 0


def test_the_page_and_its_parts_are_served(town):
    async def ask() -> list[Answer]:
        view = ViewServer(bind_view(0, 0))
        await view.start(stand_in(World(town)), "127.0.0.1", 2000)
        paths = ("/", "/page.css", "/page.js", "/state.json", "/town.json", "/../settings.py", "/picture.png",
                 "//[", "/picture.jpg?" + "&".join("abcdefghij"))  # fmt: skip
        answers = [await view.respond(path) for path in paths]
        view.close()
        return answers

    *found, outside, nothing, torn, crowded = asyncio.run(ask())
    assert [answer.status for answer in found] == [200] * 5
    assert b"http" not in found[0].body, "nothing from elsewhere is loaded"
    assert json.loads(found[3].body)["port"] == 2000
    assert outside.status == nothing.status == 404
    assert torn.status == crowded.status == 400


def test_a_browser_that_reads_nothing_is_left(monkeypatch):
    """Its answer does not stay in memory for ever."""
    monkeypatch.setattr("linkvla.launch.sim.view.http.WRITE_S", 0.2)

    async def much(_target: str) -> Answer:
        return Answer(bytes(32 << 20))

    async def talk() -> bool:
        listener = bind_view(0, 0)
        http = HttpServer(much, listener.getsockname()[1])
        gone = asyncio.Event()

        async def converse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await http.converse(reader, writer)
            with contextlib.suppress(OSError):
                await writer.wait_closed()
            gone.set()

        server = await asyncio.start_server(converse, sock=listener)
        with socket.create_connection(listener.getsockname()) as lazy:
            lazy.sendall(f"GET / HTTP/1.1\r\nHost: 127.0.0.1:{listener.getsockname()[1]}\r\n\r\n".encode())
            await asyncio.wait_for(gone.wait(), 30.0)
        server.close()
        return gone.is_set()

    assert asyncio.run(talk())


def test_the_camera_sees_street_lamps_and_shares_its_pictures(town):
    """By night the page shows what a client's camera sees; two pages with one wish get one picture."""

    async def look() -> tuple[list[bytes], bytes]:
        world = World(town)
        world.weather = Weather(sun_altitude_angle=-40.0)
        scene: Future[TownScene] = Future()
        scene.set_result(TownScene.build(town))
        lamps = StreetLamps(town)
        simulation = stand_in(world)
        simulation.scene, simulation.environment, simulation.lamps = scene, Environment(town), lamps
        at = lamps.places()[0]
        world.spectator.pose = Pose(at[0] - 12.0, at[1], at[2], pitch=-20.0)
        picture = LivePicture(simulation)
        both = await asyncio.gather(picture.take(SPECTATOR, 0), picture.take(SPECTATOR, 0))
        lamps.dusk(True)
        await asyncio.sleep(PERIOD_S)
        lit = await picture.take(SPECTATOR, 0)
        picture.close()
        return both, lit

    both, lit = asyncio.run(look())
    assert both[0] is both[1]
    dark, bright = (cv2.imdecode(np.frombuffer(coded, np.uint8), 1).mean() for coded in (both[0], lit))
    assert bright > 1.3 * dark
