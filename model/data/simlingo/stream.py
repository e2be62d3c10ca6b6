"""Where the bytes of a SimLingo data set come from: a folder, or the tar chunks that it is published in.

Chunks are not unpacked. A plain ``.tar`` is indexed once and read at offsets. A ``.tar.gz`` is inflated once to learn
where its members lie, and then read through ``GzipPoints``; batches are thus drawn at random and resume to the bit,
which a shuffle buffer over a sequential stream would not give. Where speed matters more than disk space, run ``gunzip``
on the chunks: pictures do not compress, so they grow little.

Members are trusted in nothing: only regular files whose path fits the layout are taken, with a bounded size.
"""

from __future__ import annotations

import os
import tarfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Protocol

from linkvla.model.data.simlingo.gzip_points import GzipPoints
from linkvla.model.data.simlingo.layout import TOPS, Entry, chunks_of, parse_path
from linkvla.model.interface.errors import DataError

MAX_MEMBER_BYTES = 64 * 2**20


class Files(Protocol):
    """The files of a data set, by path relative to its root. Reading must be safe from several threads."""

    def entries(self) -> Iterator[Entry]:
        """Every file that belongs to the layout."""

    def read(self, path: str) -> bytes:
        """Its bytes. Raises DataError with the path when it is absent, unreadable or too large."""


class FolderFiles:
    """An unpacked data set."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def entries(self) -> Iterator[Entry]:
        """Every file that belongs to the layout."""
        for top in sorted(TOPS):
            for folder, folders, names in os.walk(self.root / top):
                folders.sort()
                inside = Path(folder).relative_to(self.root).as_posix()
                for name in sorted(names):
                    if entry := parse_path(f"{inside}/{name}"):
                        yield entry

    def read(self, path: str) -> bytes:
        """Its bytes."""
        try:
            with open(self.root / path, "rb") as file:
                data = file.read(MAX_MEMBER_BYTES + 1)
        except OSError as error:
            raise DataError(f"{self.root / path} cannot be read: {error.strerror}") from None
        if len(data) > MAX_MEMBER_BYTES:
            raise DataError(f"{self.root / path} has more than {MAX_MEMBER_BYTES >> 20} MiB; it is no SimLingo file")
        return data


class TarFiles:
    """Chunks (``.tar``, ``.tar.gz``) of a data set; later ones win where a member occurs twice."""

    def __init__(self, chunks: Iterable[Path]) -> None:
        self._chunks = [_Chunk(path) for path in chunks]
        self._where: dict[str, tuple[_Chunk, int, int]] = {}
        for chunk in self._chunks:
            for path, offset, size in chunk.members():
                if parse_path(path) is not None:
                    self._where[path] = (chunk, offset, size)

    def entries(self) -> Iterator[Entry]:
        """Every file that belongs to the layout."""
        return (entry for path in self._where if (entry := parse_path(path)))

    def read(self, path: str) -> bytes:
        """Its bytes."""
        try:
            chunk, offset, size = self._where[path]
        except KeyError:
            raise DataError(f"{path} is in none of the {len(self._chunks)} archives") from None
        return chunk.read_at(offset, size)


class _Chunk:
    """One archive."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._points = GzipPoints(path) if path.suffix in (".gz", ".tgz") else None
        self._file = os.open(path, os.O_RDONLY) if self._points is None else -1

    def members(self) -> Iterator[tuple[str, int, int]]:
        """(path from the data set's root, offset, size) of the regular files."""
        try:
            with self._opened() as archive:
                for member in archive:
                    path = _inside(member.name)
                    if not member.isreg() or path is None:
                        continue
                    if member.size > MAX_MEMBER_BYTES:
                        raise DataError(f"{self.path}: {member.name} has {member.size} bytes; it is no SimLingo file")
                    yield path, member.offset_data, member.size
                    archive.members = []  # tarfile would keep millions of them
        except (tarfile.TarError, EOFError, OSError) as error:
            raise DataError(f"{self.path} is no readable tar archive ({error}); download it again") from None

    def _opened(self) -> tarfile.TarFile:
        if self._points is not None:
            return tarfile.open(fileobj=self._points, mode="r|")
        return tarfile.open(self.path, mode="r:")

    def read_at(self, offset: int, size: int) -> bytes:
        if self._points is not None:
            return self._points.read_at(offset, size)
        data = os.pread(self._file, size, offset)
        if len(data) != size:
            raise DataError(f"{self.path} is cut off at byte {offset + len(data)}; download it again")
        return data


def open_files(folder: Path) -> Files:
    """The files of a folder, unpacked or as chunks. Raises DataError when it holds neither."""
    if (folder / "data" / "simlingo").is_dir():
        return FolderFiles(folder)
    if chunks := chunks_of(folder):
        return TarFiles(chunks)
    raise DataError(f"{folder} holds no SimLingo data: neither data/simlingo nor data_*.tar[.gz] chunks")


def _inside(name: str) -> str | None:
    """A member's path from the data set's root; None when it leaves the archive or lies elsewhere."""
    parts = name.split("/")
    if name.startswith("/") or ".." in parts or "\\" in name or "\0" in name:
        return None
    parts = [part for part in parts if part not in ("", ".")]
    for k in range(len(parts) - 1):
        if parts[k] in TOPS and parts[k + 1] == "simlingo":
            return "/".join(parts[k:])
    return None
