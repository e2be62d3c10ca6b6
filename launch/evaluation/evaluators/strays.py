"""Process groups that an attempt has started outside its own, written down by those who lead them.

A number alone would not do: after the group has gone, the system may give it to a stranger. So a note also holds the
time at which its leader was started: who is older is no member.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

NOTES = "groups"
"""Folder of the notes in the attempt's folder: one file per group, named by its number."""


def note_own_group(folder: Path) -> None:
    """Write down this process's group, which it must lead."""
    notes = folder / NOTES
    notes.mkdir(parents=True, exist_ok=True)
    own = os.getpid()
    started = next((start for process, _, start in _processes() if process == own), 0)
    (notes / str(os.getpgrp())).write_text(str(started), encoding="ascii")


def living_groups(folder: Path) -> list[int]:
    """The groups that were written down and still have a member."""
    notes = {int(note.name): int(note.read_text(encoding="ascii") or 0) for note in (folder / NOTES).glob("[0-9]*")}
    if not notes:
        return []
    return sorted({group for _, group, started in _processes() if group in notes and started >= notes[group]})


def _processes() -> Iterator[tuple[int, int, int]]:
    """Number, group and start (clock ticks since boot) of the living processes; none where there is no /proc."""
    for file in Path("/proc").glob("[0-9]*/stat"):
        try:
            text = file.read_text(encoding="utf-8", errors="replace")
        except OSError:  # it has ended meanwhile
            continue
        fields = text.rpartition(")")[2].split()  # the name before may hold anything
        if fields[0] not in "ZX":
            yield int(file.parent.name), int(fields[2]), int(fields[19])
