"""Where a shard's frames come from. A further kind of worker is a further class here, and a line in ``open_source``."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from itertools import islice
from typing import Any, Protocol

from linkvla.launch.collection.frames import Photographer, record
from linkvla.launch.collection.rollouts import Policy, rollouts
from linkvla.launch.collection.sampler import Sampler
from linkvla.launch.collection.settings import CollectSettings
from linkvla.launch.collection.shards import Shard
from linkvla.launch.collection.stage import Stage
from linkvla.model.data.recording import Record
from linkvla.model.data.view import CameraRig

_DECISIONS_PER_TOWN = 30  # recorded ones of each on-policy drive; fewer show little but how drives begin


class Source(Protocol):
    """Makes frames; one per process, which keeps what its shards share."""

    def records(self, shard: Shard) -> Iterator[Record]:
        """The shard's frames, at least as many as it holds: the same in whichever process, after whichever shard.

        The iterator is closed as soon as the shard is full; what it holds open (a simulator) has to end then.
        """

    def notes(self) -> dict[str, Any]:
        """What the manifest should say of the shard that was made last, such as what was left out of it."""


class Stages:
    """The towns of a collection, each opened once."""

    def __init__(self, settings: CollectSettings) -> None:
        self._settings = settings
        self._opened: dict[tuple[str, int], Stage] = {}

    def samplers(self, shard: Shard, names: tuple[str, ...], rng: random.Random) -> list[Sampler]:
        """One per town for a shard, each with a random stream of its own."""
        settings = self._settings
        scene_seed = settings.seed * settings.scene_seeds + shard.number % settings.scene_seeds
        for name in names:
            if (name, scene_seed) not in self._opened:
                self._opened[name, scene_seed] = Stage.open(name, settings.town_directories, scene_seed)
        stages = [self._opened[name, scene_seed] for name in names]
        # SimLingo's files say nothing of what is passed.
        hazards = 0.0 if settings.layout == "simlingo" else settings.hazard_share
        return [Sampler(stage, random.Random(rng.random()), settings.line_share, hazards) for stage in stages]


class DrawnSituations:
    """Situations drawn at random. The towns are interleaved, so that each shard is varied."""

    def __init__(self, settings: CollectSettings) -> None:
        self._settings = settings
        self._stages, self._photographer = Stages(settings), Photographer(CameraRig(), settings.view_shape)

    def records(self, shard: Shard) -> Iterator[Record]:
        """See ``Source``."""
        settings, photographer = self._settings, self._photographer
        rng = random.Random(f"{settings.seed}-{shard.number}")
        samplers = self._stages.samplers(shard, settings.towns, rng)
        while True:
            situation = rng.choice(samplers).draw()
            yield record(situation, photographer, photographer.take(situation), rng, language=settings.language)

    def notes(self) -> dict[str, Any]:
        """See ``Source``."""
        return {}


class Rollouts:
    """Situations that a policy gets itself into. A shard is made in a few towns, and the shards take turns with them:
    drives in all towns at once would hardly get beyond their first seconds.
    """

    def __init__(self, settings: CollectSettings, policy: Policy) -> None:
        self._settings, self._policy = settings, policy
        self._stages, self._photographer = Stages(settings), Photographer(CameraRig(), settings.view_shape)

    def records(self, shard: Shard) -> Iterator[Record]:
        """See ``Source``."""
        settings = self._settings
        rng = random.Random(f"{settings.seed}-{shard.number}")
        options = (settings.episodes, settings.keep_every, settings.language)
        samplers = self._stages.samplers(shard, self.towns(shard), rng)
        drives = [rollouts(sampler, self._photographer, self._policy, *options) for sampler in samplers]
        while True:
            yield from islice(rng.choice(drives), settings.episodes)

    def notes(self) -> dict[str, Any]:
        """See ``Source``."""
        return {}

    def towns(self, shard: Shard) -> tuple[str, ...]:
        """Where a shard is made: as many towns as give their drives room, in turns in an order of the seed's."""
        towns = random.Random(self._settings.seed).sample(self._settings.towns, len(self._settings.towns))
        wanted = self._settings.shard_frames // (self._settings.episodes * _DECISIONS_PER_TOWN)
        count = min(max(wanted, 1), len(towns))
        return tuple(towns[(shard.number * count + k) % len(towns)] for k in range(count))


def open_source(settings: CollectSettings) -> Source:
    """What the settings ask for."""
    if settings.routes:
        from linkvla.launch.collection.closed_loop.drives import Drives  # heavy: evaluation and agent

        return Drives(settings)
    if settings.policy == "random":
        return DrawnSituations(settings)
    return Rollouts(settings, _policy(settings.policy))


def _policy(name: str) -> Callable:
    """The driver of on-policy recordings (see ``rollouts.Policy``)."""
    if name == "expert":
        return lambda situations, _: [situation.plan() for situation in situations]
    import torch

    from linkvla.model.policy import LinkVLAPolicy

    torch.set_num_threads(1)  # one core per worker
    network = LinkVLAPolicy.from_pretrained(name)
    return lambda _, observations: network.predict_batch(observations)
