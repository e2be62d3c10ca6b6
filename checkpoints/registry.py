"""Checkpoints by name: those that ship with linkvla, each with its model card."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from linkvla.model.checkpoint_folder import resolve, shipped_names
from linkvla.model.interface.errors import CheckpointError

SHELF = Path(__file__).resolve().parent
CARDS = SHELF / "cards"

DEFAULT = "linkvla-nano"
"""The checkpoint that drives when none is named."""


@dataclass(frozen=True)
class ShippedCheckpoint:
    """A checkpoint that ships: its name, its folder, and its model card (None while there is none)."""

    name: str
    folder: Path
    card: Path | None


def available() -> list[str]:
    """Names of the shipped checkpoints, sorted."""
    return shipped_names(SHELF)


def locate(folder_or_name: Path | str = DEFAULT) -> Path:
    """The folder of a name or a path. Raises CheckpointError that suggests the nearest name."""
    return resolve(folder_or_name, SHELF)


def shipped(name: str) -> ShippedCheckpoint:
    """All about one shipped checkpoint. Raises CheckpointError for a name that does not ship."""
    folder = locate(name)
    if folder.parent != SHELF:
        raise CheckpointError(f"{name} is not a shipped checkpoint; shipped are: {', '.join(available()) or 'none'}")
    card = CARDS / f"{folder.name}.md"
    return ShippedCheckpoint(folder.name, folder, card if card.is_file() else None)
