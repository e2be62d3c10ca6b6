"""The files of one recording: in a folder, or packed into one tar archive, which is read in place.

An archive is an ordinary uncompressed tar of the folder. Mapped as a whole it takes one open file instead of one per
column, which counts where training reads thousands of shards. Archives are trusted in nothing: only regular files that
a recording has are looked at, by the names below, and no member leads anywhere else.
"""

from __future__ import annotations

import errno
import hashlib
import io
import json
import re
import resource
import tarfile
from itertools import islice
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from linkvla.model.interface.errors import DataError

MANIFEST = "manifest.json"
PACKED = ".tar"
_FILE = re.compile(r"[a-z_]+\.npy|annotations\.bin|manifest\.json")
_MOST_MEMBERS = 100  # of an archive; a recording has some twenty files
_MAX_MANIFEST_BYTES = 1 << 20
_MAX_HEADER_BYTES = 4096  # of a column
_CHUNK = 1 << 20  # bytes
_OPEN_FILES = 65_536  # wanted, where the system allows it


class ShardFiles(Protocol):
    """The files of one recording, by name."""

    path: Path

    def names(self) -> list[str]:
        """All that there are, sorted."""

    def map(self, name: str) -> np.ndarray:
        """(n,) uint8, read-only: a file's bytes, mapped. Raises DataError when it is absent or cannot be read."""


class FolderFiles:
    """In a folder."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def names(self) -> list[str]:
        """See ``ShardFiles``. None where there is no such folder."""
        return sorted(path.name for path in self.path.glob("*") if _FILE.fullmatch(path.name))

    def map(self, name: str) -> np.ndarray:
        """See ``ShardFiles``."""
        return _map(self.path / name)


class PackedFiles:
    """In an archive. Raises DataError where it cannot be read or is cut off."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._where: dict[str, tuple[int, int]] = {}
        try:
            with tarfile.open(path, "r:") as archive:
                for member in islice(archive, _MOST_MEMBERS):
                    name = member.name.rpartition("/")[2]
                    if (
                        member.type in (tarfile.REGTYPE, tarfile.AREGTYPE)
                        and _FILE.fullmatch(name)
                        and name not in self._where
                    ):
                        self._where[name] = member.offset_data, member.size
        except (tarfile.TarError, OSError) as error:
            raise DataError(f"{path} is no readable tar archive ({error}); copy it again") from None
        self._bytes = _map(path)

    def names(self) -> list[str]:
        """See ``ShardFiles``."""
        return sorted(self._where)

    def map(self, name: str) -> np.ndarray:
        """See ``ShardFiles``."""
        if name not in self._where:
            raise DataError(f"{self.path} holds no {name}; it is no packed recording, or an unfinished one")
        offset, size = self._where[name]
        return self._bytes[offset : offset + size]


def open_files(path: Path) -> ShardFiles:
    """Those of a recording's folder or archive."""
    return PackedFiles(path) if path.suffix == PACKED and path.is_file() else FolderFiles(path)


def recordings_at(path: Path) -> list[Path]:
    """Folders and archives of recordings: the path itself, or those directly below it. Empty where there are none.

    Raises DataError where a recording lies there both as a folder and packed: it would count twice.
    """
    if (path.suffix == PACKED and path.is_file()) or (path / MANIFEST).exists():
        return [path]
    folders = [manifest.parent for manifest in path.glob(f"*/{MANIFEST}")]
    archives = [archive for archive in path.glob(f"*{PACKED}") if archive.is_file()]
    for twice in {folder.name for folder in folders} & {archive.stem for archive in archives}:
        raise DataError(f"{path} holds {twice} both as a folder and packed; remove one of them")
    if len(folders) > 20:
        _allow_many_files()
    return sorted([*folders, *archives])


def read_manifest(files: ShardFiles) -> dict[str, Any]:
    """The manifest. Raises DataError where it is missing or no JSON object."""
    data = files.map(MANIFEST)
    if len(data) > _MAX_MANIFEST_BYTES:
        raise DataError(f"{files.path}: {MANIFEST} has {len(data)} bytes; it is no recording's")
    try:
        manifest = json.loads(data.tobytes())
    except ValueError as error:
        raise DataError(f"{files.path}/{MANIFEST} cannot be read: {error}") from None
    if not isinstance(manifest, dict):
        raise DataError(f"{files.path}/{MANIFEST} holds no JSON object; record it again")
    return manifest


def map_column(files: ShardFiles, name: str, dtype: np.dtype, shape: tuple[int, ...]) -> np.ndarray:
    """A column, read-only, without a copy. Raises DataError unless it has that type and shape."""
    if shape[0] == 0:
        return np.zeros(shape, dtype)
    data, where = files.map(f"{name}.npy"), f"{files.path}/{name}.npy"
    start = io.BytesIO(data[:_MAX_HEADER_BYTES].tobytes())
    try:
        np.lib.format.read_magic(start)
        found, in_columns, kind = np.lib.format.read_array_header_1_0(start)
    except ValueError as error:
        raise DataError(f"column {where} cannot be read: {error}; record it again") from None
    values = data[start.tell() :]
    if found != shape or kind != dtype or in_columns or len(values) != np.prod(shape, dtype=np.int64) * dtype.itemsize:
        raise DataError(
            f"column {where} should be {shape} {dtype}, is {found} {kind} in {len(values)} bytes; record it again"
        )
    return values.view(dtype).reshape(shape)


def checksums(files: ShardFiles) -> dict[str, dict[str, Any]]:
    """Size and SHA-256 of all files but the manifest, which keeps them."""
    return {name: _sum(files.map(name)) for name in files.names() if name != MANIFEST}


def damaged(files: ShardFiles, manifest: dict[str, Any]) -> list[str]:
    """What is not as the manifest says, in words; [] where all is, or where the manifest has no checksums."""
    found = []
    for name, wanted in sorted((manifest.get("files") or {}).items()):
        try:
            now = _sum(files.map(name))
        except DataError as error:
            found.append(str(error))
            continue
        if now != wanted:
            found.append(f"{name} has changed since it was recorded: {_told(now)}, the manifest says {_told(wanted)}")
    return found


def _map(path: Path) -> np.ndarray:
    try:
        if path.stat().st_size == 0:
            return np.zeros(0, np.uint8)
        return np.memmap(path, np.uint8, "r").view(np.ndarray)
    except OSError as error:
        many = error.errno == errno.EMFILE
        advice = "; raise `ulimit -n`, or pack the shards with `linkvla data pack`" if many else ""
        raise DataError(f"{path} cannot be read: {error.strerror or error}{advice}") from None


def _sum(data: np.ndarray) -> dict[str, Any]:
    digest = hashlib.sha256()
    for start in range(0, len(data), _CHUNK):
        digest.update(data[start : start + _CHUNK].data)
    return {"bytes": len(data), "sha256": digest.hexdigest()}


def _told(entry: Any) -> str:
    return f"{entry.get('bytes')} bytes, {str(entry.get('sha256'))[:12]}" if isinstance(entry, dict) else repr(entry)


def _allow_many_files() -> None:
    """Folders take one open file per column: more than many systems allow unless asked."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _OPEN_FILES if hard == resource.RLIM_INFINITY else min(hard, _OPEN_FILES)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
