"""Several linear layers of one input as one, without a second copy of their weights; and which networks that suits."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import torch
from torch import nn

from linkvla.model.modeling_linkvla import LinkVLAForDriving


@torch.no_grad()
def fuse(parts: Sequence[nn.Linear]) -> tuple[torch.Tensor, torch.Tensor | None]:
    """Weight (rows of all parts, inputs) and bias of one linear layer that does the work of ``parts``, in their order.

    The parameters of the parts become views of it: the memory is shared, and the library's layers go on working. Done
    again, it finds them so, and nothing is copied.
    """
    weight = _behind_one_another([part.weight for part in parts])
    if parts[0].bias is None:
        return weight, None
    return weight, _behind_one_another([part.bias for part in parts])


def _behind_one_another(parts: Sequence[nn.Parameter]) -> torch.Tensor:
    """All rows as one tensor, of which the parameters are, or become, views."""
    first, place = parts[0], parts[0].storage_offset()
    for part in parts:
        if part.untyped_storage().data_ptr() != first.untyped_storage().data_ptr() or part.storage_offset() != place:
            whole = torch.cat(list(parts))
            for one, view in zip(parts, whole.split([len(one) for one in parts])):
                one.data = view
            return whole
        place += part.numel()
    rows = sum(len(part) for part in parts)
    return first.data.as_strided((rows, *first.shape[1:]), first.stride(), first.storage_offset())


def obstacle(model: LinkVLAForDriving) -> str | None:
    """Why a network cannot be laid out anew, in words; None where it can.

    Adapters (LoRA) stand in the place of linear layers, and trained action tables in that of rows: both would be passed
    over. The shapes that LinkVLA does not come in (norms on queries and keys, sliding windows) are not built.
    """
    config = model.config
    if model.action_tables is not None:
        return "its action tables are being trained"
    if strange := sorted({type(layer).__name__ for layer in _linear_layers(model) if type(layer) is not nn.Linear}):
        return f"it has layers of another kind ({', '.join(strange)}); merge the adapter first"
    if config.vision_config.use_qk_norm:
        return "its vision tower normalises queries and keys"
    if config.text_config.layer_types != ["full_attention"] * config.text_config.num_hidden_layers:
        return "its language model has layers without full attention"
    if config.text_config.rope_parameters["rope_type"] != "default":
        return "its language model scales the rotary positions"
    if (config.text_config.hidden_act, config.vision_config.hidden_act) != ("silu", "gelu"):
        return "its activations are not SiLU and GELU"
    return None


def _linear_layers(model: LinkVLAForDriving) -> Iterable[nn.Module]:
    for layer in model.model.language_model.layers:
        attention, mlp = layer.self_attn, layer.mlp
        yield from (attention.q_proj, attention.k_proj, attention.v_proj, attention.o_proj)
        yield from (mlp.gate_proj, mlp.up_proj, mlp.down_proj)
    for layer in model.model.vision_tower.encoder.layer:
        attention, mlp = layer.attention, layer.mlp
        yield from (attention.q_proj, attention.k_proj, attention.v_proj, attention.projection_layer)
        yield from (mlp.fc1, mlp.fc2)
