"""The queue of routes: who is next, what is tried again, and when it is given up."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace

from linkvla.launch.evaluation.evaluators.contract import SAVE_FOLDER, RouteTask, Standing
from linkvla.launch.evaluation.records import SIMULATION_CRASHED, RouteRecord
from linkvla.launch.evaluation.supervisor.attempt import AttemptReport, unjudged
from linkvla.launch.evaluation.supervisor.crew import Crew

SAVE_PLACE = "{save}"
"""In an agent's options: stands for the attempt's folder for what the agent leaves."""

_POLL = 0.5  # s
_LONGEST_PAUSE = 300.0  # s


@dataclass(frozen=True)
class Retries:
    """How often a route is driven again after the machinery failed, and after which pause."""

    number: int = 2
    pause: float = 5.0  # s before the first; each further one is twice as long

    def pause_after(self, failures: int) -> float:
        """Seconds."""
        return min(self.pause * 2.0 ** (failures - 1), _LONGEST_PAUSE)


@dataclass(frozen=True)
class Moved:
    """A route has got somewhere."""

    route_id: str
    standing: Standing


@dataclass(frozen=True)
class Failed:
    """An attempt has failed; the route will be driven again."""

    route_id: str
    report: AttemptReport
    pause: float  # s


@dataclass(frozen=True)
class Finished:
    """A route has its final record: the agent's, or, after too many failures, one that gives it up."""

    record: RouteRecord
    reports: tuple[AttemptReport, ...]  # of all attempts


@dataclass
class _Entry:
    task: RouteTask
    not_before: float = 0.0  # time.monotonic()
    reports: list[AttemptReport] = field(default_factory=list)


def drive_all(
    tasks: Sequence[RouteTask],
    crew: Crew,
    retries: Retries,
    check: Callable[[], None] = lambda: None,
) -> Iterator[Moved | Failed | Finished]:
    """Drive the tasks in their order, as many at a time as the crew can.

    Args:
        tasks: one per route and repetition; their ``folder`` is the route's: attempts get folders below it.
        crew: who drives. It is closed at the end, however that comes.
        retries: what happens after a failure of the machinery.
        check: called before each attempt and after each failure; raises if nothing more can be expected to work.

    Raises:
        what ``check`` raises, and what an attempt does.
    """
    waiting = [_Entry(task) for task in tasks]
    running: dict[str, _Entry] = {}
    try:
        while waiting or running:
            while len(running) < crew.size and (entry := _pop_ready(waiting)) is not None:
                check()
                running[entry.task.route_id] = entry
                crew.start(_next_attempt(entry))
            for event in crew.events(_POLL):
                if isinstance(event.news, BaseException):
                    raise event.news
                if isinstance(event.news, Standing):
                    yield Moved(event.route_id, event.news)
                    continue
                entry = running.pop(event.route_id)
                entry.reports.append(event.news)
                if event.news.outcome.failure:
                    check()
                    if len(entry.reports) <= retries.number:
                        pause = retries.pause_after(len(entry.reports))
                        entry.not_before = time.monotonic() + pause
                        waiting.insert(0, entry)
                        yield Failed(event.route_id, event.news, pause)
                        continue
                yield Finished(_final(entry), tuple(entry.reports))
    finally:
        crew.close()


def _pop_ready(waiting: list[_Entry]) -> _Entry | None:
    now = time.monotonic()
    for index, entry in enumerate(waiting):
        if entry.not_before <= now:
            return waiting.pop(index)
    return None


def _next_attempt(entry: _Entry) -> RouteTask:
    folder = entry.task.folder
    number = 1 + max((int(path.name) for path in folder.glob("[0-9]*") if path.name.isdigit()), default=0)
    attempt = folder / str(number)
    config = entry.task.agent_config.replace(SAVE_PLACE, str(attempt / SAVE_FOLDER))
    return replace(entry.task, folder=attempt, agent_config=config)


def _final(entry: _Entry) -> RouteRecord:
    """The record of the last attempt; if that failed too, one that says so, with all scores 0."""
    outcome = entry.reports[-1].outcome
    if not outcome.failure and outcome.record is not None:
        return outcome.record
    tries = len(entry.reports)
    return unjudged(entry.task, SIMULATION_CRASHED, f"given up after {tries} attempts; the last: {outcome.failure}")
