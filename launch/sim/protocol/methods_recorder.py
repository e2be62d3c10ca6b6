"""Recorder and replayer."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TypeVar

from linkvla.launch.sim.protocol import recording_reports as reports
from linkvla.launch.sim.protocol import structs
from linkvla.launch.sim.protocol.envelope import MethodError
from linkvla.launch.sim.protocol.recording import RecordingReader
from linkvla.launch.sim.protocol.registry import rpc
from linkvla.launch.sim.protocol.replayer import ReplayRequest
from linkvla.launch.sim.protocol.rpc import Session

_FASTEST = 100.0  # times recorded time

_Answer = TypeVar("_Answer")


@rpc("start_recorder")
def _start(session: Session, name: str, _additional_data: bool = False) -> str:
    """Everything that this server records is always recorded."""
    simulation = session.simulation
    return f"Recording to file: {simulation.recorder.start(name, simulation.world)}"


@rpc("stop_recorder", void=True)
def _stop(session: Session) -> None:
    session.simulation.recorder.stop()


async def _in_background(function: Callable[..., _Answer], *arguments: object) -> _Answer:
    """Reading a large file must not stop the world."""
    return await asyncio.get_running_loop().run_in_executor(None, function, *arguments)


@rpc("show_recorder_file_info")
async def _file_info(session: Session, name: str, show_all: bool = False) -> str:
    return await _in_background(reports.file_info, session.simulation.recorder.folder.place(name), bool(show_all))


@rpc("show_recorder_collisions")
async def _collisions(session: Session, name: str, first: int, second: int) -> str:
    """The categories travel as character codes."""
    letters = [chr(structs.whole(code, "category", 0, 127)) for code in (first, second)]
    return await _in_background(reports.collisions, session.simulation.recorder.folder.place(name), *letters)


@rpc("show_recorder_actors_blocked")
async def _blocked(session: Session, name: str, min_time: float, min_distance: float) -> str:
    path = session.simulation.recorder.folder.place(name)
    seconds, centimetres = structs.number(min_time, "min_time"), structs.number(min_distance, "min_distance")
    return await _in_background(reports.blocked, path, seconds, centimetres)


@rpc("replay_file")
async def _replay(
    session: Session,
    name: str,
    start: float,
    duration: float,
    follow_id: int,
    _replay_sensors: bool,
    offset: list,
) -> str:
    """Sensors are not recorded. A recording of another town loads that town first. A negative start counts from the
    recording's end.
    """
    simulation = session.simulation
    path = simulation.recorder.folder.place(name)
    simulation.recorder.stop()  # the file may be the one being written
    begin = structs.number(start, "start")
    if begin < 0.0:
        begin = max(begin + await _in_background(reports.seconds_of, path), 0.0)
    pose = structs.decode_pose(offset)
    follow = structs.whole(follow_id, "follow_id", 0, 0xFFFFFFFF)
    request = ReplayRequest(begin, structs.number(duration, "duration"), follow, pose)
    reader = RecordingReader(path)
    try:
        if reader.header.town != simulation.world.town.name:
            await simulation.load_episode(reader.header.town, reset_settings=False)
        simulation.replayer.start(reader, request, simulation.world)
    except BaseException:
        reader.close()
        raise
    simulation.sensors.prune()
    return f"Replaying file: {path} (map {reader.header.town})"


@rpc("stop_replayer", void=True)
def _stop_replayer(session: Session, keep_actors: bool = False) -> None:
    simulation = session.simulation
    simulation.replayer.stop(simulation.world, keep_actors=bool(keep_actors))
    simulation.sensors.prune()


@rpc("set_replayer_time_factor", void=True)
def _set_time_factor(session: Session, factor: float) -> None:
    factor = structs.number(factor, "time factor")
    if not 0.0 <= factor <= _FASTEST:
        raise MethodError(f"time factor {factor:g}: use 0 (pause) to {_FASTEST:g}")
    session.simulation.replayer.time_factor = factor


@rpc("set_replayer_ignore_hero", void=True)
def _ignore_hero(session: Session, ignore: bool) -> None:
    session.simulation.replayer.ignore_hero = bool(ignore)


@rpc("set_replayer_ignore_spectator", void=True)
def _ignore_spectator(session: Session, ignore: bool) -> None:
    session.simulation.replayer.ignore_spectator = bool(ignore)
