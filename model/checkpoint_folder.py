"""Checkpoint folders: find, read, verify and rebuild a LinkVLA, all or nothing. Safetensors only; nothing is unpickled.

A folder holds ``config.json``, ``model.safetensors`` (or shards and their index), ``tokenizer.json``, ``camera.json``,
``prompts.json`` and ``manifest.json`` (the SHA-256 of each file). The action table lies in the weights, as rows of the
unified vocabulary; the grid that gives its rows a place in metres lies in the configuration.
"""

from __future__ import annotations

import difflib
import hashlib
import importlib.util
import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import nn
from transformers.initialization import no_init_weights

from linkvla.model.atomic_folder import replacing
from linkvla.model.configuration_linkvla import FORMAT_VERSION, LinkVLAConfig
from linkvla.model.interface.errors import CheckpointError, ConfigurationError
from linkvla.model.modeling_linkvla import HEAD, LinkVLAForDriving
from linkvla.model.processing_linkvla import LinkVLAProcessor
from linkvla.model.weight_files import (
    SHARD_BYTES,
    WeightFiles,
    listed,
    open_weights,
    opened,
    weight_file_names,
    write_weights,
)

MANIFEST = "manifest.json"
FILES = ("config.json", "tokenizer.json", "camera.json", "prompts.json")
"""What a folder holds beside its weights and the manifest."""

_HASHED_AT_ONCE = 1 << 24  # bytes

_REQUIRED = ("text_tokens", "grid", "camera", "image_token_id", "padding_token_id", "target_point_token_id")

# What version 1 left to defaults that have changed since. All its checkpoints were nanos.
_VERSION_1 = {
    "action_head": "coarse_to_fine",
    "target_point_encoder": "warped",
    "interpolation": "area",
    "jpeg_quality": None,
    "padding_token_id": 0,
    "target_point_token_id": 6,
}


def shipped_folder() -> Path | None:
    """Where the checkpoints that ship with linkvla lie; None when that room is not installed."""
    specification = importlib.util.find_spec("linkvla.checkpoints")
    locations = specification.submodule_search_locations if specification else None
    return Path(next(iter(locations))) if locations else None


def shipped_names(shelf: Path | None = None) -> list[str]:
    """Names of the shipped checkpoints, sorted."""
    shelf = shelf or shipped_folder()
    return sorted(path.parent.name for path in shelf.glob("*/config.json")) if shelf else []


def resolve(folder_or_name: Path | str, shelf: Path | None = None) -> Path:
    """The folder of a shipped checkpoint's name, or of a path. Raises CheckpointError with the nearest name
    otherwise.
    """
    path = Path(folder_or_name).expanduser()
    if path.is_dir():
        return path
    shelf = shelf or shipped_folder()
    names = shipped_names(shelf)
    name = str(folder_or_name)
    if name in names:
        return shelf / name
    near = difflib.get_close_matches(name, names, n=1, cutoff=0.5)
    hint = f"did you mean {near[0]!r}?" if near else f"shipped are: {', '.join(names) or 'none'}"
    raise CheckpointError(f"no checkpoint {name!r}: neither a folder nor a shipped name; {hint}")


def read_tensors(path: Path) -> dict[str, torch.Tensor]:
    """Tensors of a safetensors file. Raises CheckpointError when it is missing, truncated or damaged."""
    with opened(path) as content:
        names = content.keys()
        return {name: content.get_tensor(name) for name in names}


def check_names(
    own: Mapping[str, torch.Tensor], shapes: Mapping[str, Sequence[int]], source: str, tied: Sequence[str] = ()
) -> None:
    """Compare tensors on offer with a network's own: every key, every shape. Raises CheckpointError naming what
    differs.
    """
    wanted = {key for key in own if key not in tied}
    problems = []
    if missing := sorted(wanted - shapes.keys()):
        problems.append(f"missing {listed(missing)}")
    if unknown := sorted(shapes.keys() - wanted):
        problems.append(f"unknown {listed(unknown)}")
    wrong = [
        f"{key} is {tuple(shapes[key])}, should be {tuple(own[key].shape)}"
        for key in sorted(wanted & shapes.keys())
        if tuple(shapes[key]) != tuple(own[key].shape)
    ]
    if wrong:
        problems.append(listed(wrong))
    if problems:
        raise CheckpointError(f"{source} does not match its configuration: {'; '.join(problems)}")


