"""LoRA on the language model, and everything beside it that such a run trains (LinkVLA section 4.1, as SimLingo).

    language model    frozen, with low-rank adapters on q, k, v, o, gate, up, down of every layer
    text rows         frozen, input and output side
    action rows       trained whole, as tables of their own: one per side that the network has (tied: one)
    vision encoder    trained, or frozen where the recipe says so
    all else          projector, target point encoder, slot and tile embeddings, heads: trained

Adapters do not touch embeddings, so action rows need tables of their own on *both* sides of an untied network: one that
trains only the inputs is silently scored by random rows. ``require_trainable_tables`` refuses it.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from typing import TYPE_CHECKING

import torch
from torch import nn

from linkvla.model.interface.errors import ConfigurationError
from linkvla.model.modeling_linkvla import HEAD, LinkVLAForDriving

if TYPE_CHECKING:
    from linkvla.model.training.recipe import Recipe

ADAPTER = "default"
"""PEFT's name for the one adapter; part of the tensors' names."""

TARGETS = r".*\blanguage_model\.layers\.\d+\.(self_attn\.[qkvo]_proj|mlp\.(gate|up|down)_proj)"
"""Which matrices are adapted. The vision encoder has q_proj, k_proj and v_proj too, hence the whole path."""


@dataclass(frozen=True)
class LoraSettings:
    """How the language model is adapted. Defaults: the paper's (section 4.1)."""

    rank: int = 32
    alpha: int = 64
    dropout: float = 0.1
    train_vision: bool = True  # the encoder; the projector is always trained

    def __post_init__(self) -> None:
        if self.rank < 1 or self.alpha < 1:
            raise ConfigurationError(f"LoRA rank and alpha must be at least 1, got {self.rank} and {self.alpha}")
        if not (math.isfinite(self.dropout) and 0.0 <= self.dropout < 1.0):
            raise ConfigurationError(f"LoRA dropout must lie in 0..1, below 1, got {self.dropout}")


def lora_settings(recipe: Recipe) -> LoraSettings:
    """The recipe's, which has the same names with ``lora_`` before them."""
    return LoraSettings(recipe.lora_rank, recipe.lora_alpha, recipe.lora_dropout, recipe.train_vision)


class PlainTable(nn.Module):
    """Special rows (cells + 2, width) as one trained matrix that starts from existing rows; calling it gives them."""

    def __init__(self, rows: torch.Tensor) -> None:
        super().__init__()
        self.rows = nn.Parameter(rows.detach().clone())

    def forward(self) -> torch.Tensor:
        """The special rows (cells + 2, width)."""
        return self.rows


def own_action_tables(model: LinkVLAForDriving, table: Callable[[torch.Tensor], nn.Module] = PlainTable) -> None:
    """Move the special rows of each side into a ``table``; an untied network gets two, a tied one gets one."""
    tables = model.tables()
    sides = {"input": table(tables.special_in)}
    if not model.config.tie_word_embeddings:
        sides["output"] = table(tables.special_out)
    model.action_tables = nn.ModuleDict(sides)


def apply_lora(model: LinkVLAForDriving, settings: LoraSettings) -> None:
    """Turn a plain network into one of the kind above, in place. Its outputs do not change: adapters start at zero.

    Raises ConfigurationError when PEFT is not installed or the network has adapters already.
    """
    if find_spec("peft") is None:
        raise ConfigurationError("LoRA needs PEFT, which is not installed; run `pip install 'linkvla[train]'`")
    if has_lora(model):
        raise ConfigurationError("the network has LoRA adapters already; start from a plain checkpoint")
    from peft import LoraConfig, inject_adapter_in_model  # late: the import takes seconds

    own_action_tables(model)
    config = LoraConfig(
        r=settings.rank, lora_alpha=settings.alpha, lora_dropout=settings.dropout, target_modules=TARGETS, bias="none"
    )
    inject_adapter_in_model(config, model, ADAPTER)  # freezes all but the adapters
    for name, parameter in model.named_parameters():
        frozen_vision = name.startswith("model.vision_tower.") and not settings.train_vision
        if not (name.startswith("model.language_model.") or name == HEAD or frozen_vision):
            parameter.requires_grad_(True)
    require_trainable_tables(model)


def has_lora(model: nn.Module) -> bool:
    """Whether any matrix carries an adapter."""
    return any(".lora_A." in name for name, _ in model.named_parameters())


def require_trainable_tables(model: LinkVLAForDriving) -> None:
    """Refuse a network whose action rows would be read or scored without ever being trained.

    Looks at what ``model.tables()`` really hands out, not at how it was made. Raises ConfigurationError.
    """
    own = model.action_tables
    if own is not None and not model.config.tie_word_embeddings and "output" not in own:
        raise ConfigurationError(
            "the network is untied, but only its input action rows have a table; add one for the output side"
        )
    tables = model.tables()
    for side, rows in (("input", tables.special_in), ("output", tables.special_out)):
        if not rows.requires_grad:
            raise ConfigurationError(
                f"the action rows of the {side} side are frozen, but the objective uses them; "
                "give them a trained table (lora.own_action_tables)"
            )


def trained_tensors(model: nn.Module) -> dict[str, torch.Tensor]:
    """What a run changes, by parameter name: adapters, action tables and the other trained modules."""
    return {name: parameter.detach() for name, parameter in model.named_parameters() if parameter.requires_grad}


def plain_state(model: nn.Module) -> dict[str, torch.Tensor]:
    """The state dict of the network without adapters: each adapter added to the matrix that it adapts.

    The network stays as it is. Without adapters this is its own state dict.
    """
    state = {
        name.replace(".base_layer.", "."): tensor for name, tensor in model.state_dict().items() if ".lora_" not in name
    }
    for name, layer in model.named_modules():
        if hasattr(layer, "get_delta_weight") and ADAPTER in layer.lora_A:
            delta = layer.get_delta_weight(ADAPTER)
            state[f"{name}.weight"] = (layer.base_layer.weight + delta).detach()
    return state
