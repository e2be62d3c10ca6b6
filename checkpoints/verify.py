"""Strict verification of a checkpoint: manifest, every key, every shape, every value finite. Run it before you trust
a file.

python -m linkvla.checkpoints.verify linkvla-nano
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from linkvla.checkpoints.registry import locate
from linkvla.model.checkpoint_folder import load_checkpoint
from linkvla.model.interface.errors import CheckpointError
from linkvla.model.weight_files import weight_file_names


@dataclass(frozen=True)
class Verified:
    """A checkpoint that passed."""

    folder: Path
    parameters: int
    megabytes: float  # of the weights, 1e6 bytes


def verify(folder_or_name: Path | str) -> Verified:
    """Rebuild the network from its folder alone. Raises CheckpointError naming the first file, keys or shapes that
    fail.
    """
    folder = locate(folder_or_name)
    model, _ = load_checkpoint(folder)
    parameters = sum(parameter.numel() for parameter in model.parameters())
    size = sum((folder / name).stat().st_size for name in weight_file_names(folder))
    return Verified(folder, parameters, size / 1e6)


def main(arguments: Sequence[str] | None = None) -> int:
    """Verify each named checkpoint; the exit status is 2 when one fails."""
    names = list(sys.argv[1:] if arguments is None else arguments)
    if not names:
        print("usage: python -m linkvla.checkpoints.verify FOLDER_OR_NAME ...", file=sys.stderr)
        return 2
    try:
        for name in names:
            result = verify(name)
            print(f"{result.folder}: sound, {result.parameters / 1e6:.2f} M parameters, {result.megabytes:.1f} MB")
    except CheckpointError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
