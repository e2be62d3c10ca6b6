"""The three programs of a scenario (server, scenario_runner, film) from their start to their certain end."""

from __future__ import annotations

import contextlib
import signal
import sys
import time
from dataclasses import replace
from pathlib import Path

from linkvla.launch.carla_server.errors import CarlaServerError
from linkvla.launch.environment import child_environment
from linkvla.launch.evaluation.evaluators.contract import SERVER_LOG, ProcessSpec, RouteTask, Server
from linkvla.launch.evaluation.supervisor.marks import LADDER, end_all, marked
from linkvla.launch.evaluation.supervisor.program import Program
from linkvla.launch.scenario.names import FAREWELL, FILM_READY

RUNNER_LOG = "scenario_runner.log"
FILM_LOG = "film.log"
FILM = "drive.mp4"

_POLL = 0.1  # s
_LINGERS = 10.0  # s that scenario_runner may take to leave after its last line
_FILM_STARTS = 60.0  # s
_FILM_ENDS = 60.0  # s for the last pictures


class Machinery:
    """Starts programs that end with this process, each with a log in the folder of the run.

    Args:
        task: the folder of the run, its ports, its town.
        server: what is driven on.
    """

    def __init__(self, task: RouteTask, server: Server) -> None:
        self._task, self._server = replace(task, folder=task.folder.resolve()), server
        self._programs: dict[str, Program] = {}

    def start_server(self) -> None:
        """Start the server, if it is not running, and wait for it.

        Raises:
            CarlaServerError: it does not become ready; says why and what to do.
        """
        spec = self._server.command(self._task)
        if spec is not None:
            self._start("server", spec, SERVER_LOG)
        deadline = time.monotonic() + self._server.start_timeout
        while not self._server.ready(self._task):
            ended = "server" in self._programs and self._programs["server"].poll() is not None
            if ended or time.monotonic() > deadline:
                raise CarlaServerError(self._server.diagnosis(self._task))
            time.sleep(_POLL)

    def start_film(self) -> None:
        """Film the ego into the folder of the run, from its appearance on; a film that does not start is left out."""
        host, port = self._server.address(self._task)
        argv = (sys.executable, "-m", "linkvla.launch.scenario.filming", host, str(port), str(self._folder / FILM))
        film = self._start("film", ProcessSpec(argv, child_environment(), self._folder), FILM_LOG)
        deadline = time.monotonic() + _FILM_STARTS
        while film.poll() is None and time.monotonic() < deadline and not self._says(FILM_LOG, FILM_READY):
            time.sleep(_POLL)

    def run(self, spec: ProcessSpec, seconds: float) -> bool:
        """Run scenario_runner to its end; False if it had to be ended because its time was over.

        Raises:
            CarlaServerError: the server ended meanwhile.
            KeyboardInterrupt, SystemExit: at Ctrl-C and SIGTERM; scenario_runner has been told, and has written its
                verdict if it could.
        """
        runner = self._start("scenario_runner", spec, RUNNER_LOG)
        deadline, leaving = time.monotonic() + seconds, None
        try:
            while runner.wait(_POLL) is None:
                now = time.monotonic()
                if leaving is None and self._says(RUNNER_LOG, FAREWELL):
                    leaving = now
                if now > deadline or (leaving is not None and now > leaving + _LINGERS):
                    self._end("scenario_runner")
                    return now <= deadline or leaving is not None
                if "server" in self._programs and self._programs["server"].poll() is not None:
                    raise CarlaServerError(f"the server ended during the scenario; see {self._folder / SERVER_LOG}")
        except (KeyboardInterrupt, SystemExit):
            self._end("scenario_runner")
            raise
        return True

    def close(self) -> None:
        """End what still runs: the film first, which is to have an end, the server last."""
        if "film" in self._programs:
            self._end("film", ((signal.SIGTERM, _FILM_ENDS), *LADDER[1:]))
        for name in ("scenario_runner", "server"):
            if name in self._programs:
                self._end(name)
        for program in self._programs.values():
            program.close()
        self._programs.clear()

    @property
    def _folder(self) -> Path:
        return self._task.folder

    def _start(self, name: str, spec: ProcessSpec, log: str) -> Program:
        # Each has a mark of its own below the run's, so that one can be ended without the others.
        self._programs[name] = Program(spec, self._folder / name, self._folder / log)
        return self._programs[name]

    def _end(self, name: str, ladder: tuple[tuple[signal.Signals, float], ...] = LADDER) -> None:
        end_all(lambda: marked(self._folder / name), ladder)

    def _says(self, name: str, words: str) -> bool:
        """Whether the words stand at the end of a log."""
        with contextlib.suppress(OSError), (self._folder / name).open("rb") as log:
            log.seek(0, 2)
            log.seek(max(0, log.tell() - 400))
            return words.encode() in log.read()
        return False
