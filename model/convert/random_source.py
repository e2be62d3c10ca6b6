"""A folder in the original layout of InternVL2-1B, with random weights: to rehearse a conversion without a download.

The tokenizer is real in kind and small in fact: byte pairs learnt from our own prompts, filled up with entries that no
text reaches, so that every id lies where the original has it.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import torch
from tokenizers import models, pre_tokenizers, trainers

from linkvla.model.convert.text_tokenizer import byte_level
from linkvla.model.tokenizer.vocabulary import prompt_corpus
from linkvla.model.weight_files import write_weights

ADDED_TOKENS = (
    ("<|endoftext|>", "<|im_start|>", "<|im_end|>", "<img>", "</img>", "<IMG_CONTEXT>")
    + tuple(f"<{slash}{name}>" for name in ("quad", "ref", "box") for slash in ("", "/"))
)  # fmt: skip
_STD = 0.02


@dataclass(frozen=True)
class Shape:
    """Sizes of an InternVL with a Qwen2 inside. The defaults are InternVL2-1B's."""

    vision_layers: int = 24
    vision_width: int = 1024
    vision_heads: int = 16
    tile: int = 448
    patch: int = 14
    text_layers: int = 24
    text_width: int = 896
    text_heads: int = 14
    key_value_heads: int = 2
    text_hidden: int = 4864
    vocabulary: int = 151_643  # without added tokens


def write_random_source(folder: Path, shape: Shape, seed: int = 0) -> None:
    """Write config, tokenizer and bfloat16 weights, 1.9 GB for the default shape, into an existing folder."""
    (folder / "config.json").write_text(json.dumps(_configuration(shape), indent=1) + "\n")
    write_random_tokenizer(folder, shape)
    generator = torch.Generator().manual_seed(seed)
    write_weights(folder, _tensors(shape, generator), shard_bytes=1 << 40)  # the original is one file


def _configuration(shape: Shape) -> dict:
    return {
        "model_type": "internvl_chat",
        "downsample_ratio": 0.5,
        "ps_version": "v2",
        "select_layer": -1,
        "vision_config": {
            "hidden_size": shape.vision_width,
            "num_hidden_layers": shape.vision_layers,
            "num_attention_heads": shape.vision_heads,
            "intermediate_size": 4 * shape.vision_width,
            "image_size": shape.tile,
            "patch_size": shape.patch,
            "qkv_bias": True,
            "qk_normalization": False,
            "norm_type": "layer_norm",
            "layer_norm_eps": 1e-6,
            "hidden_act": "gelu",
        },
        "llm_config": {
            "model_type": "qwen2",
            "hidden_size": shape.text_width,
            "intermediate_size": shape.text_hidden,
            "num_hidden_layers": shape.text_layers,
            "num_attention_heads": shape.text_heads,
            "num_key_value_heads": shape.key_value_heads,
            "max_position_embeddings": 32_768,
            "rms_norm_eps": 1e-6,
            "rope_theta": 1e6,
            "hidden_act": "silu",
            "tie_word_embeddings": False,
        },
    }


def write_random_tokenizer(folder: Path, shape: Shape) -> None:
    """Write the tokenizer alone: its three files, into an existing folder."""
    tokenizer = byte_level(models.BPE())
    trainer = trainers.BpeTrainer(
        vocab_size=min(shape.vocabulary, 1000),
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(prompt_corpus(), trainer)
    learnt = json.loads(tokenizer.to_str())["model"]
    unused = {f"unused {n}": n for n in range(len(learnt["vocab"]), shape.vocabulary)}
    merges = [pair if isinstance(pair, str) else " ".join(pair) for pair in learnt["merges"]]
    added = {token: shape.vocabulary + n for n, token in enumerate(ADDED_TOKENS)}
    (folder / "vocab.json").write_text(json.dumps({**learnt["vocab"], **unused}), encoding="utf-8")
    (folder / "merges.txt").write_text("#version: 0.2\n" + "\n".join(merges) + "\n", encoding="utf-8")
    (folder / "added_tokens.json").write_text(json.dumps(added), encoding="utf-8")


def _tensors(shape: Shape, generator: torch.Generator) -> Iterator[tuple[str, torch.Tensor]]:
    for name, size in _sizes(shape):
        tensor = torch.empty(size, dtype=torch.bfloat16)
        if ".norm" in name or "layernorm" in name or name.startswith(("mlp1.0", "language_model.model.norm")):
            yield name, tensor.fill_(0.0 if name.endswith("bias") else 1.0)
        elif ".ls" in name:
            yield name, tensor.fill_(0.1)
        else:
            yield name, tensor.normal_(std=_STD, generator=generator)


def _sizes(shape: Shape) -> Iterator[tuple[str, tuple[int, ...]]]:
    v, t, hidden = shape.vision_width, shape.text_width, shape.text_hidden
    kv = t // shape.text_heads * shape.key_value_heads
    rows = shape.vocabulary + len(ADDED_TOKENS)
    yield "vision_model.embeddings.class_embedding", (1, 1, v)
    yield "vision_model.embeddings.position_embedding", (1, (shape.tile // shape.patch) ** 2 + 1, v)
    yield from _linear("vision_model.embeddings.patch_embedding", v, 3, shape.patch, shape.patch)
    for n in range(shape.vision_layers):
        layer = f"vision_model.encoder.layers.{n}"
        yield from _linear(f"{layer}.attn.qkv", 3 * v, v)
        yield from _linear(f"{layer}.attn.proj", v, v)
        yield from _linear(f"{layer}.mlp.fc1", 4 * v, v)
        yield from _linear(f"{layer}.mlp.fc2", v, 4 * v)
        for part in ("norm1", "norm2"):
            yield from _linear(f"{layer}.{part}", v)
        for part in ("ls1", "ls2"):
            yield f"{layer}.{part}", (v,)
    yield from _linear("mlp1.0", 4 * v)
    yield from _linear("mlp1.1", t, 4 * v)
    yield from _linear("mlp1.3", t, t)
    yield "language_model.model.embed_tokens.weight", (rows, t)
    for n in range(shape.text_layers):
        layer = f"language_model.model.layers.{n}"
        for part, width in (("q", t), ("k", kv), ("v", kv)):
            yield from _linear(f"{layer}.self_attn.{part}_proj", width, t)
        yield f"{layer}.self_attn.o_proj.weight", (t, t)
        for part, size in (("gate", (hidden, t)), ("up", (hidden, t)), ("down", (t, hidden))):
            yield f"{layer}.mlp.{part}_proj.weight", size
        for part in ("input_layernorm", "post_attention_layernorm"):
            yield f"{layer}.{part}.weight", (t,)
    yield "language_model.model.norm.weight", (t,)
    yield "language_model.lm_head.weight", (rows, t)


def _linear(name: str, *size: int) -> Iterator[tuple[str, tuple[int, ...]]]:
    yield f"{name}.weight", size
    yield f"{name}.bias", size[:1]
