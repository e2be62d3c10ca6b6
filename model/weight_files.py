"""Safetensors on disk: one file, or shards with an index, read and written a tensor at a time.

The names are those that the whole field uses: ``model.safetensors``, or ``model-00001-of-00004.safetensors`` and so on
with ``model.safetensors.index.json``.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from linkvla.model.interface.errors import CheckpointError

WEIGHTS = "model.safetensors"
INDEX = "model.safetensors.index.json"
SHARD_BYTES = 500_000_000
_NAMED_KEYS = 6  # how many keys an error message lists


def listed(keys: Iterable[str]) -> str:
    """The first few of many names, for a message."""
    keys = list(keys)
    shown = ", ".join(keys[:_NAMED_KEYS])
    return shown + (f" and {len(keys) - _NAMED_KEYS} more" if len(keys) > _NAMED_KEYS else "")


@dataclass(frozen=True)
class WeightFiles:
    """The tensors of a folder; only headers are read until a tensor is asked for."""

    folder: Path
    shapes: dict[str, tuple[int, ...]]  # by tensor name
    files: dict[str, list[str]]  # tensor names by file name

    def __iter__(self) -> Iterator[tuple[str, torch.Tensor]]:
        """(name, tensor), file by file. Raises CheckpointError when a file is damaged."""
        for file, names in self.files.items():
            with opened(self.folder / file) as content:
                for name in names:
                    yield name, content.get_tensor(name)


def weight_file_names(folder: Path) -> list[str]:
    """The files that hold a folder's weights, and their index. Raises CheckpointError for a damaged index."""
    if not (folder / INDEX).is_file():
        return [WEIGHTS]
    return [INDEX, *sorted(set(_weight_map(folder).values()))]


def open_weights(folder: Path) -> WeightFiles:
    """Look into a folder's weights.

    Raises CheckpointError when a file is missing or damaged, or when the shards hold other tensors than the index says.
    """
    folder = Path(folder)
    shapes, files = {}, {}
    for file in weight_file_names(folder):
        if file == INDEX:
            continue
        with opened(folder / file) as content:
            files[file] = list(content.keys())
            shapes |= {name: tuple(content.get_slice(name).get_shape()) for name in files[file]}
    if (folder / INDEX).is_file():
        promised = _weight_map(folder).keys()
        if differing := sorted(promised ^ shapes.keys()):
            raise CheckpointError(
                f"{folder / INDEX} and its shards disagree about {listed(differing)}; fetch both again"
            )
    return WeightFiles(folder, shapes, files)


def write_weights(folder: Path, tensors: Iterable[tuple[str, torch.Tensor]], shard_bytes: int = SHARD_BYTES) -> None:
    """Write (name, tensor) pairs: one file, or shards of about ``shard_bytes`` where they are more than that.

    Pairs are taken one by one, so that a generator never holds more than a shard.
    """
    parts: list[list[str]] = []
    shard: dict[str, torch.Tensor] = {}
    size = total = 0

    def flush() -> None:
        save_file(shard, folder / f"part-{len(parts)}", metadata={"format": "pt"})
        parts.append(list(shard))
        shard.clear()

    for name, tensor in tensors:
        bytes_here = tensor.numel() * tensor.element_size()
        if shard and size + bytes_here > shard_bytes:
            flush()
            size = 0
        shard[name] = tensor.contiguous()
        size += bytes_here
        total += bytes_here
    flush()
    if len(parts) == 1:
        (folder / "part-0").rename(folder / WEIGHTS)
        return
    weight_map = {}
    for n, names in enumerate(parts):
        file = f"model-{n + 1:05d}-of-{len(parts):05d}.safetensors"
        (folder / f"part-{n}").rename(folder / file)
        weight_map |= dict.fromkeys(names, file)
    index = {"metadata": {"total_size": total}, "weight_map": weight_map}
    (folder / INDEX).write_text(json.dumps(index, indent=1) + "\n")


@contextmanager
def opened(path: Path) -> Iterator[safe_open]:
    """One safetensors file. Raises CheckpointError when it is missing, truncated or damaged."""
    try:
        with safe_open(path, "pt") as content:
            yield content
    except FileNotFoundError:
        raise CheckpointError(f"{path} is missing; fetch or export the checkpoint again") from None
    except (SafetensorError, OSError, ValueError) as error:
        raise CheckpointError(f"{path} is damaged ({error}); fetch or export the checkpoint again") from None


def _weight_map(folder: Path) -> dict[str, str]:
    """Tensor name to file name, as the index has it; files must lie beside it."""
    try:
        weight_map = json.loads((folder / INDEX).read_text())["weight_map"]
        if all(isinstance(file, str) and Path(file).name == file for file in weight_map.values()):
            return weight_map
        problem = "it names files outside the folder"
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        problem = repr(error)
    raise CheckpointError(f"{folder / INDEX} is damaged ({problem}); fetch or export the checkpoint again")
