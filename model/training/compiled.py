"""Layers compiled for training, where that works; the network runs as it is where it does not.

Only layers: those of a tower are alike, so that one compilation serves all of them, while what surrounds them looks at
values (which words are learnt, which samples have labels). Weights, their names and copies of the network stay as they
are. Evaluation runs uncompiled, since decoders feed the same layers a token at a time, out of a cache.
"""

from __future__ import annotations

import functools
import logging
from collections.abc import Callable
from types import MethodType

import torch
from torch import nn

from linkvla.model.modeling_linkvla import LinkVLAForDriving

BACKEND = "inductor"

_log = logging.getLogger(__name__)


def compile_layers(model: LinkVLAForDriving, trial: Callable[[], object]) -> bool:
    """Compile the layers of both towers for training; whether it worked.

    ``trial`` is a forward and backward pass through them. What is compiled is compiled there, on one thread; where that
    fails (no C++ compiler, say), the log says why and the layers are as before.
    """
    layers = [*model.model.vision_tower.encoder.layer, *model.model.language_model.layers]
    for layer in layers:
        plain = type(layer).forward
        compiled = _compiled(plain, BACKEND, model.device.type == "cpu")
        layer.forward = MethodType(_while_training(compiled, plain), layer)
    try:
        trial()
    except Exception as error:  # compilers fail in as many ways as there are machines
        for layer in layers:
            del layer.forward
        reason = getattr(error, "inner_exception", error)  # the compiler's, in a wrapper of torch's
        _log.warning("the layers are not compiled: %s", (str(reason).strip() or type(reason).__name__).splitlines()[0])
        return False
    return True


def _while_training(compiled: Callable, plain: Callable) -> Callable:
    def forward(layer: nn.Module, *args: object, **kwargs: object) -> object:
        return (compiled if layer.training else plain)(layer, *args, **kwargs)

    return forward


@functools.cache
def _compiled(forward: Callable, backend: str | Callable, on_cpu: bool) -> Callable:
    # Called from C++, kernels let go of Python's lock, and shards run side by side.
    options = {"cpp_wrapper": True} if on_cpu and backend == "inductor" else None
    return torch.compile(forward, dynamic=True, backend=backend, options=options)  # batches and prompts are of any size
