"""One closed loop that is watched: the built-in runner, the embedded server, background cars and an agent.

    python -m linkvla.launch.bench.closed_loop FOLDER/task.json

Leaves ``loop.json`` beside the task. A process of its own, since the client's TrafficManager outlives its server.
Exit code 0: there is one; 2: only the user can put right what is in the way, and stderr says what.
"""

from __future__ import annotations

import json
import sys
import time
from dataclasses import asdict, dataclass
from itertools import pairwise
from pathlib import Path

from linkvla.launch.bench.stopwatch import Spread, spread
from linkvla.launch.bench.watch import VIEW_OPTIONS, ServerWatch
from linkvla.launch.carla_server.errors import CarlaServerError
from linkvla.launch.carla_server.process import SimServer
from linkvla.launch.drive import pick_route
from linkvla.launch.evaluation.agent_host import MakeAgent
from linkvla.launch.evaluation.evaluators.agent_files import agent_maker
from linkvla.launch.evaluation.route_runner import RouteRun
from linkvla.launch.evaluation.run_settings import RunSettings
from linkvla.launch.evaluation.stage_times import mean_stages, stages
from linkvla.launch.json_file import write_json
from linkvla.model.interface.errors import LinkVLAError

RESULT = "loop.json"


@dataclass(frozen=True)
class LoopTask:
    """What is driven."""

    agent: str  # "linkvla" or "expert"
    agent_config: str
    route_id: str  # of the held-out routes
    cars: int
    ticks: int
    seed: int
    port: int | None  # None: any that is free


@dataclass(frozen=True)
class Loop:
    """What was seen. Milliseconds by stage are means per tick."""

    status: str
    cars: int  # that the town had room for
    ticks: int
    real_time: float  # simulated over wall seconds of the loop
    tick: Spread  # wall clock from one decision to the next
    phases: dict[str, float]  # ms of the runner's loop
    agent: dict[str, float]  # ms of the agent's own stages, which are parts of the phase "agent"
    server: dict[str, float]  # ms of the server's CPU time, beside the loop on other cores


def close_loop(task: LoopTask) -> Loop:
    """Drive, with a server of its own.

    Raises:
        CarlaServerError: the server did not start.
        LinkVLAError: a route, a checkpoint or an option that cannot work.
    """
    route = pick_route(None, task.route_id)
    with SimServer(port=task.port, town=route.town, seed=task.seed, options=VIEW_OPTIONS) as server:
        watch = ServerWatch(server)
        diary = _Diary(watch)
        settings = RunSettings(seed=task.seed, traffic=task.cars, agent_config=task.agent_config, max_ticks=task.ticks)
        run = RouteRun(server, route, _watched(agent_maker(task.agent), diary), settings)
        cars = 0
        for _ in run.ticks():
            cars = len(run.stage.traffic.actor_ids)
        after = watch.stages()
    record, ticks = run.record, max(1, run.record.timing.ticks)
    return Loop(
        status=record.status,
        cars=cars,
        ticks=record.timing.ticks,
        real_time=record.timing.real_time_ratio,
        tick=diary.spread(),
        phases=dict(record.timing.phases),
        agent=diary.means(ticks),
        server={stage: 1e3 * (spent - diary.before.get(stage, 0.0)) / ticks for stage, spent in after.items()},
    )


class _Diary:
    """When the agent was asked, and how its time went."""

    def __init__(self, watch: ServerWatch) -> None:
        self._watch = watch
        self._asked: list[float] = []
        self._stages: list[dict[str, float]] = []
        self.before: dict[str, float] = {}  # CPU seconds of the server when the loop began

    def ask(self) -> None:
        if not self._asked:
            self.before = self._watch.stages()
        self._asked.append(time.perf_counter())

    def answer(self, timing: dict[str, float]) -> None:
        self._stages.append(stages(timing))

    def spread(self) -> Spread:
        """Of ticks, the first left out: there everything is done for the first time."""
        moments = self._asked[1:]
        return spread([1e3 * (after - before) for before, after in pairwise(moments)] or [0.0])

    def means(self, ticks: int) -> dict[str, float]:
        """Per tick of the loop, as the phases are: on the last of them nobody asks the agent."""
        share = len(self._stages) / ticks
        return {stage: took * share for stage, took in mean_stages(self._stages).items()}


def _watched(make_agent: MakeAgent, diary: _Diary) -> MakeAgent:
    """The same agent, with a diary."""

    class Watched(make_agent):
        def run_step(self, input_data, timestamp):
            diary.ask()
            control = super().run_step(input_data, timestamp)
            diary.answer(getattr(self, "timing", {}))
            return control

    return Watched


def main() -> int:
    """See the module; the exit code."""
    task_file = Path(sys.argv[1])
    try:
        loop = close_loop(LoopTask(**json.loads(task_file.read_text(encoding="utf-8"))))
    except (LinkVLAError, CarlaServerError) as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr)
        return 2
    write_json(task_file.parent / RESULT, asdict(loop))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
