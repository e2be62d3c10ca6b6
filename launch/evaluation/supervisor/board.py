"""What is known of a running evaluation at a moment: for the table in the terminal, and for the live page."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timezone

from linkvla.launch.evaluation.evaluators.contract import RouteTask, Standing
from linkvla.launch.evaluation.records import RouteRecord
from linkvla.launch.evaluation.route_file import RouteSpec
from linkvla.launch.evaluation.supervisor.work_queue import Failed, Finished, Moved


@dataclass
class Running:
    """A route that is being driven, or waits for its next attempt."""

    route_id: str
    town: str
    attempt: int
    standing: Standing
    failure: str = ""  # of the attempt before


class Board:
    """Takes in the news of the work queue.

    Args:
        tasks: all of this evaluation.
        finished: records that were there before it.
        clock: seconds.
    """

    def __init__(
        self,
        tasks: Sequence[RouteTask],
        finished: Sequence[RouteRecord],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._clock = clock
        self._started = clock()
        self._tasks = {task.route_id: task for task in tasks}
        self._lengths = {task.route_id: length_of(task.route) for task in tasks}
        self._records = {record.route_id: record for record in finished}
        self._metres_before = sum(self._lengths.get(record.route_id, 0.0) for record in finished)
        self.running: dict[str, Running] = {}
        self.total = len(tasks)

    def take(self, news: Moved | Failed | Finished) -> None:
        """Take in what has happened."""
        if isinstance(news, Finished):
            self.running.pop(news.record.route_id, None)
            self._records[news.record.route_id] = news.record
            return
        task = self._tasks[news.route_id]
        entry = self.running.setdefault(news.route_id, Running(news.route_id, task.route.town, 1, Standing(0.0)))
        if isinstance(news, Failed):
            entry.attempt += 1
            entry.failure = news.report.outcome.failure
            entry.standing = Standing(0.0)
        else:
            entry.standing = news.standing

    @property
    def records(self) -> list[RouteRecord]:
        """Those that are there."""
        return list(self._records.values())

    @property
    def driving_score(self) -> float | None:
        """Mean of the records that are there; None before the first."""
        scores = [record.score_composed for record in self._records.values()]
        return sum(scores) / len(scores) if scores else None

    @property
    def gave_up(self) -> list[str]:
        """Ids of the routes that were given up."""
        return [record.route_id for record in self._records.values() if record.gave_up]

    @property
    def seconds_left(self) -> float | None:
        """Estimate by the metres of route driven since the start; None before any are."""
        total = sum(self._lengths.values())
        done = sum(self._lengths[route_id] for route_id in self._records if route_id in self._lengths)
        for route_id, entry in self.running.items():
            done += self._lengths[route_id] * (entry.standing.percent or 0.0) / 100.0
        driven = done - self._metres_before
        if driven <= 0.0:
            return None
        return (self._clock() - self._started) * max(total - done, 0.0) / driven

    def to_json(self, state: str) -> dict:
        """For ``live.json``. ``state``: running, finished, interrupted, or ended: by an error."""
        left = self.seconds_left
        return {
            "state": state,
            "updated": datetime.now(timezone.utc).isoformat(timespec="seconds"),
            "total": self.total,
            "finished": len(self._records),
            "gave_up": self.gave_up,
            "driving_score": self.driving_score,
            "seconds_left": None if left is None else round(left, 1),
            "running": [asdict(entry) for entry in self.running.values()],
        }


def length_of(route: RouteSpec) -> float:
    """Metres along its key points: enough to tell long routes from short ones, on a server without maps too."""
    return sum(math.dist(first, second) for first, second in zip(route.keypoints, route.keypoints[1:]))
