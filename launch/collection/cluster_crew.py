"""Those who make shards on the machines of a Ray cluster: actors, each of which takes one shard after another.

The queue and the decision what to do about failures stay with the one who started the collection. Shards are written
where the collection's folder is seen from the machine that makes them: it has to lie on a disk that all share.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from linkvla.launch.collection.crew import Maker, News
from linkvla.launch.collection.shards import Shard
from linkvla.launch.ray_cluster import join


class RayCrew:
    """See ``crew.Crew``; news comes of whole shards only.

    Args:
        workers: how many at a time; each takes a processor.
        open_maker: called once by each, before its first shard.
        address: of the cluster; see ``ray_cluster.join``.

    Raises:
        ConfigurationError: Ray is not installed, or there is no cluster.
    """

    def __init__(self, workers: int, open_maker: Callable[[], Maker], address: str) -> None:
        self._workers = workers
        self._ray = join(address, workers)
        # Not repeated by Ray: whether a shard is tried again is not its business.
        actor = self._ray.remote(num_cpus=1, max_restarts=0, max_task_retries=0)(_Hand)
        self._hire = lambda: actor.remote(open_maker)

    def work(self, shards: Sequence[Shard]) -> Iterator[News]:
        """See ``crew.Crew``."""
        from ray.exceptions import RayError

        waiting = deque(shards)
        busy: dict[Any, tuple[Any, Shard]] = {}  # by reference to what is to come

        def hand_over(hand: Any) -> None:
            shard = waiting.popleft()
            busy[hand.make.remote(shard)] = hand, shard

        try:
            for _ in range(min(self._workers, len(waiting))):
                hand_over(self._hire())
            while busy:
                done, _ = self._ray.wait(list(busy), num_returns=1)
                hand, shard = busy.pop(done[0])
                try:
                    news = _seen_here(self._ray.get(done[0]), shard)
                except RayError as error:
                    hand = None
                    news = News(shard.number, 0, True, f"the worker was lost: {' '.join(str(error).split())[:300]}")
                if waiting:
                    hand_over(hand or self._hire())
                yield news
        finally:
            self._ray.shutdown()  # ends the actors


def _seen_here(news: News, shard: Shard) -> News:
    if news.error or shard.finished:
        return news
    error = f"{shard.folder} was made on a machine that keeps it to itself; put --out on a disk that all machines share"
    return News(shard.number, 0, True, error, hopeless=True)


class _Hand:
    """The actor."""

    def __init__(self, open_maker: Callable[[], Maker]) -> None:
        self._open_maker = open_maker
        self._make: Maker | None = None

    def make(self, shard: Shard) -> News:
        """One shard. Errors are returned: raised, they would arrive as Ray's."""
        try:
            self._make = self._make or self._open_maker()
            self._make(shard, lambda frames: None)
        except Exception as error:
            return News.failure(shard, error)
        return News(shard.number, shard.frames, True)
