"""What goes wrong on a weekend, done to real processes: what is left, and what the same command makes of it."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from copy import deepcopy
from pathlib import Path
from xml.etree import ElementTree

import pytest

import linkvla.launch.evaluation as evaluation
from linkvla.launch.evaluation.supervisor.marks import MARK, marked

pytestmark = [pytest.mark.system, pytest.mark.timeout(900)]  # each takes many starts of many processes

LINKVLA = Path(sys.executable).with_name("linkvla")
SMOKE_ROUTES = Path(evaluation.__file__).parent / "routes" / "smoke.xml"
FIRST_PORT = 25_000
PATIENCE = 240.0  # s

AGENT = '''
import os
import time
from pathlib import Path

from linkvla.agent.expert.expert_agent import ExpertAgent


def get_entry_point():
    return "Troubled"


class Troubled(ExpertAgent):
    """Gets into the trouble that its route is named after."""

    def setup(self, path_to_conf_file):
        super().setup("")
        self.stage = Path(path_to_conf_file)
        self.trouble_name, self.attempt_number = Path(os.environ["SAVE_PATH"]).parts[-3:-1]
        self.steps = 0

    def run_step(self, input_data, timestamp):
        self.steps += 1
        if self.steps == 3:
            self.trouble()
        return super().run_step(input_data, timestamp)

    def trouble(self):
        (self.stage / f"{self.trouble_name}.{self.attempt_number}").touch()
        if "raises" in self.trouble_name:
            raise RuntimeError("at a loss")
        if "vanishes" in self.trouble_name:
            os._exit(0)
        while "hangs" in self.trouble_name:
            time.sleep(1.0)
        if "waits" in self.trouble_name and ("once" not in self.trouble_name or self.attempt_number == "1"):
            while not (self.stage / "open").exists():
                time.sleep(0.05)
'''


def write_routes(path: Path, names: Sequence[str]) -> Path:
    """The first 25 m of a route that ships, under each of the names."""
    route = ElementTree.parse(SMOKE_ROUTES).getroot().find("route")
    waypoints = route.find("waypoints")
    for position in list(waypoints)[2:]:
        waypoints.remove(position)
    root = ElementTree.Element("routes")
    for name in names:
        copy = deepcopy(route)
        copy.set("id", name)
        root.append(copy)
    ElementTree.ElementTree(root).write(path)
    return path


class Evaluations:
    """Runs of one command in one folder."""

    def __init__(self, folder: Path, names: Sequence[str], *options: str) -> None:
        self.stage = folder / "stage"
        self.out = folder / "out"
        self.stage.mkdir(parents=True)
        agent = folder / "troubled.py"
        agent.write_text(AGENT)
        routes = write_routes(folder / "routes.xml", names)
        self.command = [str(LINKVLA), "evaluate", "--benchmark", str(routes), "--agent", str(agent)]
        self.command += ["--agent-config", str(self.stage), "--traffic", "0", "--out", str(self.out), "--pause", "0"]
        self.command += ["--first-port", str(FIRST_PORT), *options]

    @contextmanager
    def running(self) -> Iterator[subprocess.Popen]:
        process = subprocess.Popen(
            self.command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True
        )
        try:
            yield process
        finally:
            process.kill()
            process.wait()
            process.stdout.close()

    def finish(self) -> subprocess.CompletedProcess:
        return subprocess.run(
            self.command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=PATIENCE
        )

    def reached(self, name: str, attempt: int = 1) -> bool:
        """Whether the agent is where its trouble begins."""
        return (self.stage / f"RouteScenario_{name}_rep0.{attempt}").exists()

    def processes(self, name: str = "", part: str = "") -> list[int]:
        """Of a route, or of all; those with the given words in their command line."""
        folder = self.out / "attempts"
        found = marked(folder / f"RouteScenario_{name}_rep0" if name else folder)
        return [process for process in found if part in command_line(process)]

    def record(self, name: str) -> dict:
        return json.loads((self.out / "routes" / f"RouteScenario_{name}_rep0.json").read_text())

    def state(self) -> str:
        return json.loads((self.out / "live.json").read_text())["state"]

    def ledger(self) -> dict[str, str]:
        return {path.stem: path.read_text() for path in sorted((self.out / "routes").glob("*.json"))}


def command_line(process: int) -> str:
    try:
        return Path(f"/proc/{process}/cmdline").read_bytes().replace(b"\0", b" ").decode()
    except OSError:
        return ""


def until(true: Callable[[], bool], process: subprocess.Popen | None = None) -> None:
    deadline = time.monotonic() + PATIENCE
    while not true():
        assert time.monotonic() < deadline, "waited in vain"
        assert process is None or process.poll() is None, process.communicate()[0]
        time.sleep(0.05)


ROUTES = ("fine", "raises", "hangs", "vanishes", "killed-waits-once", "stopped-waits-once", "lost-waits-once")


@pytest.fixture(scope="module")
def weekend(tmp_path_factory: pytest.TempPathFactory) -> tuple[Evaluations, int, str]:
    """One evaluation with a fault on each route, on ports some of which are busy; its exit code and output."""
    runs = Evaluations(
        tmp_path_factory.mktemp("weekend"), ROUTES, "--workers", "3", "--retries", "1", "--step-limit", "8"
    )
    with ExitStack() as stack:
        for offset in (5, 11):  # the TrafficManager's port of the first block, the second server's streams
            stack.enter_context(socket.create_server(("127.0.0.1", FIRST_PORT + offset)))
        process = stack.enter_context(runs.running())
        for name, number, part in (
            ("killed-waits-once", signal.SIGKILL, "linkvla.launch.sim"),
            ("stopped-waits-once", signal.SIGSTOP, "linkvla.launch.sim"),
            ("lost-waits-once", signal.SIGKILL, "builtin_run"),
        ):
            until(lambda name=name: runs.reached(name), process)
            (victim,) = runs.processes(name, part)
            os.kill(victim, number)
        (runs.stage / "open").touch()
        output, _ = process.communicate(timeout=PATIENCE)
    return runs, process.returncode, output


class TestFaultsOfARoute:
    def test_every_route_ends_with_a_status_and_no_process_stays(self, weekend):
        runs, code, output = weekend
        assert code == 1, output  # a route was given up
        assert sorted(runs.ledger()) == sorted(f"RouteScenario_{name}_rep0" for name in ROUTES)
        assert runs.processes() == []
        results = json.loads((runs.out / "results.json").read_text())
        assert results["_checkpoint"]["progress"] == [len(ROUTES), len(ROUTES)]

    @pytest.mark.parametrize(
        ("name", "cause"),
        [("killed-waits-once", "SIGKILL"), ("stopped-waits-once", ""), ("lost-waits-once", "")],
    )
    def test_a_failure_of_the_machinery_is_driven_again_on_a_fresh_pair(self, weekend, name, cause):
        document = weekend[0].record(name)
        assert document["record"]["scores"]["score_route"] == 100.0
        first, second = document["attempts"]
        assert first["failure"] and cause in first["failure"]
        assert second["failure"] == ""

    def test_an_agents_exception_is_its_result(self, weekend):
        document = weekend[0].record("raises")
        assert document["record"]["status"] == "Failed - Agent crashed"
        assert "at a loss" in document["error"]
        assert len(document["attempts"]) == 1

    def test_an_agent_that_hangs_is_ended_and_that_is_its_result(self, weekend):
        document = weekend[0].record("hangs")
        assert document["record"]["status"] == "Failed - Agent timed out"
        assert len(document["attempts"]) == 1

    def test_what_always_fails_is_given_up_counted_as_zero_and_named(self, weekend):
        runs, _, output = weekend
        document = runs.record("vanishes")
        assert document["record"]["status"] == "Failed - Simulation crashed"
        assert document["record"]["scores"]["score_composed"] == 0.0
        assert len(document["attempts"]) == 2
        assert "Given up and counted as 0: 1" in output and "RouteScenario_vanishes_rep0" in output

    def test_busy_ports_are_passed_over(self, weekend):
        runs, _, _ = weekend
        used = {attempt["port"] for name in ROUTES for attempt in runs.record(name)["attempts"]}
        assert not used & {FIRST_PORT, FIRST_PORT + 10}
        assert min(used) > FIRST_PORT

    def test_the_same_command_drives_only_what_was_given_up(self, weekend):
        runs, _, _ = weekend
        before = runs.ledger()
        assert runs.finish().returncode == 1
        after = runs.ledger()
        assert [name for name in after if after[name] != before.get(name)] == ["RouteScenario_vanishes_rep0"]
        assert sorted(before) == sorted(after)


class TestFaultsOfTheSupervisor:
    def test_interrupted_killed_rebooted_and_run_again(self, tmp_path):
        runs = Evaluations(tmp_path, ("first", "waits"))
        finished = "RouteScenario_first_rep0"

        with runs.running() as process:  # Ctrl-C
            until(lambda: runs.reached("waits", 1) and finished in runs.ledger(), process)
            kept = runs.ledger()
            second = runs.finish()
            assert second.returncode == 2 and "in use" in second.stdout
            os.killpg(process.pid, signal.SIGINT)
            output, _ = process.communicate(timeout=PATIENCE)
            assert process.returncode == 130 and "goes on" in output
        assert runs.processes() == []
        assert runs.ledger() == kept

        with runs.running() as process:  # its machine's scheduler wants it gone
            until(lambda: runs.reached("waits", 2), process)
            assert runs.state() == "running"
            process.terminate()
            assert process.wait(PATIENCE) == 128 + signal.SIGTERM
        assert runs.state() == "interrupted"
        assert runs.processes() == []
        assert runs.ledger() == kept

        with runs.running() as process:  # the supervisor alone is killed
            until(lambda: runs.reached("waits", 3), process)
            process.kill()
        until(lambda: runs.processes() == [])
        assert runs.ledger() == kept

        with runs.running() as process:  # everything is killed at once, but for one that got away
            until(lambda: runs.reached("waits", 4), process)
            os.kill(process.pid, signal.SIGSTOP)  # it must not tidy up
            survivor = subprocess.Popen(
                ["sleep", "600"], env={MARK: str(runs.out / "attempts" / "RouteScenario_waits_rep0" / "4")}
            )
            for victim in set(runs.processes()) - {survivor.pid}:
                os.kill(victim, signal.SIGKILL)
            process.kill()
        assert runs.ledger() == kept

        (runs.stage / "open").touch()
        done = runs.finish()
        assert done.returncode == 0, done.stdout
        assert survivor.wait(10) != 0
        assert runs.processes() == []
        after = runs.ledger()
        assert after.pop("RouteScenario_waits_rep0")
        assert after == kept

    def test_a_full_disk_ends_the_run_and_the_rest_is_driven_when_there_is_room(self, tmp_path):
        with small_disk(tmp_path / "disk") as disk:
            runs = Evaluations(tmp_path / "files", ("first", "waits"))
            runs.command[runs.command.index("--out") + 1] = str(disk / "out")
            runs.out = disk / "out"
            with runs.running() as process:
                until(lambda: runs.reached("waits"), process)
                with (disk / "filler").open("wb") as filler:
                    filler.write(bytes(shutil.disk_usage(disk).free))
                (runs.stage / "open").touch()
                output, _ = process.communicate(timeout=PATIENCE)
            assert process.returncode == 2
            assert "same command again" in output and "Traceback" not in output
            assert runs.processes() == []
            kept = runs.ledger()

            (disk / "filler").unlink()
            done = runs.finish()
            assert done.returncode == 0, done.stdout
            after = runs.ledger()
            assert sorted(after) == [f"RouteScenario_{name}_rep0" for name in ("first", "waits")]
            assert {name: text for name, text in after.items() if name in kept} == kept


class TestCluster:
    NAMES = ("fine", "raises")

    def outcomes(self, runs: Evaluations) -> list[dict]:
        """The records of a ledger, but for what the clock on the wall says."""
        records = [runs.record(name)["record"] for name in self.NAMES]
        for record in records:
            del record["meta"]["duration_system"], record["save_name"]
        return records

    def test_ray_and_threads_leave_the_same_ledger(self, tmp_path):
        pytest.importorskip("ray", reason="Ray is not installed: pip install 'linkvla[cluster]'")
        here = Evaluations(tmp_path / "here", self.NAMES, "--workers", "2")
        there = Evaluations(tmp_path / "there", self.NAMES, "--workers", "2", "--cluster", "local")
        for runs in (here, there):
            done = runs.finish()
            assert done.returncode == 0, done.stdout
            assert runs.processes() == []
        assert self.outcomes(there) == self.outcomes(here)
        assert json.loads((there.out / "results.json").read_text())["_checkpoint"]["progress"] == [2, 2]


@contextmanager
def small_disk(folder: Path) -> Iterator[Path]:
    """A file system of 80 MiB."""
    folder.mkdir()
    made = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=80m", "tmpfs", str(folder)], capture_output=True, text=True, check=False
    )
    if made.returncode:
        pytest.skip(f"a small file system cannot be mounted here: {made.stderr.strip()}")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)
