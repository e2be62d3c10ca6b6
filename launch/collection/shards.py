"""Shards: the pieces that a collection is made, kept and lost in.

What a shard holds follows from the settings and its number, not from who makes it, in what order or on how many
processes; a run that was killed lacks the shards that were being made, and the same command makes these.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from linkvla.launch.collection.settings import CollectSettings
from linkvla.model.interface.errors import ConfigurationError

MANIFEST = "manifest.json"
"""Written last: a shard without it is unfinished."""


@dataclass(frozen=True)
class Shard:
    """One piece: ``frames`` of them, in ``folder``."""

    number: int
    frames: int
    folder: Path

    @property
    def finished(self) -> bool:
        """Whether it is there, whole."""
        return (self.folder / MANIFEST).exists()


def shards_of(settings: CollectSettings) -> list[Shard]:
    """All shards of a collection; only the last may be smaller."""
    below = settings.out / "collected" if settings.layout == "simlingo" else settings.out
    size = settings.shard_frames
    return [
        Shard(number, min(size, settings.frames - number * size), below / f"shard-{number:05d}")
        for number in range(-(-settings.frames // size))
    ]


def notes_of(settings: CollectSettings, shard: Shard) -> dict[str, Any]:
    """What a shard's manifest says of how it was made."""
    return {
        "policy": settings.policy,
        "seed": settings.seed,
        "shard": shard.number,
        "frames": shard.frames,
        "towns": list(settings.towns),
        "routes": list(settings.routes),
        "line_share": settings.line_share,
        "hazard_share": settings.hazard_share,
        "tile": settings.tile,
        "language": settings.language,
    }


def check_finished(settings: CollectSettings, shard: Shard) -> None:
    """Raise ConfigurationError where a finished shard was made with other settings: it would be mistaken for theirs."""
    try:
        found = json.loads((shard.folder / MANIFEST).read_text(encoding="utf-8"))["notes"]
    except (OSError, ValueError, KeyError) as error:
        raise ConfigurationError(f"{shard.folder / MANIFEST} cannot be read ({error!r}); remove that folder") from None
    wanted = notes_of(settings, shard)
    for name, value in wanted.items():
        # A setting that the notes do not have is younger than they are.
        if name in found and _told(name, found[name]) != _told(name, value):
            raise ConfigurationError(
                f"{shard.folder} was recorded with {name} {found[name]}, not {value}; give the same settings, or "
                "choose another folder"
            )


def _told(name: str, value: Any) -> Any:
    """A note as far as it counts: checkpoints and route files may have been moved, or be named in another way."""
    if name == "policy":
        return value if value in ("random", "expert") else "network"
    return [Path(path).name for path in value] if name == "routes" else value
