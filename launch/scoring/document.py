"""What goes into the JSON of a scoring run: the numbers, and everything that is needed to get them again."""

from __future__ import annotations

import math
import platform
import sys
from importlib import metadata
from pathlib import Path
from typing import Any

from linkvla.launch.scoring.held_out import data_digest
from linkvla.launch.scoring.settings import ScoreSettings
from linkvla.model.checkpoint_folder import MANIFEST, resolve, sha256

FORMAT = 1
_PACKAGES = ("linkvla", "torch", "transformers", "tokenizers", "numpy", "sacrebleu", "rouge-score")


def document(settings: ScoreSettings, data: Path, frames: int, results: dict[str, Any]) -> dict[str, Any]:
    """The whole document; NaN becomes null."""
    contenders = {
        contender.label: [_identity(name) for name in contender.checkpoints] for contender in settings.contenders()
    }
    return plain(
        {
            "format": FORMAT,
            "task": settings.task,
            "command": " ".join(["linkvla", *sys.argv[1:]]),
            "seed": settings.seed,
            "batch": settings.batch,
            "device": settings.device,
            "frames": frames,
            "data": {"folder": str(data), "sha256": data_digest(data)},
            "checkpoints": contenders,
            "versions": {"python": platform.python_version(), **{name: metadata.version(name) for name in _PACKAGES}},
            "results": results,
        }
    )


def _identity(name: str) -> dict[str, str]:
    """A checkpoint's name and the digest of its manifest, which holds those of all its files."""
    return {"checkpoint": name, "manifest_sha256": sha256(resolve(name) / MANIFEST)}


def plain(value: Any) -> Any:
    """Values as JSON takes them."""
    if isinstance(value, dict):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
