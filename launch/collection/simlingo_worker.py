"""Shards of ``linkvla collect --layout simlingo``."""

from __future__ import annotations

import random
from collections import Counter

from linkvla.launch.collection.annotate import annotate
from linkvla.launch.collection.crew import Tell
from linkvla.launch.collection.settings import HELD_OUT_TOWNS, CollectSettings
from linkvla.launch.collection.shards import MANIFEST, Shard, notes_of
from linkvla.launch.collection.simlingo_writer import DriveWriter
from linkvla.launch.collection.sources import Stages
from linkvla.launch.json_file import write_json

_ROUTES_PER_SHARD = 10_000  # numbers set aside for each


class DriveShards:
    """Writes drives until a shard's frames are there; the towns take turns at random.

    All drives lie below ``settings.out``, as the layout wants it. The shard's own folder gets a manifest at the end and
    nothing else: it says that the shard is complete. An interrupted one starts over, and writes the same files again.
    """

    def __init__(self, settings: CollectSettings) -> None:
        self._settings, self._stages = settings, Stages(settings)

    def __call__(self, shard: Shard, tell: Tell) -> None:
        """Make one; see ``crew.Maker``."""
        settings = self._settings
        rng = random.Random(f"{settings.seed}-{shard.number}-simlingo")
        samplers = self._stages.samplers(shard, settings.towns, rng)
        writers = {
            held_out: DriveWriter(settings.out, group, settings.seed, annotate)
            for held_out, group in ((False, "training_1_scenario"), (True, "validation_1_scenario"))
        }
        frames, routes = 0, 0
        while frames < shard.frames:
            sampler = rng.choice(samplers)
            writer = writers[sampler.stage.town.name in HELD_OUT_TOWNS]
            frames += writer.write(sampler, shard.number * _ROUTES_PER_SHARD + routes)
            routes += 1
            tell(frames)
        left_out = sum((writer.left_out for writer in writers.values()), Counter())
        manifest = {
            "layout": "simlingo",
            "frames": frames,
            "routes": routes,
            "left_out": dict(left_out),
            "lidar": False,
            "notes": notes_of(settings, shard),
        }
        write_json(shard.folder / MANIFEST, manifest)