def load_strictly(module: nn.Module, tensors: dict[str, torch.Tensor], source: str, tied: Sequence[str] = ()) -> None:
    """Copy ``tensors`` into ``module``: every key, every shape, or CheckpointError naming what differs and no
    change.
    """
    own = module.state_dict()
    check_names(own, {name: tensor.shape for name, tensor in tensors.items()}, source, tied)
    _refuse_broken([name for name, tensor in tensors.items() if not _is_finite(tensor)], source)
    module.load_state_dict({**{key: own[key] for key in tied if key in own}, **tensors})


def _is_finite(tensor: torch.Tensor) -> bool:
    return not tensor.is_floating_point() or bool(torch.isfinite(tensor).all())


def _refuse_broken(names: list[str], source: str) -> None:
    if names:
        raise CheckpointError(f"{source} holds NaN or infinity in {listed(sorted(names))}; export it again")


def sha256(path: Path) -> str:
    """Hexadecimal SHA-256 of a file. Raises CheckpointError when it cannot be read."""
    digest = hashlib.sha256()
    try:
        with open(path, "rb") as file:
            while chunk := file.read(_HASHED_AT_ONCE):
                digest.update(chunk)
    except OSError as error:
        raise CheckpointError(f"cannot read {path}: {error.strerror}; fetch the checkpoint again") from None
    return digest.hexdigest()


def weights_sha256(folder: Path) -> str:
    """What tells one folder's weights from another's: the SHA-256 of the one file, or of the shards' digests."""
    digests = [sha256(folder / name) for name in weight_file_names(folder)]
    return digests[0] if len(digests) == 1 else hashlib.sha256("".join(digests).encode()).hexdigest()


def write_manifest(folder: Path) -> None:
    """Seal a folder: the SHA-256 of each of its files."""
    digests = {name: sha256(folder / name) for name in _sealed(folder)}
    (folder / MANIFEST).write_text(json.dumps({"sha256": digests}, indent=1) + "\n")


def write_checkpoint(
    folder: Path,
    config: LinkVLAConfig,
    processor: LinkVLAProcessor,
    tensors: Iterable[tuple[str, torch.Tensor]],
    shard_bytes: int = SHARD_BYTES,
) -> None:
    """Write a checkpoint folder, replacing an older one only when the new one is whole. Raises CheckpointError.

    ``tensors``: (name, tensor) pairs, taken one by one; see ``write_weights`` for ``shard_bytes``.
    """
    with replacing(folder, "config.json") as fresh:
        write_weights(fresh, tensors, shard_bytes)
        config.architectures = [LinkVLAForDriving.__name__]
        config.save_pretrained(fresh)
        processor.save(fresh)
        write_manifest(fresh)


def verify_manifest(folder: Path) -> None:
    """Compare every file with the manifest. Raises CheckpointError naming the files that are missing or changed."""
    try:
        digests = json.loads((folder / MANIFEST).read_text())["sha256"]
    except FileNotFoundError:
        raise CheckpointError(f"{folder} has no {MANIFEST}: not a checkpoint, or an unfinished one") from None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise CheckpointError(f"{folder / MANIFEST} cannot be read: {error}; fetch the checkpoint again") from None
    names = _sealed(folder)
    absent = [name for name in names if not (folder / name).is_file()]
    if absent:
        raise CheckpointError(f"{folder} lacks {', '.join(absent)}; fetch the checkpoint again")
    changed = [name for name in names if digests.get(name) != sha256(folder / name)]
    if changed:
        raise CheckpointError(f"{folder}: {', '.join(changed)} differ from {MANIFEST}; fetch the checkpoint again")


