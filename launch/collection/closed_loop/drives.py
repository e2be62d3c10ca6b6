"""Endless drives along routes in the simulator, each of which becomes teaching data."""

from __future__ import annotations

import contextlib
import logging
import random
from collections import Counter
from collections.abc import Iterator
from typing import Any

from linkvla.launch.carla_server.process import SimServer
from linkvla.launch.collection.closed_loop.lesson import Lesson
from linkvla.launch.collection.closed_loop.wheel import HelpedNetwork, PushedTeacher, Wheel
from linkvla.launch.collection.settings import CollectSettings
from linkvla.launch.collection.shards import Shard
from linkvla.launch.evaluation import records
from linkvla.launch.evaluation.benchmarks import benchmark_file
from linkvla.launch.evaluation.records import RouteRecord
from linkvla.launch.evaluation.route_file import RouteSpec, read_routes
from linkvla.launch.evaluation.route_runner import RouteRun
from linkvla.launch.evaluation.run_settings import RunSettings
from linkvla.model.data.recording import Record, Tag
from linkvla.model.data.view import CameraRig
from linkvla.model.interface.errors import ServerError

logger = logging.getLogger(__name__)

_LONGEST = 2400  # ticks of one drive, two minutes
_IN_A_ROW = 4  # drives in one town
_USELESS = 25  # drives in a row
_CRASHES = 3  # of the simulator in a row
_FAILED = (
    "collisions_vehicle",
    "collisions_pedestrian",
    "collisions_layout",
    "red_light",
    "stop_infraction",
    "vehicle_blocked",
)


def read_all(routes: tuple[str, ...]) -> list[RouteSpec]:
    """All routes of route files and of our own benchmarks by name. Raises RouteError, ConfigurationError as those."""
    return [route for name in routes for route in read_routes(benchmark_file(name))]


class Drives:
    """The settings' routes at random, over and over, with ever new traffic; see ``sources.Source``."""

    def __init__(self, settings: CollectSettings) -> None:
        self._settings, self._routes = settings, read_all(settings.routes)
        self._drives: Counter[str] = Counter()  # of the shard at hand, by what became of them

    def records(self, shard: Shard) -> Iterator[Record]:
        """Labelled frames, without end. Drives in which the teacher did something wrong are left out.

        Raises:
            RouteError: a route that cannot be driven.
            CheckpointError, ConfigurationError: a driver that cannot be set up.
            ServerError: the simulator crashed several times in a row, or no drive was of use for long.
        """
        settings, routes = self._settings, self._routes
        rng = random.Random(f"{settings.seed}-{shard.number}-drives")
        plan = _in_turns(routes, rng)
        self._drives.clear()
        crashes = useless = 0
        while crashes < _CRASHES:
            with SimServer(towns=settings.town_directories, town=routes[0].town) as server:
                while True:
                    lesson, record = self._drive(server, next(plan), rng)
                    if records.SIMULATION_CRASHED in record.status:
                        crashes += 1
                        break
                    learnt = self._worth_learning(lesson, record)
                    yield from learnt
                    crashes, useless = 0, 0 if learnt else useless + 1
                    if useless == _USELESS:
                        raise ServerError(f"{useless} drives in a row taught nothing; the last: {record.status}")
            logger.warning("%s: the simulator crashed; starting another\n%s", record.route_id, record.error)
        raise ServerError(f"the simulator crashed {crashes} times in a row; the log above says how")

    def notes(self) -> dict[str, Any]:
        """See ``sources.Source``: how the drives of the last shard ended, those that are left out apart."""
        return {"drives": dict(self._drives)}

    def _drive(self, server: SimServer, route: RouteSpec, rng: random.Random) -> tuple[Lesson, RouteRecord]:
        extra = 0 if self._settings.policy == "expert" else Tag.ON_POLICY
        lessons: list[Lesson] = []

        def make(host: str, port: int) -> Lesson:
            wheel, shape = _wheel(self._settings.policy, rng), self._settings.view_shape
            lessons.append(Lesson(host, port, wheel, rng, CameraRig(), shape, extra))
            return lessons[0]

        run = RouteRun(server, route, make, RunSettings(seed=rng.randrange(1 << 31), max_ticks=_LONGEST))
        with contextlib.closing(run.ticks()) as ticks:
            for _ in ticks:
                if lessons[0].over:
                    break
        return lessons[0], run.record

    def _worth_learning(self, lesson: Lesson, record: RouteRecord) -> list[Record]:
        broken = any(blame in record.status for blame in (records.AGENT_CRASHED, records.AGENT_SETUP))
        wrong = self._settings.policy == "expert" and any(record.infractions.get(kind) for kind in _FAILED)
        if broken or wrong:
            logger.log(logging.WARNING if broken else logging.INFO, "%s is left out: %s\n%s", record.route_id,
                       record.status, record.error)  # fmt: skip
            self._drives[f"left out: {record.status}"] += 1
            return []
        self._drives[record.status] += 1
        return lesson.records


def _in_turns(routes: list[RouteSpec], rng: random.Random) -> Iterator[RouteSpec]:
    """Routes without end; some of one town in a row, since to load another takes as long as a drive."""
    while True:
        town = rng.choice(routes).town
        there = [route for route in routes if route.town == town]
        yield from rng.sample(there, min(len(there), _IN_A_ROW))


def _wheel(policy: str, rng: random.Random) -> Wheel:
    if policy == "expert":
        return PushedTeacher(rng)
    from linkvla.agent.driving_agent import LinkVLAAgent

    return HelpedNetwork(LinkVLAAgent, f"{policy};threads=1;release_when_stuck=false", rng)
