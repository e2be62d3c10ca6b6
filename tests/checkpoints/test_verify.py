"""Checkpoint folders: strict loading, sealed files, names."""

import json

import pytest
import torch
from safetensors.torch import load_file, save_file

from linkvla.checkpoints import registry, verify
from linkvla.model import checkpoint_folder
from linkvla.model.configuration_linkvla import nano_config
from linkvla.model.interface.errors import CheckpointError
from linkvla.model.modeling_linkvla import LinkVLAForDriving
from linkvla.model.processing_linkvla import LinkVLAProcessor
from linkvla.model.tokenizer.vocabulary import train_text_tokenizer
from linkvla.model.training.export import export

KEY = "target_point_encoder.linear_1.weight"


@pytest.fixture
def folder(tmp_path):
    """A sound checkpoint of a tiny network."""
    tokenizer = train_text_tokenizer()
    config = nano_config(
        tokenizer.get_vocab_size(),
        tile_size=64,
        vision_width=32,
        vision_layers=1,
        text_width=64,
        text_layers=1,
        text_hidden=64,
    )
    return export(LinkVLAForDriving(config), LinkVLAProcessor(config, tokenizer), tmp_path / "tiny")


def rewrite(folder, change):
    """Change the tensors and seal the folder again, as a faulty exporter would."""
    tensors = load_file(folder / "model.safetensors")
    change(tensors)
    save_file(tensors, folder / "model.safetensors")
    checkpoint_folder.write_manifest(folder)


def test_a_sound_checkpoint_passes(folder, capsys):
    assert verify.verify(folder).parameters > 100_000
    assert verify.main([str(folder)]) == 0
    assert "sound" in capsys.readouterr().out


def test_an_export_replaces_the_one_before(folder):
    model, processor = checkpoint_folder.load_checkpoint(folder)
    before = (folder / "model.safetensors").read_bytes()
    export(model, processor, folder)
    assert (folder / "model.safetensors").read_bytes() == before
    assert [path.name for path in folder.parent.iterdir()] == ["tiny"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda t: t.pop(KEY), f"missing {KEY}"),
        (lambda t: t.update(extra=torch.zeros(1)), "unknown extra"),
        (lambda t: t.update({KEY: torch.zeros(3, 3)}), r"is \(3, 3\), should be \(64, 6\)"),
        (lambda t: t.update({KEY: t[KEY] * float("nan")}), f"NaN or infinity in {KEY}"),
    ],
)
def test_every_key_shape_and_value_counts(folder, change, message):
    rewrite(folder, change)
    with pytest.raises(CheckpointError, match=message):
        verify.verify(folder)


@pytest.mark.parametrize("cut", [3, 500, -1])
def test_truncated_weights_are_one_clear_error(folder, cut):
    weights = folder / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:cut])
    with pytest.raises(CheckpointError, match=r"model\.safetensors differ"):
        verify.verify(folder)
    checkpoint_folder.write_manifest(folder)  # sealed over the damage: the reader itself must notice
    with pytest.raises(CheckpointError, match="damaged"):
        verify.verify(folder)


def test_changed_and_missing_files_are_named(folder):
    (folder / "camera.json").write_text("{}")
    with pytest.raises(CheckpointError, match=r"camera\.json differ"):
        verify.verify(folder)
    (folder / "tokenizer.json").unlink()
    with pytest.raises(CheckpointError, match=r"lacks tokenizer\.json"):
        verify.verify(folder)
    (folder / "manifest.json").unlink()
    with pytest.raises(CheckpointError, match="not a checkpoint"):
        verify.verify(folder)


@pytest.mark.parametrize("values", [{"model_type": "bert"}, {"model_type": "linkvla", "decode": "beam"}, []])
def test_foreign_configurations_are_refused(folder, values):
    (folder / "config.json").write_text(json.dumps(values))
    checkpoint_folder.write_manifest(folder)
    with pytest.raises(CheckpointError, match=r"config\.json"):
        verify.verify(folder)


def test_near_misses_are_suggested(folder, capsys):
    with pytest.raises(CheckpointError, match="did you mean 'tiny'"):
        checkpoint_folder.resolve("tinny", folder.parent)
    assert checkpoint_folder.resolve("tiny", folder.parent) == folder
    with pytest.raises(CheckpointError, match="neither a folder nor a shipped name"):
        registry.locate("no-such-thing-at-all")
    assert verify.main(["no-such-thing-at-all"]) == 2
    assert capsys.readouterr().err.count("\n") == 1


def test_whatever_ships_is_sound():
    for name in registry.available():
        assert verify.verify(name).megabytes <= 20.0
        assert registry.shipped(name).card is not None
