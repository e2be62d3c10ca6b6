"""Keys and values that stay where they are: what stands behind the verbs of ``linkvla.model.decoding.prefix``."""

from __future__ import annotations

from collections.abc import Callable, Hashable

import torch
from torch.nn import functional

from linkvla.model.engine.graphs import Recorder
from linkvla.model.engine.trunk import Trunk

_STEP = 16
"""Causal passes are recorded for multiples of so many positions: drafts of any length find one."""


class Buffers:
    """Keys and values of B samples. Allocated once and never moved, since recordings know where they are."""

    @torch.inference_mode(False)  # else they could be written in that mode alone
    def __init__(self, trunk: Trunk, batch: int) -> None:
        shape = (trunk.depth, 2, batch, trunk.key_heads, trunk.capacity, trunk.head_width)
        # Zeros: what lies behind a mask is multiplied by zero, and zero times garbage may be NaN.
        self.rows = torch.zeros(shape, dtype=trunk.dtype, device=trunk.device)
        self.holder: StaticMemory | None = None


class Pool:
    """The buffers of one trunk, one for each number of samples that it was asked for."""

    def __init__(self, trunk: Trunk) -> None:
        self.trunk = trunk
        self._buffers: dict[int, Buffers] = {}

    def buffers(self, batch: int) -> Buffers:
        """Those for ``batch`` samples."""
        if batch not in self._buffers:
            self._buffers[batch] = Buffers(self.trunk, batch)
        return self._buffers[batch]


class StaticMemory:
    """One reading of a pool's buffers, a ``prefix.Memory``. The next one of as many samples ends it.

    Args:
        batch: samples.
        length: positions that lie in the buffers already, from the reading before.
        start: where this reading is to serve every length, the true one, () int64 on the device.
    """

    def __init__(self, pool: Pool, batch: int, length: int = 0, start: torch.Tensor | None = None) -> None:
        self.batch, self.length = batch, length
        self._pool, self._start, self._before = pool, start, length
        self._buffers = pool.buffers(batch)
        self._buffers.holder = self

    def read(
        self, embeddings: torch.Tensor, valid: torch.Tensor | None, open_block: bool, last: int | None = None
    ) -> torch.Tensor:
        """See ``prefix.Memory``. Raises RuntimeError for a reading that another one has ended."""
        self.check()
        trunk, count = self._pool.trunk, embeddings.shape[1]
        if self._start is None:
            place = trunk.place(self.length, count, valid, open_block)
        else:
            place = trunk.floating_place(self._start, self.length - self._before, count, open_block)
        self.length += count
        return trunk.read(embeddings, self._buffers.rows, place, last)

    def check(self) -> None:
        """Raise RuntimeError where another reading has ended this one."""
        if self._buffers.holder is not self:
            raise RuntimeError("this prefix has ended: another one was begun since")

    def repeat(self, times: int) -> None:
        """See ``prefix.Memory``."""
        self.batch *= times
        wide = self._pool.buffers(self.batch)
        if wide is not self._buffers:
            upto = self.length if self._start is None else self._pool.trunk.capacity
            wide.rows[..., :upto, :] = self._buffers.rows[..., :upto, :].repeat_interleave(times, 2)
        wide.holder, self._buffers = self, wide

    def rewind(self, length: int) -> None:
        """See ``prefix.Memory``."""
        self.length = length


class RecordedMemory(StaticMemory):
    """A reading whose passes are recorded where the device can do that.

    ``anchor``: how many positions were read where a prompt goes on after its picture. From there, and from the
    beginning, passes are recorded for that very place; from elsewhere for all places at once.
    """

    def __init__(self, pool: Pool, recorder: Recorder, batch: int, length: int, anchor: int) -> None:
        super().__init__(pool, batch, length)
        self._recorder = recorder
        self._anchors = (0, anchor)
        self.has_read = length > 0

    def read(
        self, embeddings: torch.Tensor, valid: torch.Tensor | None, open_block: bool, last: int | None = None
    ) -> torch.Tensor:
        """See ``StaticMemory``."""
        if valid is not None:
            self.has_read = True
            return super().read(embeddings, valid, open_block, last)
        count = embeddings.shape[1]
        last = last or count
        # What is recorded reads all to the end: what is wanted differs from draft to draft, and would be recorded anew.
        wanted = None if self._recorder.records else last
        if self._recorder.records and not open_block:
            embeddings = self._filled(embeddings)

        def read(memory: StaticMemory, embeddings: torch.Tensor) -> torch.Tensor:
            return memory.read(embeddings, None, open_block, wanted)

        hidden = self.run(("read", open_block), read, embeddings.shape[1], embeddings=embeddings)
        self.length -= embeddings.shape[1] - count
        return hidden[:, :count][:, -last:]

    def run(
        self, name: tuple[Hashable, ...], function: Callable[..., torch.Tensor], room: int, **inputs: torch.Tensor
    ) -> torch.Tensor:
        """``function(memory, **inputs)`` with a memory that stands where this one does; this one goes on behind it.

        ``room``: positions that the function reads. Raises ObservationError where they do not fit.
        """
        self.check()
        length, anchored = self.length, self.length in self._anchors
        self._pool.trunk.check(length + room)
        if self._recorder.records and not anchored:
            inputs["start"] = torch.full((), length, device=self._pool.trunk.device)

        def anywhere(start: torch.Tensor | None = None, **given: torch.Tensor) -> torch.Tensor:
            return function(StaticMemory(self._pool, self.batch, length, start), **given)

        result = self._recorder.run((*name, length if anchored else None), anywhere, **inputs)
        self.length, self._buffers.holder, self.has_read = length + room, self, True
        return result

    def _filled(self, embeddings: torch.Tensor) -> torch.Tensor:
        """With nothings behind them, up to the next number of positions that passes are recorded for.

        Nothing looks at what comes later, so they change nothing; what is read next is written over them.
        """
        count = embeddings.shape[1]
        room = self._pool.trunk.capacity - self.length
        return functional.pad(embeddings, (0, 0, 0, max(min(-count % _STEP, room - count), 0)))
