"""Folders that are there whole or not at all."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from safetensors import SafetensorError

from linkvla.model.interface.errors import CheckpointError


@contextmanager
def replacing(folder: Path, marker: str) -> Iterator[Path]:
    """A fresh folder to fill, which takes the place of ``folder`` when the block ends well.

    An error leaves ``folder`` as it was. Only an empty folder, or one that holds ``marker`` (a file that all folders of
    this kind have), is replaced. Raises CheckpointError for another, and when the disk takes no more.
    """
    folder = Path(folder)
    if folder.exists() and not folder.is_dir():
        raise CheckpointError(f"{folder} is a file; choose another folder")
    if folder.exists() and any(folder.iterdir()) and not (folder / marker).exists():
        raise CheckpointError(f"{folder} is not empty and has no {marker}; choose another folder")
    fresh = None
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        fresh = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", dir=folder.parent))
        yield fresh
        fresh.chmod(0o755)  # a temporary folder, and safetensors' files, are private to the user
        for path in fresh.iterdir():
            path.chmod(0o755 if path.is_dir() else 0o644)
        old = fresh.with_name(fresh.name + ".old")
        if folder.exists():
            os.replace(folder, old)
        os.replace(fresh, folder)
        shutil.rmtree(old, ignore_errors=True)
    except (OSError, SafetensorError) as error:  # safetensors reports a full disk as its own
        raise CheckpointError(f"cannot write {folder}: {error}; free some space or choose another folder") from None
    finally:
        if fresh is not None:
            shutil.rmtree(fresh, ignore_errors=True)
