"""From a published InternVL to a LinkVLA that has yet to learn to drive.

Text rows are copied; action cells and goal tokens get rows of their own, in the embedding table and in the output head,
around the mean of each table by the same functions of the cell (Qwen2's two tables were one before InternVL); what
InternVL has none of begins so that it changes little (tiles) or as in training from scratch (target points,
slots). See ``linkvla.model.training`` for what comes next.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from torch import nn

from linkvla.model.checkpoint_folder import check_names, write_checkpoint
from linkvla.model.configuration_linkvla import LinkVLAConfig, driving_config
from linkvla.model.convert.action_rows import initial_action_rows
from linkvla.model.convert.names import renamed
from linkvla.model.convert.source import read_source
from linkvla.model.convert.text_tokenizer import read_text_tokenizer
from linkvla.model.interface.errors import CheckpointError
from linkvla.model.modeling_linkvla import EMBEDDING, HEAD, LinkVLAForDriving
from linkvla.model.processing_linkvla import LinkVLAProcessor
from linkvla.model.tokenizer.vocabulary import special_token_ids, text_rows
from linkvla.model.weight_files import SHARD_BYTES, WeightFiles, open_weights

DTYPE = torch.bfloat16


def convert(
    source: Path | str, out: Path | str, *, seed: int = 0, shard_bytes: int = SHARD_BYTES, **settings: Any
) -> Path:
    """Write a LinkVLA checkpoint folder from an InternVL folder, in bfloat16. Returns ``out``.

    ``source``: the original layout (InternVL2-1B) or that of transformers (InternVL3-1B-hf): config, safetensors and
    tokenizer. ``seed``: of the rows and layers that are new. ``settings`` go to LinkVLAConfig. Holds a shard and a
    vocabulary table in memory. Raises CheckpointError for anything missing, unknown or of another shape, by name.
    """
    source, out = Path(source), Path(out)
    published = read_source(source)
    tokenizer, known = read_text_tokenizer(source)
    weights = open_weights(source)
    outline = dict(
        renamed(published.layout, ((name, torch.empty(shape, device="meta")) for name, shape in weights.shapes.items()))
    )
    config = driving_config(
        published.vision_config,
        published.text_config,
        text_rows(tokenizer),
        downsample_ratio=published.downsample_ratio,
        tie_word_embeddings=published.tied and HEAD not in outline,
        **special_token_ids(tokenizer),
        **settings,
    )
    with torch.device("meta"):
        model = LinkVLAForDriving(config)
    _check(model, outline, known, source)
    torch.manual_seed(seed)
    tensors = _converted(model, weights, published.layout, known, seed)
    config.dtype = DTYPE
    write_checkpoint(out, config, LinkVLAProcessor(config, tokenizer), tensors, shard_bytes)
    return out


def _is_backbone(name: str) -> bool:
    return name.startswith("model.") or name == HEAD


def _check(model: LinkVLAForDriving, outline: dict[str, torch.Tensor], known: int, source: Path) -> None:
    """Every tensor of the backbone, in its shape; vocabulary tables need only be as long as the tokenizer."""
    own = {name: tensor for name, tensor in model.state_dict().items() if _is_backbone(name)}
    tables = {EMBEDDING, HEAD} & own.keys()
    for name in tables & outline.keys():
        if len(outline[name]) < known:
            raise CheckpointError(f"{source}: the tokenizer knows {known} tokens, {name} has {len(outline[name])} rows")
    shapes = {
        name: (len(own[name]), *tensor.shape[1:]) if name in tables else tensor.shape
        for name, tensor in outline.items()
    }
    check_names(own, shapes, str(source), (HEAD,) if model.config.tie_word_embeddings else ())


def _converted(
    model: LinkVLAForDriving, weights: WeightFiles, layout: str, known: int, seed: int
) -> Iterator[tuple[str, torch.Tensor]]:
    spread = 0.0
    for name, tensor in renamed(layout, weights):
        if name in (EMBEDDING, HEAD):
            text = tensor[:known].float()
            mean, spread = text.mean(0), float(text.std())
            tensor = _unified(model.config, text, mean, initial_action_rows(model.action_tokenizer, mean, spread, seed))
        yield name, tensor.to(DTYPE)
    for name, tensor in _additions(model, spread).items():
        yield name, tensor.detach().to(DTYPE)


def _unified(config: LinkVLAConfig, text: torch.Tensor, mean: torch.Tensor, special: torch.Tensor) -> torch.Tensor:
    """A table of the unified vocabulary: text, new text tokens, special rows, padding."""
    vocabulary = config.vocabulary
    table = torch.zeros(vocabulary.rows, text.shape[1], dtype=DTYPE)
    table[: len(text)] = text
    table[len(text) : vocabulary.action_base] = mean
    table[vocabulary.action_base :][: vocabulary.special_tokens] = special
    return table


def _additions(model: LinkVLAForDriving, spread: float) -> dict[str, torch.Tensor]:
    """What InternVL has none of. No tile embedding: pre-trained networks tell tiles apart by their order."""
    for part in model.children():
        if part is not model.model and part is not model.lm_head:
            part.to_empty(device="cpu")
    for name in ("tile_embedding", "slot_embedding"):
        setattr(model, name, nn.Parameter(torch.empty_like(getattr(model, name), device="cpu")))
    model.reset_additions(tile_std=0.0, slot_std=spread)
    return {name: tensor for name, tensor in model.state_dict().items() if not _is_backbone(name)}
