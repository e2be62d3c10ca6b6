"""One process of ``linkvla collect --layout simlingo``."""

from __future__ import annotations

import json
import multiprocessing
import random
from pathlib import Path

from linkvla.launch.collection.settings import HELD_OUT_TOWNS, CollectSettings

_ROUTES_PER_WORKER = 1_000_000  # numbers set aside for each


def write_drives(settings: CollectSettings, worker: int, part: Path, counter) -> None:
    """Writes drives until the worker's share of the frames is there; the towns take turns at random.

    All workers write below ``settings.out``. ``part`` gets a manifest at the end and nothing else: it says that the
    share is complete. An interrupted worker starts over, and writes the same files again.
    """
    from linkvla.launch.collection.annotate import annotate
    from linkvla.launch.collection.sampler import open_samplers
    from linkvla.launch.collection.simlingo_writer import DriveWriter

    rng = random.Random(f"{settings.seed}-{worker}-simlingo")
    samplers = open_samplers(settings, worker, rng)
    writers = {
        held_out: DriveWriter(settings.out, group, settings.seed, annotate)
        for held_out, group in ((False, "training_1_scenario"), (True, "validation_1_scenario"))
    }
    count, routes = settings.share(worker), 0
    while counter.value < count:
        sampler = rng.choice(samplers)
        writer = writers[sampler.stage.town.name in HELD_OUT_TOWNS]
        counter.value += writer.write(sampler, worker * _ROUTES_PER_WORKER + routes)
        routes += 1
        if not multiprocessing.parent_process().is_alive():
            raise SystemExit("the collecting process is gone")
    part.mkdir(parents=True, exist_ok=True)
    manifest = {"layout": "simlingo", "frames": counter.value, "routes": routes, "seed": settings.seed, "lidar": False}
    (part / "manifest.json").write_text(json.dumps(manifest, indent=1))
