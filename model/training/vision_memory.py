"""What a frozen vision tower has seen before it need not see again.

A picture is known by what the tower would be shown, to the last bit: whatever changes it (other data, colours, another
size) makes another picture, so nothing that is found can be out of date. A tower whose weights have changed since is
noticed too, and then all is forgotten. Main memory holds the features up to a limit; the ones longest unused go first.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Hashable

import torch
from torch import nn

_WORDS = 2
"""64-bit sums that a picture is known by: two pictures are taken for one another once in 2^96 or so."""


class VisionMemory:
    """Features of pictures, at most ``limit`` bytes of them. Several threads may ask at once."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.bytes = 0
        self.asked = self.found = 0  # pictures
        self._features: OrderedDict[Hashable, torch.Tensor] = OrderedDict()
        self._weights: tuple = ()
        self._factors = torch.empty(0, dtype=torch.int64)
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._features)

    def __call__(self, tower: nn.Module, pixels: torch.Tensor) -> torch.Tensor:
        """The last hidden states (N, 1 + patches, width) of ``tower`` for pictures (N, 3, s, s), without gradient."""
        keys = self._keys(pixels)
        with self._lock:
            self._forget_if_changed(tower)
            known = {key: self._features[key] for key in keys if key in self._features}
            self.asked, self.found = self.asked + len(keys), self.found + sum(key in known for key in keys)
            for key in known:
                self._features.move_to_end(key)
        unknown = {key: n for n, key in enumerate(keys) if key not in known}
        if unknown:
            with torch.no_grad():
                seen = tower(pixel_values=pixels[list(unknown.values())]).last_hidden_state
            new = dict(zip(unknown, seen.cpu()))
            known.update(new)
            with self._lock:
                for key, features in new.items():
                    self._keep(key, features.clone())  # alone: a slice would hold the whole batch
        return torch.stack([known[key] for key in keys]).to(pixels.device, non_blocking=True)

    def _keep(self, key: Hashable, features: torch.Tensor) -> None:
        if features.nbytes > self.limit or key in self._features:
            return
        self._features[key] = features
        self.bytes += features.nbytes
        while self.bytes > self.limit:
            self.bytes -= self._features.popitem(last=False)[1].nbytes

    def _forget_if_changed(self, tower: nn.Module) -> None:
        """In-place changes count up a tensor's version; new tensors lie elsewhere."""
        weights = tuple((tensor.data_ptr(), tensor._version) for tensor in tower.state_dict(keep_vars=True).values())
        if weights != self._weights:
            self._features.clear()
            self._weights, self.bytes = weights, 0

    def _keys(self, pixels: torch.Tensor) -> list[Hashable]:
        """Per picture: sums of its bits with fixed random factors, modulo 2^64; and the arithmetic it is seen with."""
        bits = pixels.detach().float().contiguous().view(torch.int32).flatten(1)
        with self._lock:
            if self._factors.shape[-1] != bits.shape[1] or self._factors.device != bits.device:
                random = torch.Generator().manual_seed(0)
                span = torch.iinfo(torch.int64)
                shape = (_WORDS, bits.shape[1])
                self._factors = torch.randint(span.min, span.max, shape, generator=random).to(bits.device)
            factors = self._factors
        sums = torch.stack([(factors * picture).sum(-1) for picture in bits]).tolist()
        kind = pixels.device.type
        how = (pixels.dtype, torch.is_autocast_enabled(kind) and torch.get_autocast_dtype(kind))
        return [(*words, *how) for words in sums]
