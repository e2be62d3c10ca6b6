"""``linkvla collect``: records frames with expert labels, shard by shard, side by side.

In the output folder: one folder per finished shard, with a manifest. Whatever ends a run, these stay, and the same
command makes the others.
"""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from linkvla.launch.carla_server.ports import try_lock
from linkvla.launch.collection.crew import Crew, LocalCrew
from linkvla.launch.collection.settings import CollectSettings
from linkvla.launch.collection.shards import Shard, check_finished, shards_of
from linkvla.launch.sim.world.town_loader import load_town
from linkvla.model.interface.errors import ConfigurationError

_PATIENCE = 3  # failures in a row, at least, before the rest is not tried any more


def collect(settings: CollectSettings) -> list[Path]:
    """Record; returns the finished recordings, one folder per shard. Finished shards of an earlier run are kept.

    Raises:
        TownError: an unknown town.
        ConfigurationError: the folder is in use, or holds shards of other settings; shards could not be made.
    """
    settings = settings.anywhere()
    for name in settings.towns:  # here, where the message reaches the user, not in each process
        load_town(name, settings.town_directories)
    shards = shards_of(settings)
    with _held(settings.out):
        finished = [shard for shard in shards if shard.finished]
        for shard in finished:
            check_finished(settings, shard)
        todo = [shard for shard in shards if not shard.finished]
        failed = _record(settings, todo, sum(shard.frames for shard in finished)) if todo else {}
    lacking = [shard.folder.name for shard in shards if not shard.finished]
    if lacking:
        reasons = "; ".join(sorted(set(failed.values())))
        raise ConfigurationError(
            f"{len(lacking)} of {len(shards)} shards are missing in {settings.out} ({', '.join(lacking[:5])}): "
            f"{reasons}; the same command makes them, the others are kept"
        )
    return [shard.folder for shard in shards]


@contextlib.contextmanager
def _held(out: Path) -> Iterator[None]:
    """The folder is ours alone."""
    out.mkdir(parents=True, exist_ok=True)
    lock = try_lock(out / ".lock")
    if lock is None:
        raise ConfigurationError(f"another process records into {out}; wait for its end, or choose another folder")
    with lock:
        yield


def _record(settings: CollectSettings, todo: list[Shard], finished: int) -> dict[int, str]:
    """Make shards, as long as there is hope; returns why some could not be made, by number.

    Raises ConfigurationError when the settings are to blame.
    """
    columns = (
        TextColumn("recording"), BarColumn(), MofNCompleteColumn(), TextColumn("{task.fields[rate]:.0f} frames/s"),
        TimeRemainingColumn(),
    )  # fmt: skip
    failed: dict[int, str] = {}
    in_a_row, made = 0, dict.fromkeys((shard.number for shard in todo), 0)
    with Progress(*columns) as progress, contextlib.closing(_crew(settings).work(todo)) as news:
        task = progress.add_task("frames", total=settings.frames, completed=finished, rate=0.0)
        started = time.monotonic()
        for piece in news:
            made[piece.shard] = piece.frames
            done = sum(made.values())
            progress.update(task, completed=finished + done, rate=done / max(time.monotonic() - started, 1e-6))
            if piece.hopeless:
                raise ConfigurationError(piece.error)
            if piece.error:
                failed[piece.shard] = piece.error.strip().splitlines()[-1]
                print(f"shard {piece.shard} failed: {piece.error}", file=sys.stderr)
            in_a_row = in_a_row + 1 if piece.error else 0 if piece.over else in_a_row
            if in_a_row >= max(_PATIENCE, settings.workers):
                break
    return failed


def _crew(settings: CollectSettings) -> Crew:
    from linkvla.launch.collection.makers import open_maker  # heavy: not for a run that has nothing left to do

    if settings.cluster:
        from linkvla.launch.collection.cluster_crew import RayCrew

        return RayCrew(settings.workers, partial(open_maker, settings), settings.cluster)
    return LocalCrew(settings.workers, partial(open_maker, settings))
