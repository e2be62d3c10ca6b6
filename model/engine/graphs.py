"""Recorded sequences of kernels (CUDA graphs): a frame in a few launches instead of a thousand."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable, Mapping

import torch

KEPT = 24
"""Recordings that are kept, at most; a new one takes the place of the one that was not used for longest."""

_REHEARSALS = 3  # runs before a recording: libraries choose kernels and allocate workspaces in the first


class _Recording:
    """One function at fixed shapes: tensors in, one tensor out, at addresses that do not change."""

    def __init__(
        self, function: Callable[..., torch.Tensor], inputs: Mapping[str, torch.Tensor], pool: tuple[int, int]
    ) -> None:
        with torch.inference_mode(False):  # else they could be written in that mode alone
            self._inputs = {name: tensor.clone() for name, tensor in inputs.items()}
        current, side = torch.cuda.current_stream(), torch.cuda.Stream()
        side.wait_stream(current)
        with torch.cuda.stream(side):
            for _ in range(_REHEARSALS):
                function(**self._inputs)
        current.wait_stream(side)
        self._graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(self._graph, pool=pool):
            self._output = function(**self._inputs)

    def __call__(self, inputs: Mapping[str, torch.Tensor]) -> torch.Tensor:
        for name, tensor in inputs.items():
            self._inputs[name].copy_(tensor, non_blocking=True)
        self._graph.replay()
        return self._output


class Recorder:
    """Runs functions: recorded on a GPU, plainly elsewhere. The one place where the devices differ.

    Recordings are replayed one after the other, on one stream; what they need between their inputs and their output
    they share.
    """

    def __init__(self, device: torch.device, kept: int = KEPT) -> None:
        self.records = device.type == "cuda"
        self._device, self._kept = device, kept
        self._recordings: OrderedDict[Hashable, _Recording] = OrderedDict()
        self._pool = torch.cuda.graph_pool_handle() if self.records else None

    def run(self, name: Hashable, function: Callable[..., torch.Tensor], **inputs: torch.Tensor) -> torch.Tensor:
        """``function(**inputs)``, whose inputs lie on the device.

        ``name`` stands for everything but the inputs' values and shapes that the function's work depends on. It must
        neither wait for the device nor look at values. The result is valid until the next call of the same name.
        """
        if not self.records:
            return function(**inputs)
        key = name, tuple((one, tuple(tensor.shape), tensor.dtype) for one, tensor in inputs.items())
        with torch.cuda.device(self._device):
            if key not in self._recordings:
                while len(self._recordings) >= self._kept:
                    self._recordings.popitem(last=False)
                self._recordings[key] = _Recording(function, inputs, self._pool)
            self._recordings.move_to_end(key)
            return self._recordings[key](inputs)
