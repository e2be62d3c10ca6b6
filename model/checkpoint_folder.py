"""Checkpoint folders: find, read, verify and rebuild a LinkVLA, all or nothing. Safetensors only; nothing is unpickled.

A folder holds ``config.json``, ``model.safetensors``, ``tokenizer.json``, ``camera.json``, ``prompts.json`` and
``manifest.json`` (the SHA-256 of each file).
"""

from __future__ import annotations

import difflib
import hashlib
import importlib.util
import json
from collections.abc import Sequence
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import nn

from linkvla.model.configuration_linkvla import LinkVLAConfig
from linkvla.model.interface.errors import CheckpointError, ConfigurationError
from linkvla.model.modeling_linkvla import LinkVLAForDriving
from linkvla.model.processing_linkvla import LinkVLAProcessor

WEIGHTS, MANIFEST = "model.safetensors", "manifest.json"
FILES = ("config.json", WEIGHTS, "tokenizer.json", "camera.json", "prompts.json")
_TIED = "lm_head.weight"
_NAMED_KEYS = 6  # how many keys an error message lists


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
    try:
        return load_file(path)
    except FileNotFoundError:
        raise CheckpointError(f"{path} is missing; fetch or export the checkpoint again") from None
    except (SafetensorError, OSError, ValueError) as error:
        raise CheckpointError(f"{path} is damaged ({error}); fetch or export the checkpoint again") from None


def _listed(keys: Sequence[str]) -> str:
    shown = ", ".join(keys[:_NAMED_KEYS])
    return shown + (f" and {len(keys) - _NAMED_KEYS} more" if len(keys) > _NAMED_KEYS else "")


def load_strictly(module: nn.Module, tensors: dict[str, torch.Tensor], source: str, tied: Sequence[str] = ()) -> None:
    """Copy ``tensors`` into ``module``: every key, every shape, or CheckpointError naming what differs and no
    change.
    """
    own = module.state_dict()
    wanted = {key for key in own if key not in tied}
    problems = []
    if missing := sorted(wanted - tensors.keys()):
        problems.append(f"missing {_listed(missing)}")
    if unknown := sorted(tensors.keys() - wanted):
        problems.append(f"unknown {_listed(unknown)}")
    shapes = [
        f"{key} is {tuple(tensors[key].shape)}, should be {tuple(own[key].shape)}"
        for key in sorted(wanted & tensors.keys())
        if tensors[key].shape != own[key].shape
    ]
    if shapes:
        problems.append(_listed(shapes))
    if problems:
        raise CheckpointError(f"{source} does not match its configuration: {'; '.join(problems)}")
    broken = sorted(k for k, v in tensors.items() if v.is_floating_point() and not bool(torch.isfinite(v).all()))
    if broken:
        raise CheckpointError(f"{source} holds NaN or infinity in {_listed(broken)}; export it again")
    module.load_state_dict({**{key: own[key] for key in tied if key in own}, **tensors})


def sha256(path: Path) -> str:
    """Hexadecimal SHA-256 of a file. Raises CheckpointError when it cannot be read."""
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError as error:
        raise CheckpointError(f"cannot read {path}: {error.strerror}; fetch the checkpoint again") from None


def write_manifest(folder: Path) -> None:
    """Seal a folder: the SHA-256 of each of its files."""
    digests = {name: sha256(folder / name) for name in FILES}
    (folder / MANIFEST).write_text(json.dumps({"sha256": digests}, indent=1) + "\n")


def verify_manifest(folder: Path) -> None:
    """Compare every file with the manifest. Raises CheckpointError naming the files that are missing or changed."""
    try:
        digests = json.loads((folder / MANIFEST).read_text())["sha256"]
    except FileNotFoundError:
        raise CheckpointError(f"{folder} has no {MANIFEST}: not a checkpoint, or an unfinished one") from None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise CheckpointError(f"{folder / MANIFEST} cannot be read: {error}; fetch the checkpoint again") from None
    absent = [name for name in FILES if not (folder / name).is_file()]
    if absent:
        raise CheckpointError(f"{folder} lacks {', '.join(absent)}; fetch the checkpoint again")
    changed = [name for name in FILES if digests.get(name) != sha256(folder / name)]
    if changed:
        raise CheckpointError(f"{folder}: {', '.join(changed)} differ from {MANIFEST}; fetch the checkpoint again")


def read_config(folder: Path) -> LinkVLAConfig:
    """The configuration of a folder. Raises CheckpointError when it is missing or not one of LinkVLA."""
    path = folder / "config.json"
    try:
        values = json.loads(path.read_text())
        if values.get("model_type") != LinkVLAConfig.model_type:
            raise CheckpointError(f"{path} is a {values.get('model_type')!r} configuration, not a LinkVLA's")
        return LinkVLAConfig.from_dict(values)
    except CheckpointError:
        raise
    except OSError as error:
        raise CheckpointError(f"cannot read {path}: {error.strerror}; fetch the checkpoint again") from None
    except ConfigurationError as error:
        raise CheckpointError(f"{path}: {error}") from None
    except Exception as error:  # the configuration classes raise several kinds on bad values
        raise CheckpointError(f"{path} is not a valid configuration: {error}") from None


def load_checkpoint(folder_or_name: Path | str, verify: bool = True) -> tuple[LinkVLAForDriving, LinkVLAProcessor]:
    """Model (float32, evaluation mode) and processor of a checkpoint folder or shipped name.

    Checks the manifest, every key, every shape and that all values are finite. Raises CheckpointError.
    """
    folder = resolve(folder_or_name)
    if verify:
        verify_manifest(folder)
    config = read_config(folder)
    tensors = read_tensors(folder / WEIGHTS)
    model = LinkVLAForDriving(config)
    tied = (_TIED,) if config.tie_word_embeddings else ()
    load_strictly(model, {key: value.float() for key, value in tensors.items()}, str(folder / WEIGHTS), tied)
    try:
        processor = LinkVLAProcessor.from_folder(folder, config)
    except ConfigurationError as error:
        raise CheckpointError(f"{folder}: {error}") from None
    return model.eval(), processor
