"""From the tensor names of published InternVL files to our own, pattern by pattern. A name that fits none is refused.

Two layouts are known: the original one (``vision_model``, ``mlp1``, ``language_model``), in which the vision tower's
query, key and value are one matrix, and that of transformers' own classes (``vision_tower``, ``multi_modal_projector``,
``language_model``), with or without the prefix ``model.``.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

import torch

from linkvla.model.interface.errors import CheckpointError
from linkvla.model.modeling_linkvla import HEAD
from linkvla.model.weight_files import listed

_TOWER, _PROJECTOR = "model.vision_tower", "model.multi_modal_projector"
_LAYER = r"vision_model\.encoder\.layers\.(\d+)\."
_OUR_LAYER = rf"{_TOWER}.encoder.layer.\1."
_ENDS = r"\.(weight|bias)"

_QKV = re.compile(rf"{_LAYER}attn\.qkv{_ENDS}")

_ORIGINAL = {
    r"vision_model\.embeddings\.class_embedding": rf"{_TOWER}.embeddings.cls_token",
    r"vision_model\.embeddings\.position_embedding": rf"{_TOWER}.embeddings.position_embeddings",
    rf"vision_model\.embeddings\.patch_embedding{_ENDS}": rf"{_TOWER}.embeddings.patch_embeddings.projection.\1",
    rf"{_LAYER}attn\.proj{_ENDS}": rf"{_OUR_LAYER}attention.projection_layer.\2",
    rf"{_LAYER}attn\.([qk])_norm\.weight": rf"{_OUR_LAYER}attention.\2_norm.weight",
    rf"{_LAYER}norm1{_ENDS}": rf"{_OUR_LAYER}layernorm_before.\2",
    rf"{_LAYER}norm2{_ENDS}": rf"{_OUR_LAYER}layernorm_after.\2",
    rf"{_LAYER}ls([12])": rf"{_OUR_LAYER}lambda_\2",
    rf"{_LAYER}mlp\.fc([12]){_ENDS}": rf"{_OUR_LAYER}mlp.fc\2.\3",
    rf"mlp1\.0{_ENDS}": rf"{_PROJECTOR}.layer_norm.\1",
    rf"mlp1\.1{_ENDS}": rf"{_PROJECTOR}.linear_1.\1",
    rf"mlp1\.3{_ENDS}": rf"{_PROJECTOR}.linear_2.\1",
    r"language_model\.model\.(.+)": r"model.language_model.\1",
    r"language_model\.lm_head\.weight": HEAD,
}

_NATIVE = {
    r"(?:model\.)?vision_tower\.(.+)": rf"{_TOWER}.\1",
    r"(?:model\.)?multi_modal_projector\.(.+)": rf"{_PROJECTOR}.\1",
    r"(?:language_model\.model|model\.language_model)\.(.+)": r"model.language_model.\1",
    r"(?:language_model\.)?lm_head\.weight": HEAD,
}

PATTERNS = {
    "original": {re.compile(pattern): name for pattern, name in _ORIGINAL.items()},
    "native": {re.compile(pattern): name for pattern, name in _NATIVE.items()},
}


def renamed(layout: str, tensors: Iterable[tuple[str, torch.Tensor]]) -> Iterator[tuple[str, torch.Tensor]]:
    """(name, tensor) pairs under our names, the vision tower's joint matrices split in three.

    Raises CheckpointError for names that the layout does not have, all of them at once, after the last pair.
    """
    unknown = []
    for name, tensor in tensors:
        if layout == "original" and (match := _QKV.fullmatch(name)):
            for letter, part in zip("qkv", tensor.chunk(3)):
                yield match.expand(rf"{_OUR_LAYER}attention.{letter}_proj.\2"), part
            continue
        ours = next((m.expand(new) for p, new in PATTERNS[layout].items() if (m := p.fullmatch(name))), None)
        if ours is None:
            unknown.append(name)
        else:
            yield ours, tensor
    if unknown:
        raise CheckpointError(
            f"the source has tensors that InternVL's {layout} layout does not have: {listed(unknown)}"
        )
