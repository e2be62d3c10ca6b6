"""Queue, shards, locks, marks and the board, without a simulator."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from dataclasses import replace
from io import StringIO
from pathlib import Path
from types import SimpleNamespace

import pytest
from rich.console import Console

from linkvla.agent.recorder import FILE_NAME, FORMAT, VERSION
from linkvla.launch.evaluation import evaluate, records
from linkvla.launch.evaluation.evaluate_settings import EvaluateSettings
from linkvla.launch.evaluation.evaluators.contract import Outcome, ProcessSpec, RouteTask, Standing
from linkvla.launch.evaluation.progress_display import ProgressDisplay, duration
from linkvla.launch.evaluation.route_file import RouteSpec
from linkvla.launch.evaluation.stage_times import with_stages
from linkvla.launch.evaluation.summary import EvaluationSummary
from linkvla.launch.evaluation.supervisor.attempt import (
    Attempt,
    AttemptReport,
    AttemptStoppedError,
    Limits,
    Pair,
    unjudged,
)
from linkvla.launch.evaluation.supervisor.board import Board
from linkvla.launch.evaluation.supervisor.crew import Event
from linkvla.launch.evaluation.supervisor.marks import MARK, end_all, marked
from linkvla.launch.evaluation.supervisor.program import Program
from linkvla.launch.evaluation.supervisor.run_lock import RunLock
from linkvla.launch.evaluation.supervisor.shard import Shard
from linkvla.launch.evaluation.supervisor.work_queue import Failed, Finished, Moved, Retries, drive_all
from linkvla.model.interface.errors import ConfigurationError

SMOKE_ROUTES = Path(evaluate.__file__).parent / "routes" / "smoke.xml"


def task(name: str, folder: Path, metres: float = 100.0) -> RouteTask:
    return RouteTask(RouteSpec(name, "Maple", ((0.0, 0.0, 0.0), (metres, 0.0, 0.0))), 0, folder / name)


def report(one: RouteTask, failure: str = "") -> AttemptReport:
    outcome = Outcome(None, failure) if failure else Outcome(unjudged(one, records.AGENT_BLOCKED, ""))
    return AttemptReport(outcome, 0.0, 1.0, 0.5, "here", 2000, str(one.folder))


class Puppets:
    """A crew that reports what it is told to, at once."""

    size = 2

    def __init__(self, failures: dict[str, int]) -> None:
        self.failures = failures
        self.driven: list[tuple[str, str]] = []
        self.configs: list[str] = []
        self.most = 0
        self.closed = False
        self._running: list[RouteTask] = []

    def start(self, one: RouteTask) -> None:
        self._running.append(one)
        self.most = max(self.most, len(self._running))
        self.driven.append((one.route.id, one.folder.name))
        self.configs.append(one.agent_config)
        one.folder.mkdir(parents=True)

    def events(self, timeout: float) -> list[Event]:
        if not self._running:
            time.sleep(0.01)
            return []
        one = self._running.pop(0)
        self.failures[one.route.id] = self.failures.get(one.route.id, 0) - 1
        failure = "no server" if self.failures[one.route.id] >= 0 else ""
        return [Event(one.route_id, Standing(1.0)), Event(one.route_id, report(one, failure))]

    def close(self) -> None:
        self.closed = True


class TestQueue:
    def drive(self, tmp_path, failures, retries=2, names="abc"):
        crew = Puppets(failures)
        news = list(drive_all([task(name, tmp_path) for name in names], crew, Retries(retries, 0.0)))
        assert crew.closed
        return crew, {piece.record.route_id: piece for piece in news if isinstance(piece, Finished)}, news

    def test_each_is_driven_once_side_by_side(self, tmp_path):
        crew, finished, news = self.drive(tmp_path, {})
        assert sorted(crew.driven) == [("a", "1"), ("b", "1"), ("c", "1")]
        assert crew.most == 2
        assert len(finished) == 3 and sum(isinstance(piece, Moved) for piece in news) == 3

    def test_failures_of_the_machinery_are_tried_again_in_a_folder_of_their_own(self, tmp_path):
        crew, finished, news = self.drive(tmp_path, {"b": 2})
        assert [number for name, number in crew.driven if name == "b"] == ["1", "2", "3"]
        done = finished["RouteScenario_b_rep0"]
        assert done.record.status == "Failed - Agent got blocked" and len(done.reports) == 3
        assert sum(isinstance(piece, Failed) for piece in news) == 2

    def test_each_attempt_is_told_where_to_leave_its_things(self, tmp_path):
        crew = Puppets({"a": 1})
        list(drive_all([replace(task("a", tmp_path), agent_config="x;record={save}")], crew, Retries(1, 0.0)))
        assert crew.configs == [f"x;record={tmp_path}/a/{number}/save" for number in (1, 2)]

    def test_too_many_give_the_route_up(self, tmp_path):
        _, finished, _ = self.drive(tmp_path, {"b": 99}, retries=1)
        done = finished["RouteScenario_b_rep0"]
        assert done.record.gave_up and done.record.score_composed == 0.0
        assert "2 attempts" in done.record.error and "no server" in done.record.error
        assert len(finished) == 3

    def test_what_cannot_get_better_ends_it(self, tmp_path):
        def full() -> None:
            raise ConfigurationError("no space")

        crew = Puppets({})
        with pytest.raises(ConfigurationError, match="no space"):
            list(drive_all([task("a", tmp_path)], crew, Retries(), full))
        assert crew.closed and not crew.driven

    def test_pauses_grow(self):
        pauses = [Retries(9, 5.0).pause_after(number) for number in (1, 2, 3, 99)]
        assert pauses == [5.0, 10.0, 20.0, 300.0]


class TestShards:
    def test_are_a_partition(self):
        parts = [Shard(index, 3).of(range(10)) for index in (1, 2, 3)]
        assert sorted(item for part in parts for item in part) == list(range(10))
        assert max(map(len, parts)) - min(map(len, parts)) <= 1

    @pytest.mark.parametrize("text", ["0/3", "4/3", "1", "a/b", "1/0", "-1/2"])
    def test_nonsense_is_refused(self, text):
        with pytest.raises(ConfigurationError):
            Shard.parse(text)

    def test_name_goes_both_ways(self):
        assert Shard.named(Shard.parse("2/5").name) == Shard(2, 5)
        assert Shard.named(Shard().name) == Shard()


class TestRunLock:
    def held_elsewhere(self, folder: Path, shard: str) -> subprocess.Popen:
        program = (
            "import sys, time; from pathlib import Path\n"
            "from linkvla.launch.evaluation.supervisor.run_lock import RunLock\n"
            "from linkvla.launch.evaluation.supervisor.shard import Shard\n"
            "lock = RunLock(Path(sys.argv[1]), Shard.parse(sys.argv[2])); print('held', flush=True); time.sleep(600)"
        )
        holder = subprocess.Popen([sys.executable, "-c", program, str(folder), shard], stdout=subprocess.PIPE)
        assert holder.stdout.readline() == b"held\n"
        return holder

    @pytest.mark.parametrize(
        ("theirs", "mine", "refused"),
        [("1/1", "1/1", True), ("1/2", "1/2", True), ("1/2", "2/2", False), ("1/2", "1/1", True), ("1/2", "2/3", True)],
    )
    def test_two_never_drive_the_same_route(self, tmp_path, theirs, mine, refused):
        with self.held_elsewhere(tmp_path, theirs) as holder:
            try:
                if refused:
                    with pytest.raises(ConfigurationError, match=f"in use.*process {holder.pid}"):
                        RunLock(tmp_path, Shard.parse(mine))
                else:
                    RunLock(tmp_path, Shard.parse(mine)).close()
            finally:
                holder.kill()
        RunLock(tmp_path, Shard.parse(mine)).close()  # the lock died with its holder


class TestMarks:
    STUBBORN = (
        "import signal, time; signal.signal(signal.SIGINT, signal.SIG_IGN); print('up', flush=True); time.sleep(600)"
    )

    def start(self, folder: Path, *code: str) -> subprocess.Popen:
        environment = {**os.environ, MARK: str(folder)}
        return subprocess.Popen([sys.executable, "-c", *code], env=environment, stdout=subprocess.PIPE)

    def test_found_by_folder_only(self, tmp_path):
        with (
            self.start(tmp_path / "a" / "1", self.STUBBORN) as mine,
            self.start(tmp_path / "ab", self.STUBBORN) as other,
        ):
            assert mine.stdout.readline() and other.stdout.readline()
            try:
                assert marked(tmp_path / "a" / "1") == marked(tmp_path / "a") == [mine.pid]
                assert sorted(marked(tmp_path)) == sorted([mine.pid, other.pid])
            finally:
                mine.kill()
                other.kill()

    def test_the_ladder_is_climbed_until_nobody_is_left(self, tmp_path):
        with self.start(tmp_path, self.STUBBORN) as stubborn:
            assert stubborn.stdout.readline()
            left = end_all(lambda: marked(tmp_path), ((signal.SIGINT, 0.2), (signal.SIGTERM, 20.0)))
            assert left == []
            assert stubborn.wait(10) == -signal.SIGTERM


class TestKeeper:
    CHILD = (
        "import subprocess, sys; subprocess.Popen(['sleep', '600'], start_new_session=True); print('up', flush=True)"
    )

    def spec(self, code: str, folder: Path) -> ProcessSpec:
        return ProcessSpec((sys.executable, "-c", code), dict(os.environ), folder)

    @pytest.mark.parametrize(
        ("code", "expected"), [("raise SystemExit(7)", 7), ("import os; os.kill(os.getpid(), 9)", -9)]
    )
    def test_ends_as_its_program_does(self, tmp_path, code, expected):
        program = Program(self.spec(code, tmp_path), tmp_path, tmp_path / "log")
        assert program.wait(60.0) == expected
        program.close()

    def test_ends_all_sessions_of_the_attempt_when_its_starter_is_killed(self, tmp_path):
        starter = (
            "import json, sys, time; from pathlib import Path\n"
            "from linkvla.launch.evaluation.evaluators.contract import ProcessSpec\n"
            "from linkvla.launch.evaluation.supervisor.program import Program\n"
            "folder = Path(sys.argv[1])\n"
            "program = Program(ProcessSpec((sys.executable, '-c', sys.argv[2]), {}, folder), folder, folder / 'log')\n"
            "time.sleep(600)"
        )
        code = self.CHILD + "; import time; time.sleep(600)"
        with subprocess.Popen([sys.executable, "-c", starter, str(tmp_path), code]) as process:
            wait_until(lambda: len(marked(tmp_path)) == 2)
            process.kill()
        wait_until(lambda: not marked(tmp_path))


class TestAttempt:
    """With programs of a line each in the places of server and evaluator."""

    SERVER = (
        "import os, time, pathlib\npathlib.Path('pid').write_text(f'{os.getpid()} {os.getppid()} .'); time.sleep(600)"
    )
    KILLER = (
        "import os, pathlib, time\n"
        "server, keeper, _ = pathlib.Path('pid').read_text().split()\n"
        "os.kill(int(server), 9)\n"
        "while ') Z ' not in pathlib.Path(f'/proc/{keeper}/stat').read_text():\n"
        "    time.sleep(0.005)"
    )
    TIDY = (
        "import os, pathlib, signal, time\n"
        "def leave(*_):\n"
        "    time.sleep(0.5)\n"
        "    os.kill(int(pathlib.Path('pid').read_text().split()[0]), 0)\n"
        "    pathlib.Path('tidy').touch()\n"
        "    raise SystemExit\n"
        "signal.signal(signal.SIGINT, leave); pathlib.Path('up').touch(); time.sleep(600)"
    )

    def pair(self, program: str, verdict: str) -> Pair:
        def spec(code: str):
            return lambda one: ProcessSpec((sys.executable, "-c", code), dict(os.environ), one.folder)

        server = SimpleNamespace(
            start_timeout=60.0,
            command=spec(self.SERVER),
            ready=lambda one: (one.folder / "pid").is_file() and (one.folder / "pid").read_text().endswith("."),
            diagnosis=lambda one: "nothing said",
        )
        evaluator = SimpleNamespace(
            starts_server=False,
            command=spec(program),
            progress=lambda one: Standing(1.0, driving=(one.folder / "up").exists()),
            read=lambda one, code: Outcome(unjudged(one, verdict, "")),
        )
        return Pair(evaluator, server, Limits(step=0.5), first_port=22_500)

    @pytest.mark.parametrize(
        ("verdict", "blamed"), [(records.AGENT_CRASHED, "the server ended"), (records.AGENT_BLOCKED, "")]
    )
    def test_a_crash_beside_a_dead_server_is_not_the_agents(self, tmp_path, verdict, blamed):
        one = task("a", tmp_path)
        done = Attempt(self.pair(self.KILLER, verdict), one, lambda standing: None, threading.Event()).run()
        assert done.outcome.failure.startswith(blamed) and bool(done.outcome.failure) == bool(blamed)
        assert marked(one.folder) == []

    def test_an_evaluator_that_has_to_end_finds_its_server_alive(self, tmp_path):
        one, stop = task("a", tmp_path), threading.Event()
        attempt = Attempt(
            self.pair(self.TIDY, records.AGENT_TIMED_OUT),
            one,
            lambda standing: stop.set() if standing.driving else None,
            stop,
        )
        with pytest.raises(AttemptStoppedError):
            attempt.run()
        assert (one.folder / "tidy").exists()
        assert marked(one.folder) == []


def wait_until(true) -> None:
    deadline = time.monotonic() + 60.0
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.05)


class TestBoard:
    def test_estimates_by_metres_and_counts_what_was_given_up(self, tmp_path):
        now = [0.0]
        tasks = [task("a", tmp_path, 100.0), task("b", tmp_path, 300.0), task("c", tmp_path, 100.0)]
        before = unjudged(tasks[0], records.AGENT_BLOCKED, "")
        board = Board(tasks, [before], lambda: now[0])
        assert board.seconds_left is None
        now[0] = 60.0
        board.take(Moved(tasks[1].route_id, Standing(1.0, driving=True, percent=50.0)))
        assert board.seconds_left == pytest.approx(60.0 * 250.0 / 150.0)
        board.take(Failed(tasks[1].route_id, report(tasks[1], "no server"), 0.0))
        assert board.running[tasks[1].route_id].attempt == 2
        board.take(Finished(unjudged(tasks[1], records.SIMULATION_CRASHED, "given up"), ()))
        document = json.loads(json.dumps(board.to_json("running")))
        assert document["finished"] == 2 and document["gave_up"] == [tasks[1].route_id] and document["running"] == []


class TestLiveState:
    """What is left in ``live.json`` by each way in which an evaluation can end, no process being started."""

    @pytest.fixture
    def run(self, tmp_path, monkeypatch):
        def run(end: BaseException | None) -> EvaluationSummary:
            def news(*_):
                assert self.state(tmp_path) == "running"
                yield from ()
                if end is not None:
                    raise end

            monkeypatch.setattr(evaluate, "drive_all", news)
            settings = EvaluateSettings(SMOKE_ROUTES, agent="expert", out=tmp_path)
            return evaluate.evaluate(settings, Console(file=StringIO()))

        return run

    def state(self, folder: Path) -> str:
        return json.loads((folder / "live.json").read_text())["state"]

    def test_finished_or_interrupted(self, run, tmp_path):
        assert not run(None).interrupted
        assert self.state(tmp_path) == "finished"
        assert run(KeyboardInterrupt()).interrupted
        assert self.state(tmp_path) == "interrupted"

    @pytest.mark.parametrize(
        ("end", "state"), [(SystemExit(143), "interrupted"), (ConfigurationError("no more"), "ended")]
    )
    def test_what_ends_it_is_passed_on(self, run, tmp_path, end, state):
        with pytest.raises(type(end)) as caught:
            run(end)
        assert caught.value is end
        assert self.state(tmp_path) == state


class TestDisplay:
    def test_lines_where_there_is_no_terminal(self, tmp_path):
        first, second = task("a", tmp_path), task("b", tmp_path)
        board = Board([first, second], [])
        console = Console(file=StringIO(), width=200)
        with ProgressDisplay(board, console) as display:
            for news in (
                Moved(first.route_id, Standing(1.0, driving=True, percent=50.0, phases={"tick": 30.0})),
                Failed(first.route_id, report(first, "no [bold] server"), 5.0),
                Finished(unjudged(second, records.SIMULATION_CRASHED, "given up after 2 attempts"), ()),
            ):
                board.take(news)
                display.show(news)
        lines = console.file.getvalue().splitlines()
        assert lines[0].split(maxsplit=1) == ["a", "no [bold] server; again in 5 s"]
        assert "Failed - Simulation crashed" in lines[1] and "given up after 2 attempts" in lines[2]

    def test_the_table_says_where_each_route_is(self, tmp_path):
        one = task("a", tmp_path)
        board = Board([one], [])
        board.take(Moved(one.route_id, Standing(1.0, driving=True, percent=50.0, phases={"tick": 9.0, "agent": 30.0})))
        console = Console(file=StringIO(), width=120, force_terminal=True)
        with ProgressDisplay(board, console):
            wait_until(lambda: "0/1 routes" in console.file.getvalue())
        shown = console.file.getvalue()
        assert "agent 30, tick 9" in shown

    @pytest.mark.parametrize(("seconds", "words"), [(45.0, "45 s"), (720.0, "12 min"), (12_000.0, "3 h 20 min")])
    def test_times_for_people(self, seconds, words):
        assert duration(seconds) == words


def test_the_recorded_stages_join_the_phases(tmp_path):
    lines = [{"format": FORMAT, "version": VERSION}]
    lines += [{"tick": n, "ms": {"localise": 1.0, "policy": 30.0, "see": 20.0, "decode": 9.0}} for n in range(2)]
    lines += [{"tick": 2, "ms": {"localise": 4.0}}]
    (tmp_path / FILE_NAME).write_text("".join(json.dumps(line) + "\n" for line in lines))
    record = unjudged(task("a", tmp_path), records.AGENT_BLOCKED, "")
    timing = with_stages(replace(record, duration_game=0.15, duration_system=0.3), tmp_path).timing
    assert timing.phases == {"agent.localise": 2.0, "agent.see": 13.333, "agent.decode": 6.0}
    assert timing.ticks == 3 and timing.real_time_ratio == pytest.approx(0.5)
    assert with_stages(record, tmp_path / "nowhere") is record
