"""The network that a run starts with: from nothing, from a checkpoint, or from the run that is resumed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from linkvla.model.checkpoint_folder import load_checkpoint, read_config
from linkvla.model.configuration_linkvla import LinkVLAConfig, nano_config
from linkvla.model.interface.errors import CheckpointError, ConfigurationError
from linkvla.model.modeling_linkvla import LinkVLAForDriving
from linkvla.model.packing import PACKED
from linkvla.model.processing_linkvla import LinkVLAProcessor
from linkvla.model.tokenizer.vocabulary import train_text_tokenizer
from linkvla.model.training.action_table import ActionTable
from linkvla.model.training.growing import transplant
from linkvla.model.training.lora import apply_lora, lora_settings, own_action_tables
from linkvla.model.training.mixture import DataSource, Mixture
from linkvla.model.training.recipe import Recipe
from linkvla.model.training.vision_memory import VisionMemory

_EYES = ("model.vision_tower.", "model.multi_modal_projector.")
_RESTATED = (
    "action_head",
    "refinement",
    "decode",
    "navigation",
    "grid",
)  # of a checkpoint's configuration, what a recipe may change


def build(
    recipe: Recipe,
    out: Path,
    data: Sequence[DataSource],
    *,
    init: Path | str | None = None,
    init_vision: Path | str | None = None,
    resume: bool = False,
) -> tuple[LinkVLAForDriving, LinkVLAProcessor, Mixture]:
    """Network ready to be trained, its processor, and the data opened in its shape.

    ``init``: all weights from a checkpoint. ``init_vision``: vision tower and projector only. ``resume``: the shapes of
    the run in ``out``; its weights come with its state. Raises ConfigurationError, DataError, CheckpointError.
    """
    torch.manual_seed(recipe.seed)
    if init is not None and init_vision is not None:
        raise ConfigurationError("--init brings the vision tower already; give it or --init-vision, not both")
    if recipe.lora_rank and not resume and (init is None or recipe.new_tokenizer):
        raise ConfigurationError(
            "LoRA trains neither language model nor words, so both must come trained: give --init a checkpoint (see "
            "`linkvla convert`) and keep its tokenizer, or set lora_rank=0"
        )
    if resume:
        config = read_config(out)
        processor = LinkVLAProcessor.from_folder(out, config)
        model, mixture = LinkVLAForDriving(config), _mixture(recipe, config, data)
        _make_trainable(model, recipe, start=False)
        return model.train(), processor, mixture
    if init is None:
        tokenizer = train_text_tokenizer()
        config = nano_config(tokenizer.get_vocab_size(), **recipe.architecture)
        mixture = _camera_from_data(recipe, config, data)
        model = LinkVLAForDriving(config)
        model.reset_for_scratch()
        if init_vision is not None:
            copy_eyes(model, init_vision)
    else:
        old, old_processor = load_checkpoint(init)
        tokenizer = train_text_tokenizer() if recipe.new_tokenizer else old_processor.tokenizer
        config = _restated(old.config, recipe.architecture)
        mixture = _camera_from_data(recipe, config, data)
        model = transplant(old, old_processor.tokenizer, config, tokenizer)
    _make_trainable(model, recipe, start=init is not None)
    return model.train(), LinkVLAProcessor(model.config, tokenizer), mixture


def copy_eyes(model: LinkVLAForDriving, source: Path | str) -> None:
    """Vision tower and projector of a checkpoint, in place. Raises CheckpointError where they are of another shape."""
    other, _ = load_checkpoint(source)
    theirs, own = _eyes(other), _eyes(model)
    differing = sorted(name for name in own.keys() | theirs.keys() if _shape(own, name) != _shape(theirs, name))
    if differing:
        raise CheckpointError(
            f"{source} has another vision tower or projector: {differing[0]} is {_shape(theirs, differing[0])}, "
            f"should be {_shape(own, differing[0])}; choose a checkpoint of the same architecture"
        )
    model.load_state_dict(theirs, strict=False)


def _eyes(model: LinkVLAForDriving) -> dict[str, torch.Tensor]:
    return {name: tensor for name, tensor in model.state_dict().items() if name.startswith(_EYES)}


def _shape(tensors: Mapping[str, torch.Tensor], name: str) -> tuple[int, ...] | None:
    return tuple(tensors[name].shape) if name in tensors else None


def _mixture(recipe: Recipe, config: LinkVLAConfig, data: Sequence[DataSource]) -> Mixture:
    return Mixture(data, config.view_shape, config.interpolation, recipe.picture_versions)


def _camera_from_data(recipe: Recipe, config: LinkVLAConfig, data: Sequence[DataSource]) -> Mixture:
    mixture = _mixture(recipe, config, data)
    config.camera = mixture.camera.as_dict()
    return mixture


def _restated(config: LinkVLAConfig, architecture: Mapping[str, Any]) -> LinkVLAConfig:
    """A checkpoint's configuration with what a recipe may change: how the network is read, not its shape."""
    refused = sorted(set(architecture) - set(_RESTATED))
    if refused:
        raise ConfigurationError(
            f"{', '.join(refused)} are the checkpoint's; of its architecture a recipe may change {', '.join(_RESTATED)}"
        )
    values = {**config.to_dict(), **architecture}
    values["grid"] = {**config.grid, **architecture.get("grid", {})}
    return LinkVLAConfig.from_dict(values)


def _make_trainable(model: LinkVLAForDriving, recipe: Recipe, start: bool) -> None:
    """Trained tables for the action rows, on every side that the network has, and how its attention runs; ``start``:
    from the rows as they are.
    """
    if recipe.packed:
        model.set_attn_implementation({"text_config": PACKED})
    if recipe.vision_memory_gb:
        model.vision_memory = VisionMemory(int(recipe.vision_memory_gb * 1e9))
    if recipe.lora_rank:
        apply_lora(model, lora_settings(recipe))
        return

    def table(rows: torch.Tensor) -> ActionTable:
        own = ActionTable(model.action_tokenizer, rows.shape[1])
        if start:
            own.start_from(rows)
        return own

    own_action_tables(model, table)
    for parameter in model.model.vision_tower.parameters():
        parameter.requires_grad_(recipe.train_vision)
