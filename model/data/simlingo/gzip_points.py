"""Random reads in one large gzip file without unpacking it.

A gzip stream can only be read from its start, or from a place where the inflater's state is known. The first pass
keeps a copy of that state (some 40 KB) every few megabytes of output; a later read begins at the nearest one. States
live in memory only: zlib cannot write them down.
"""

from __future__ import annotations

import os
import zlib
from bisect import bisect_right
from pathlib import Path

from linkvla.model.interface.errors import DataError

SPACING = 8 * 2**20  # bytes of output between states: a read inflates half of it on average, about 20 ms
_BLOCK = 1 << 16  # bytes of input per step


class GzipPoints:
    """A gzip file as a file-like object for one first pass (``read``), then for reads at any offset (``read_at``).

    ``read_at`` is safe from several threads. Both raise DataError when the file is damaged.
    """

    def __init__(self, path: Path, spacing: int = SPACING) -> None:
        self.path = path
        self._spacing = spacing
        self._file = os.open(path, os.O_RDONLY)
        self._inflater = _new()
        self._points: list[tuple[int, int, zlib._Decompress]] = [(0, 0, self._inflater.copy())]
        self._input = 0  # bytes of the file taken so far
        self._output = 0  # bytes inflated so far
        self._ready = bytearray()

    def close(self) -> None:
        """Release the file."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1

    def read(self, size: int) -> bytes:
        """The next bytes of the first pass; fewer than ``size`` at the end only."""
        while len(self._ready) < size:
            inflater, data, taken = _step(self._file, self._inflater, self._input, self.path)
            if inflater is None:
                break
            self._inflater = inflater
            self._input += taken
            self._output += len(data)
            self._ready += data
            if self._output - self._points[-1][0] >= self._spacing:
                self._points.append((self._output, self._input, inflater.copy()))
        out = bytes(self._ready[:size])
        del self._ready[:size]
        return out

    def read_at(self, offset: int, size: int) -> bytes:
        """``size`` bytes of the inflated stream from ``offset`` on, which the first pass must have reached."""
        place, position, state = self._points[bisect_right(self._points, offset, key=lambda point: point[0]) - 1]
        inflater, out = state.copy(), bytearray()
        while place < offset + size:
            following, data, taken = _step(self._file, inflater, position, self.path)
            if following is None:
                raise DataError(f"{self.path} ends at {place} bytes, {offset + size} are needed; download it again")
            inflater = following
            out += data[max(offset - place, 0) :]
            place += len(data)
            position += taken
        return bytes(out[:size])


def _new() -> zlib._Decompress:
    return zlib.decompressobj(16 + zlib.MAX_WBITS)


def _step(file: int, inflater, position: int, path: Path) -> tuple[zlib._Decompress | None, bytes, int]:
    """Inflate one block at ``position``: (inflater to go on with, output, bytes taken); None as inflater at the end."""
    block = os.pread(file, _BLOCK, position)
    if not block:
        if not inflater.eof and position:
            raise DataError(f"{path} is cut off: its gzip stream has no end; download it again")
        return None, b"", 0
    if inflater.eof:  # another gzip member follows
        if not block.strip(b"\0"):
            return None, b"", 0
        inflater = _new()
    try:
        data = inflater.decompress(block)
    except zlib.error as error:
        raise DataError(f"{path} is damaged near byte {position} ({error}); download it again") from None
    return inflater, data, len(block) - len(inflater.unused_data)
