"""Adapter folders: what a LoRA run changed, without the network that it started from.

``adapter.safetensors`` holds the adapters, the action tables and every other trained tensor; ``adapter.json`` says how
the adapters were made and which checkpoint they belong to, by the SHA-256 of its weights. Configuration, tokenizer,
camera and prompts are those of the adapted network: a run may read its base in another way.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from safetensors.torch import save_file

from linkvla.model.atomic_folder import replacing
from linkvla.model.checkpoint_folder import (
    load_checkpoint,
    load_strictly,
    read_config,
    read_tensors,
    resolve,
    weights_sha256,
)
from linkvla.model.interface.errors import CheckpointError, ConfigurationError
from linkvla.model.modeling_linkvla import LinkVLAForDriving
from linkvla.model.processing_linkvla import LinkVLAProcessor
from linkvla.model.tokenizer.vocabulary import load_text_tokenizer
from linkvla.model.training.growing import transplant
from linkvla.model.training.lora import LoraSettings, apply_lora, trained_tensors

DESCRIPTION, TENSORS = "adapter.json", "adapter.safetensors"
FORMAT_VERSION = 1


@dataclass(frozen=True)
class Description:
    """Which network an adapter belongs to, and how it was attached."""

    base: str  # folder or shipped name
    base_sha256: str  # of the base's weights
    lora: LoraSettings

    @classmethod
    def of(cls, base: Path | str, lora: LoraSettings) -> Description:
        """For adapters that are to be trained on the checkpoint ``base``. Raises CheckpointError."""
        folder = resolve(base)
        name = str(folder.resolve()) if Path(base).expanduser().is_dir() else str(base)
        return cls(name, weights_sha256(folder), lora)

    def save(self, path: Path) -> None:
        """Write as JSON."""
        path.write_text(json.dumps({"format_version": FORMAT_VERSION, **asdict(self)}, indent=1) + "\n")

    @classmethod
    def read(cls, path: Path) -> Description:
        """Raises CheckpointError when the file is missing or not a description."""
        try:
            values = json.loads(path.read_text())
            version = values["format_version"]
            if version != FORMAT_VERSION:
                raise CheckpointError(f"{path} has format_version {version}; this linkvla reads {FORMAT_VERSION}")
            return cls(str(values["base"]), str(values["base_sha256"]), LoraSettings(**values["lora"]))
        except OSError as error:
            raise CheckpointError(f"cannot read {path}: {error.strerror}; is this an adapter folder?") from None
        except (ValueError, KeyError, TypeError, ConfigurationError) as error:
            raise CheckpointError(f"{path} does not describe an adapter ({error!r}); copy the folder again") from None


def save_adapter(
    folder: Path,
    model: LinkVLAForDriving,
    processor: LinkVLAProcessor,
    description: Description,
    dtype: torch.dtype = torch.bfloat16,
) -> Path:
    """Write what was trained of ``model`` to an adapter folder, in place of an older one, atomically.

    Returns the folder. Raises CheckpointError.
    """
    folder = Path(folder)
    with replacing(folder, DESCRIPTION) as fresh:
        tensors = {name: tensor.to("cpu", dtype).contiguous() for name, tensor in trained_tensors(model).items()}
        save_file(tensors, fresh / TENSORS, metadata={"format": "pt"})
        model.config.save_pretrained(fresh)
        processor.save(fresh)
        description.save(fresh / DESCRIPTION)
    return folder


def load_adapted(
    folder: Path | str, base: Path | str | None = None
) -> tuple[LinkVLAForDriving, LinkVLAProcessor, Description]:
    """The base with the adapter attached, float32, in evaluation mode.

    ``base``: where the base lies now, if not where it lay in training. Every trained tensor must be there, in its
    shape, and the base must be the very one. Raises CheckpointError.
    """
    folder = Path(folder)
    description = Description.read(folder / DESCRIPTION)
    source = resolve(base if base is not None else description.base)
    if weights_sha256(source) != description.base_sha256:
        raise CheckpointError(
            f"{source} is not the checkpoint that {folder} was trained on (its weights have another SHA-256); "
            "name the right one with --base"
        )
    old, old_processor = load_checkpoint(source)
    config = read_config(folder)
    model = transplant(old, old_processor.tokenizer, config, load_text_tokenizer(folder / "tokenizer.json"))
    processor = LinkVLAProcessor.from_folder(folder, model.config)
    apply_lora(model, description.lora)
    trained = trained_tensors(model)
    tensors = {name: tensor.float() for name, tensor in read_tensors(folder / TENSORS).items()}
    others = [name for name in model.state_dict() if name not in trained]
    load_strictly(model, tensors, str(folder / TENSORS), others)
    return model.eval(), processor, description
