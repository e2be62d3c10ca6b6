"""Starts the chosen server for a moment and asks it who it is."""

from __future__ import annotations

import shutil
import signal
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from linkvla.launch.carla_server.ports import TRAFFIC_MANAGER_OFFSET, PortLease
from linkvla.launch.doctor.finding import Finding, State
from linkvla.launch.doctor.wishes import Wishes
from linkvla.launch.evaluation.evaluators.contract import SERVER_LOG, ProcessSpec, RouteTask, Server
from linkvla.launch.evaluation.evaluators.rpc_ping import ask
from linkvla.launch.evaluation.route_file import RouteSpec
from linkvla.launch.evaluation.supervisor.marks import end_all, marked
from linkvla.launch.evaluation.supervisor.program import Program
from linkvla.model.interface.errors import LinkVLAError

LADDER = ((signal.SIGTERM, 8.0), (signal.SIGKILL, 5.0))
"""What the server is told at the end, and for how many seconds each may take effect."""

_BETWEEN_LOOKS = 0.1  # s


def check(wishes: Wishes) -> Iterator[Finding]:
    """The answer to a first call, and how long it took; else why there was none, and the known cure."""
    server = wishes.simulator
    try:
        server.check()
    except LinkVLAError as error:
        detail, _, cure = str(error).partition("; ")
        yield Finding("server", State.MISS, detail, cure)
        return
    # Ours has told by now whether it must compile first, and stops by itself when it cannot start.
    patience = server.start_timeout if server.name == "sim" else wishes.patience
    folder = Path(tempfile.mkdtemp(prefix="linkvla-doctor-")).resolve()
    with PortLease() as lease:
        task = _task(folder, lease.port if wishes.port is None else wishes.port, wishes)
        specification = server.command(task)
        if specification is None:
            finding = _answer(server, task, "answers", 0.0)
        else:
            finding = _start(server, task, specification, patience)
    if finding.state is State.OK:
        shutil.rmtree(folder, ignore_errors=True)  # otherwise its log is named in the finding
    yield finding


def _start(server: Server, task: RouteTask, specification: ProcessSpec, patience: float) -> Finding:
    began = time.monotonic()
    # Under a keeper, which ends the server also where this process is killed.
    program = Program(specification, task.folder, task.folder / SERVER_LOG)
    try:
        while time.monotonic() - began < patience and program.poll() is None:
            if server.ready(task):
                return _answer(server, task, "started and answered", time.monotonic() - began)
            time.sleep(_BETWEEN_LOOKS)
        ended = program.poll()
    finally:
        end_all(lambda: marked(task.folder), LADDER)
        program.close()
    after = f"after {time.monotonic() - began:.1f} s"
    how = f"no answer {after}" if ended is None else f"it ended {after} with exit code {ended}"
    cure = server.diagnosis(task)
    if ended is None:
        cure += f"; or give it longer with --patience, now {patience:g} s"
    return Finding("server", State.MISS, f"{server.name}: {how}", cure)


def _answer(server: Server, task: RouteTask, how: str, seconds: float) -> Finding:
    version = ask(*server.address(task), "version")
    if version is None:
        return Finding("server", State.MISS, f"{server.name} answered once and then no more", server.diagnosis(task))
    took = f" in {seconds:.1f} s" if seconds else ""
    return Finding("server", State.OK, f"{server.name} {how}{took}: version {version}")


def _task(folder: Path, port: int, wishes: Wishes) -> RouteTask:
    """An attempt at nothing: only its server is started."""
    town = wishes.routes[0].town if wishes.routes else "Maple"
    nowhere = RouteSpec("doctor", town, ((0.0, 0.0, 0.0), (1.0, 0.0, 0.0)))
    return RouteTask(
        route=nowhere,
        repetition=0,
        folder=folder,
        port=port,
        traffic_manager_port=port + TRAFFIC_MANAGER_OFFSET,
        towns=wishes.towns,
    )
