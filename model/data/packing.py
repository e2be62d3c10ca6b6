"""Recordings into archives and back: whole or not at all, and only what is undamaged."""

from __future__ import annotations

import contextlib
import os
import tarfile
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from linkvla.model.data.shard_files import (
    MANIFEST,
    PACKED,
    FolderFiles,
    PackedFiles,
    ShardFiles,
    damaged,
    open_files,
    read_manifest,
    recordings_at,
)
from linkvla.model.interface.errors import DataError


def pack_all(folder: Path, out: Path) -> list[Path]:
    """Pack a recording, or all below a folder; see ``pack``. Raises DataError where there is none."""
    return [pack(part, out) for part in _all(folder, packed=False)]


def unpack_all(folder: Path, out: Path) -> list[Path]:
    """Unpack an archive, or all in a folder; see ``unpack``. Raises DataError where there is none."""
    return [unpack(part, out) for part in _all(folder, packed=True)]


def pack(source: Path, folder: Path) -> Path:
    """Pack a recording into ``folder``; returns the archive. What is there already, from the same recording, stays.

    Raises:
        DataError: the recording is unfinished or damaged, or another of its name is packed there.
    """
    files = FolderFiles(source)
    manifest = _sound_manifest(files)
    archive = folder / f"{source.name}{PACKED}"
    if archive.exists():
        return _same(archive, manifest)
    with _temporary(archive) as fresh, tarfile.open(fresh, "w", format=tarfile.GNU_FORMAT) as packed:
        for name in (MANIFEST, *(name for name in files.names() if name != MANIFEST)):
            member = tarfile.TarInfo(f"{source.name}/{name}")  # no dates, no owners: the same bytes each time
            member.size = (source / name).stat().st_size
            with open(source / name, "rb") as file:
                packed.addfile(member, file)
    return archive


def unpack(archive: Path, folder: Path) -> Path:
    """The reverse of ``pack``; returns the recording's folder."""
    files = PackedFiles(archive)
    manifest = _sound_manifest(files)
    target = folder / archive.stem
    if target.exists():
        return _same(target, manifest)
    with _temporary(target) as fresh:
        fresh.mkdir()
        for name in files.names():
            with open(fresh / name, "wb") as file:
                file.write(files.map(name).data)
    return target


def _all(folder: Path, packed: bool) -> list[Path]:
    found = [part for part in recordings_at(folder) if part.is_file() == packed]
    if not found:
        raise DataError(f"{folder} holds no {'packed recordings' if packed else 'recordings to be packed'}")
    return found


def _sound_manifest(files: ShardFiles) -> dict[str, Any]:
    manifest = read_manifest(files)
    if problems := damaged(files, manifest):
        raise DataError(f"{files.path} is damaged: {'; '.join(problems[:3])}; record or copy it again")
    return manifest


def _same(there: Path, manifest: dict[str, Any]) -> Path:
    if read_manifest(open_files(there)) != manifest:
        raise DataError(f"{there} holds another recording; choose another folder")
    return there


@contextlib.contextmanager
def _temporary(target: Path) -> Iterator[Path]:
    """A path that takes the place of ``target`` when the block ends well, and is removed when it does not."""
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{target.name}.", dir=target.parent) as folder:
        yield Path(folder) / "fresh"
        os.replace(Path(folder) / "fresh", target)
