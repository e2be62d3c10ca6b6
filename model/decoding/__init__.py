"""From a prompt to points: the decoder that a configuration names."""

from __future__ import annotations

from types import ModuleType

import torch

from linkvla.model.decoding import autoregressive, coarse_to_fine, hypotheses, regression
from linkvla.model.decoding.decoded import Decoded
from linkvla.model.decoding.prefix import Prefix, begin
from linkvla.model.interface.errors import ConfigurationError
from linkvla.model.modeling_linkvla import DrivingBatch, LinkVLAForDriving

_DECODERS: dict[str, ModuleType] = {
    "coarse_to_fine": coarse_to_fine,
    "autoregressive": autoregressive,
    "regression": regression,
}


def check_candidates(action_head: str, candidates: int) -> None:
    """Raise ConfigurationError for a number of hypotheses that a head cannot weigh."""
    if candidates < 1 or (candidates > 1 and action_head != "coarse_to_fine"):
        raise ConfigurationError(
            f"hypotheses must be 1 or more, and 1 unless the action head is coarse_to_fine; got {candidates} with "
            f"{action_head}"
        )


def opening(model: LinkVLAForDriving, prefix: Prefix) -> torch.Tensor:
    """(B, k, width): the embeddings that the configuration's ``action_head`` reads first."""
    return _DECODERS[model.config.action_head].opening(model, prefix)


def act(model: LinkVLAForDriving, prefix: Prefix, mode: str | None = None, candidates: int = 1) -> Decoded:
    """Points after complete answers, generated or given, by the configuration's ``action_head``.

    ``candidates``: pairs of end points that are refined, for the best to be taken; coarse-to-fine only.
    """
    check_candidates(model.config.action_head, candidates)
    if candidates > 1:
        return hypotheses.decode(model, prefix, mode, candidates)
    return _DECODERS[model.config.action_head].decode(model, prefix, mode)


def decode(model: LinkVLAForDriving, batch: DrivingBatch, mode: str | None = None) -> Decoded:
    """Points for a batch whose answers are given."""
    return act(model, begin(model, batch), mode)
