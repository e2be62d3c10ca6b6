"""From a prompt to points: the decoder that a configuration names."""

from __future__ import annotations

from types import ModuleType

from linkvla.model.decoding import autoregressive, coarse_to_fine, regression
from linkvla.model.decoding.decoded import Decoded
from linkvla.model.decoding.prefix import Prefix, begin
from linkvla.model.modeling_linkvla import DrivingBatch, LinkVLAForDriving

_DECODERS: dict[str, ModuleType] = {
    "coarse_to_fine": coarse_to_fine,
    "autoregressive": autoregressive,
    "regression": regression,
}


def act(model: LinkVLAForDriving, prefix: Prefix, mode: str | None = None) -> Decoded:
    """Points after complete answers, generated or given, by the configuration's ``action_head``."""
    return _DECODERS[model.config.action_head].decode(model, prefix, mode)


def decode(model: LinkVLAForDriving, batch: DrivingBatch, mode: str | None = None) -> Decoded:
    """Points for a batch whose answers are given."""
    return act(model, begin(model, batch), mode)
