"""``linkvla collect``: records frames with expert labels, in parallel, into memory-mapped recordings."""

from __future__ import annotations

import multiprocessing
import random
import time
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from linkvla.launch.collection.settings import CollectSettings
from linkvla.launch.collection.simlingo_worker import write_drives
from linkvla.launch.sim.world.town_loader import load_town
from linkvla.model.interface.errors import ConfigurationError


def collect(settings: CollectSettings) -> list[Path]:
    """Record; returns the finished recordings, one folder per worker. Finished parts of an earlier run are kept.

    Raises TownError for an unknown town, ConfigurationError when a worker failed.
    """
    for name in settings.towns:  # here, where the message reaches the user, not in each worker
        load_town(name, settings.town_directories)
    settings.out.mkdir(parents=True, exist_ok=True)
    work, place = (_work, "part-{:03d}") if settings.layout == "recording" else (write_drives, "collected/part-{:03d}")
    parts = [settings.out / place.format(k) for k in range(settings.workers)]
    context = multiprocessing.get_context("spawn")
    counters = [context.Value("l", 0) for _ in parts]
    jobs = []
    for k, (part, counter) in enumerate(zip(parts, counters)):
        if (part / "manifest.json").exists():
            counter.value = settings.share(k)
            continue
        job = context.Process(target=work, args=(settings, k, part, counter), daemon=True)
        job.start()
        jobs.append(job)
    try:
        _watch(jobs, counters, settings.frames)
    finally:
        for job in jobs:
            job.terminate()
            job.join()
    failed = [str(part) for part in parts if not (part / "manifest.json").exists()]
    if failed:
        raise ConfigurationError(f"no finished recording in {', '.join(failed)}; the worker's error is printed above")
    return parts


def _watch(jobs: list, counters: list, frames: int) -> None:
    columns = (
        TextColumn("recording"), BarColumn(), MofNCompleteColumn(), TextColumn("{task.fields[rate]:.0f} frames/s"),
        TimeRemainingColumn(),
    )  # fmt: skip
    with Progress(*columns) as progress:
        task = progress.add_task("frames", total=frames, rate=0.0)
        started = time.monotonic()
        while any(job.is_alive() for job in jobs):
            done = sum(counter.value for counter in counters)
            progress.update(task, completed=done, rate=done / max(time.monotonic() - started, 1e-6))
            time.sleep(0.5)
        progress.update(task, completed=sum(counter.value for counter in counters))


def _work(settings: CollectSettings, worker: int, part: Path, counter) -> None:
    """One worker: its towns in turn, its own random stream."""
    from linkvla.model.data.recording import RecordingWriter

    notes = {"policy": settings.policy, "seed": settings.seed, "worker": worker}
    count = settings.share(worker)
    with RecordingWriter(part, count, towns=settings.towns, notes=notes, annotated=settings.language) as writer:
        for record in islice(_records(settings, worker), count):
            writer.append(record)
            counter.value += 1
            if not multiprocessing.parent_process().is_alive():
                raise SystemExit("the collecting process is gone")


def _records(settings: CollectSettings, worker: int) -> Iterator:
    """Interleaves the towns, so that an interrupted part is still varied."""
    from linkvla.launch.collection.frames import Photographer, record
    from linkvla.launch.collection.rollouts import rollouts
    from linkvla.launch.collection.sampler import open_samplers
    from linkvla.model.data.view import CameraRig

    rng = random.Random(f"{settings.seed}-{worker}")
    samplers = open_samplers(settings, worker, rng)
    photographer = Photographer(CameraRig())
    if settings.policy == "random":
        while True:
            situation = rng.choice(samplers).draw()
            yield record(situation, photographer, photographer.take(situation), rng, language=settings.language)
    policy = _policy(settings.policy)
    options = (settings.episodes, settings.keep_every, settings.language)
    drives = [rollouts(s, photographer, policy, *options) for s in samplers]
    while True:
        yield from islice(rng.choice(drives), settings.episodes)


def _policy(name: str) -> Callable:
    """The driver of on-policy recordings (see ``rollouts.Policy``)."""
    if name == "expert":
        return lambda situations, _: [situation.plan() for situation in situations]
    import torch

    from linkvla.model.policy import LinkVLAPolicy

    torch.set_num_threads(1)  # one core per worker
    network = LinkVLAPolicy.from_pretrained(name)
    return lambda _, observations: network.predict_batch(observations)