def _sealed(folder: Path) -> list[str]:
    return [*FILES[:1], *weight_file_names(folder), *FILES[1:]]


def read_config(folder: Path) -> LinkVLAConfig:
    """The configuration of a folder. Raises CheckpointError when it is missing or not one of LinkVLA."""
    path = folder / "config.json"
    try:
        values = json.loads(path.read_text())
        if values.get("model_type") != LinkVLAConfig.model_type:
            raise CheckpointError(f"{path} is a {values.get('model_type')!r} configuration, not a LinkVLA's")
        return LinkVLAConfig.from_dict(_current(values, path))
    except CheckpointError:
        raise
    except OSError as error:
        raise CheckpointError(f"cannot read {path}: {error.strerror}; fetch the checkpoint again") from None
    except ConfigurationError as error:
        raise CheckpointError(f"{path}: {error}") from None
    except Exception as error:  # the configuration classes raise several kinds on bad values
        raise CheckpointError(f"{path} is not a valid configuration: {error}") from None


def _current(values: dict[str, Any], path: Path) -> dict[str, Any]:
    """The values of a configuration file in today's format. Raises CheckpointError for a format of the future."""
    version = values.get("format_version", 1)
    if version == 1:
        grid = {"centre": "continuous", **(values.get("grid") or {})}
        values = {**_VERSION_1, **values, "grid": grid, "format_version": FORMAT_VERSION}
    elif version != FORMAT_VERSION:
        raise CheckpointError(
            f"{path} has format_version {version!r}, this linkvla reads 1 to {FORMAT_VERSION}; upgrade linkvla"
        )
    if lacking := [name for name in _REQUIRED if not values.get(name) and values.get(name) != 0]:
        raise CheckpointError(f"{path} lacks {', '.join(lacking)}; export the checkpoint again")
    if values["text_tokens"] == 0:
        raise CheckpointError(f"{path} has no text tokens, so that its action table has no place; export it again")
    return values


def empty_model(config: LinkVLAConfig, dtype: torch.dtype = torch.float32) -> LinkVLAForDriving:
    """A network whose parameters hold no values yet: seconds sooner than random ones, for weights that are read.

    Parameters are ``dtype``; tables of constants, such as the rotary frequencies, keep their own precision, which
    ``model.to(dtype)`` would take from them.
    """
    before = torch.get_default_dtype()
    torch.set_default_dtype(dtype)
    try:
        with no_init_weights():
            model = LinkVLAForDriving(config)
    finally:
        torch.set_default_dtype(before)
    model.config.dtype = dtype
    model.tie_weights()
    return model


def _fill(model: LinkVLAForDriving, weights: WeightFiles) -> None:
    """Copy every tensor into its place, one at a time. Raises CheckpointError naming what does not fit."""
    own = model.state_dict()
    tied = (HEAD,) if model.config.tie_word_embeddings else ()
    source = str(weights.folder / weight_file_names(weights.folder)[0])
    check_names(own, weights.shapes, source, tied)
    broken = []
    for name, tensor in weights:
        if not _is_finite(tensor):
            broken.append(name)
        own[name].copy_(tensor)
    _refuse_broken(broken, source)


def load_checkpoint(
    folder_or_name: Path | str, verify: bool = True, dtype: torch.dtype = torch.float32
) -> tuple[LinkVLAForDriving, LinkVLAProcessor]:
    """Model (``dtype``, evaluation mode) and processor of a checkpoint folder or shipped name.

    Checks the manifest (where ``verify``), every key, every shape and that all values are finite. Holds one tensor
    beside the model at a time. Raises CheckpointError.
    """
    folder = resolve(folder_or_name)
    if verify:
        verify_manifest(folder)
    config = read_config(folder)
    try:
        processor = LinkVLAProcessor.from_folder(folder, config)
    except ConfigurationError as error:
        raise CheckpointError(f"{folder}: {error}") from None
    model = empty_model(config, dtype)
    _fill(model, open_weights(folder))
    return model.eval(), processor
