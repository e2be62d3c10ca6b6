"""A published InternVL folder: what shape it has, in our words."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from linkvla.model.interface.errors import CheckpointError

_ORIGINAL_VISION = {  # original key: ours
    "hidden_size": "hidden_size",
    "num_hidden_layers": "num_hidden_layers",
    "num_attention_heads": "num_attention_heads",
    "intermediate_size": "intermediate_size",
    "image_size": "image_size",
    "patch_size": "patch_size",
    "qkv_bias": "attention_bias",
    "qk_normalization": "use_qk_norm",
    "norm_type": "norm_type",
    "layer_norm_eps": "layer_norm_eps",
    "hidden_act": "hidden_act",
}
_ORIGINAL_TEXT = (
    "hidden_size",
    "intermediate_size",
    "num_hidden_layers",
    "num_attention_heads",
    "num_key_value_heads",
    "max_position_embeddings",
    "rms_norm_eps",
    "rope_theta",
    "hidden_act",
)
_NOT_OF_THE_SHAPE = {"vocab_size", "tie_word_embeddings", "dtype", "torch_dtype", "transformers_version"}


@dataclass(frozen=True)
class Source:
    """What the configuration of a folder says. Whether a head is there, its weights say."""

    layout: str  # "original" or "native"
    vision_config: dict[str, Any]  # keyword arguments of transformers' vision configuration
    text_config: dict[str, Any]  # and of its text configuration
    downsample_ratio: float
    tied: bool  # the output head may be missing, because it is the embedding table


def read_source(folder: Path) -> Source:
    """Read ``config.json``. Raises CheckpointError when it is missing, damaged, or of a network we cannot hold."""
    path = folder / "config.json"
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
        readers = {"internvl_chat": _original, "internvl": _native}
        kind = values["model_type"]
        if kind not in readers:
            raise CheckpointError(f"{path} is of model_type {kind!r}; known are {', '.join(readers)}")
        return readers[kind](values, path)
    except OSError as error:
        raise CheckpointError(f"cannot read {path}: {error.strerror}; is this a checkpoint folder?") from None
    except KeyError as error:
        raise CheckpointError(f"{path} lacks {error}; fetch it again") from None
    except (ValueError, TypeError, AttributeError) as error:
        raise CheckpointError(f"{path} is damaged ({error}); fetch it again") from None


def _original(values: dict[str, Any], path: Path) -> Source:
    vision, text = values["vision_config"], values["llm_config"]
    _expect(path, "llm_config.model_type", text.get("model_type"), "qwen2")
    _expect(path, "select_layer", values.get("select_layer", -1), -1)
    _expect(path, "ps_version", values["ps_version"], "v2")
    shape = {ours: vision[theirs] for theirs, ours in _ORIGINAL_VISION.items()}
    return Source(
        "original",
        {**shape, "use_mean_pooling": True},
        {"model_type": "qwen2", **{name: text[name] for name in _ORIGINAL_TEXT}},
        values["downsample_ratio"],
        bool(text.get("tie_word_embeddings", False)),
    )


def _native(values: dict[str, Any], path: Path) -> Source:
    _expect(path, "vision_feature_layer", values.get("vision_feature_layer", -1), -1)
    strategy = values.get("vision_feature_select_strategy", "default")
    _expect(path, "vision_feature_select_strategy", strategy, "default")
    vision, text = (
        {name: value for name, value in values[part].items() if name not in _NOT_OF_THE_SHAPE}
        for part in ("vision_config", "text_config")
    )
    tied = values.get("tie_word_embeddings", values["text_config"].get("tie_word_embeddings", True))
    return Source("native", vision, text, values.get("downsample_ratio", 0.5), bool(tied))


def _expect(path: Path, name: str, value: object, wanted: object) -> None:
    if value != wanted:
        raise CheckpointError(f"{path}: {name} must be {wanted!r}, got {value!r}, which LinkVLA's network cannot hold")
