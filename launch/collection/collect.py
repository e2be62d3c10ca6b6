"""``linkvla collect``: records frames with expert labels, in parallel, into memory-mapped recordings."""

from __future__ import annotations

import multiprocessing
import random
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from linkvla.launch.collection.simlingo_worker import write_drives
from linkvla.launch.sim.world.town_loader import load_town
from linkvla.model.interface.errors import ConfigurationError

TRAINING_TOWNS = (
    "Aspen", "Birch", "Cedar", "Dogwood", "Elm", "Fir", "Ginkgo", "Hazel", "Ironwood", "Juniper", "Kauri", "Larch",
)  # fmt: skip
LAYOUTS = ("recording", "simlingo")
HELD_OUT_TOWNS = ("Maple", "Nutmeg")


@dataclass(frozen=True)
class CollectSettings:
    """What to record.

    ``policy``: "random" (situations drawn at random), "expert" (the expert drives them), or a checkpoint name or folder
    (the checkpoint drives them; the labels are the expert's: one DAgger round).
    """

    out: Path
    frames: int = 40_000
    policy: str = "random"
    towns: tuple[str, ...] = TRAINING_TOWNS
    town_directories: tuple[Path, ...] = ()
    seed: int = 0
    workers: int = 2
    line_share: float = 0.3  # of the situations, put before the stop line of a light or sign
    scene_seeds: int = 2  # different vegetation and facades per town
    episodes: int = 16  # parallel drives per worker, on-policy only
    keep_every: int = 2  # decisions between recorded frames, on-policy only
    language: bool = True  # commentary, questions and Action Dreaming with each frame
    layout: str = "recording"  # or "simlingo": whole drives of the expert, one file per part of a frame

    def __post_init__(self) -> None:
        if self.frames < self.workers or self.workers < 1:
            raise ConfigurationError(
                f"at least one frame per worker is needed, got {self.frames} frames, {self.workers} workers"
            )
        if not 0.0 <= self.line_share <= 1.0:
            raise ConfigurationError(f"the share of situations at stop lines must lie in 0..1, got {self.line_share}")
        if self.layout not in LAYOUTS:
            raise ConfigurationError(f"the layout must be one of {', '.join(LAYOUTS)}, got {self.layout!r}")
        if self.layout == "simlingo" and self.policy != "expert":
            raise ConfigurationError(f"the simlingo layout holds drives of the expert, got policy {self.policy!r}")
        if self.layout == "simlingo" and not self.language:
            raise ConfigurationError("the simlingo layout always has language; leave it on, or record the other layout")
        if not self.towns:
            raise ConfigurationError("name at least one town to record in")


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
            counter.value = share_of(settings.frames, settings.workers, k)
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


def share_of(frames: int, workers: int, worker: int) -> int:
    """How many of the frames one worker records."""
    return frames // workers + (worker < frames % workers)


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
    count = share_of(settings.frames, settings.workers, worker)
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
    from linkvla.launch.collection.sampler import Sampler
    from linkvla.launch.collection.stage import Stage
    from linkvla.model.data.view import CameraRig

    rng = random.Random(f"{settings.seed}-{worker}")
    scene_seed = settings.seed * settings.scene_seeds + worker % settings.scene_seeds
    stages = [Stage.open(name, settings.town_directories, scene_seed) for name in settings.towns]
    samplers = [Sampler(stage, random.Random(rng.random()), settings.line_share) for stage in stages]
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
