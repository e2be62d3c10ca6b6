"""What a checkpoint folder must say about itself, and what loading keeps."""

import json

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from linkvla.model.checkpoint_folder import load_checkpoint, read_config, shipped_folder, write_manifest
from linkvla.model.decoding import decode
from linkvla.model.interface.errors import CheckpointError
from linkvla.model.processing_linkvla import Query
from linkvla.model.training.export import export

EMBEDDING = "model.language_model.embed_tokens.weight"


@pytest.fixture
def folder(tiny, tmp_path):
    """A sound checkpoint."""
    return export(*tiny, tmp_path / "tiny")


def change_config(folder, change):
    values = json.loads((folder / "config.json").read_text())
    change(values)
    (folder / "config.json").write_text(json.dumps(values))
    write_manifest(folder)


def logits(model, processor):
    views = np.random.default_rng(0).integers(0, 255, (1, *processor.config.view_shape, 3), dtype=np.uint8)
    batch = processor.batch(views, [Query(3.0, np.array([[10.0, 1.0], [30.0, 3.0]]))])
    return decode(model, batch.to("cpu", model.dtype)).fine_logits.float()


def test_the_shipped_nano_writes_its_ways_down():
    config = read_config(shipped_folder() / "linkvla-nano")
    assert json.loads((shipped_folder() / "linkvla-nano" / "config.json").read_text())["format_version"] == 2
    assert (config.decode, config.grid["centre"], config.navigation) == ("soft", "continuous", "both")
    assert (config.target_point_encoder, config.interpolation, config.jpeg_quality) == ("warped", "area", None)
    assert (config.padding_token_id, config.image_token_id, config.target_point_token_id) == (0, 5, 6)


@torch.no_grad()
def test_what_version_1_left_out_is_put_in(folder, tiny):
    def older(values):
        for name in ("format_version", "target_point_encoder", "interpolation", "jpeg_quality", "padding_token_id"):
            del values[name]
        values["grid"] = {}

    before = logits(*load_checkpoint(folder))
    change_config(folder, older)
    assert torch.equal(logits(*load_checkpoint(folder)), before)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda v: v.update(format_version=3), "format_version 3, this linkvla reads 1 to 2"),
        (lambda v: v.update(format_version="new"), "format_version 'new'"),
        (lambda v: v.pop("text_tokens"), "lacks text_tokens"),
        (lambda v: (v.pop("grid"), v.pop("image_token_id")), "lacks grid, image_token_id"),
        (lambda v: v.update(text_tokens=0), "its action table has no place"),
        (lambda v: v.update(padding_token_id=9), "padding_token_id is 9 in the configuration and 0 in the tokenizer"),
        (lambda v: v.update(grid={"k": 10.0}), "the vocabulary needs"),
    ],
)
def test_a_configuration_that_does_not_fit_is_refused(folder, change, message):
    change_config(folder, change)
    with pytest.raises(CheckpointError, match=message):
        load_checkpoint(folder)


def test_an_absent_action_table_is_noticed(folder, tiny):
    tensors = load_file(folder / "model.safetensors")
    tensors[EMBEDDING] = tensors[EMBEDDING][: tiny[0].vocabulary.action_base]
    save_file(tensors, folder / "model.safetensors")
    with pytest.raises(CheckpointError, match=rf"{EMBEDDING} is \(\d+, 64\), should be"):
        load_checkpoint(folder, verify=False)


def test_an_absent_tokenizer_is_noticed_without_the_manifest_too(folder):
    (folder / "tokenizer.json").unlink()
    with pytest.raises(CheckpointError, match="cannot read the tokenizer"):
        load_checkpoint(folder, verify=False)


@torch.no_grad()
def test_half_precision_spares_the_rotary_frequencies(folder):
    full, processor = load_checkpoint(folder)
    half, _ = load_checkpoint(folder, dtype=torch.bfloat16)
    assert {parameter.dtype for parameter in half.parameters()} == {torch.bfloat16}
    ours, theirs = (model.model.language_model.rotary_emb.inv_freq for model in (half, full))
    assert ours.dtype == torch.float32 and torch.equal(ours, theirs)
    assert torch.get_default_dtype() == torch.float32
    reference = logits(full, processor)
    assert float((logits(half, processor) - reference).abs().max()) < 0.1 * float(reference.abs().max())


@torch.no_grad()
def test_a_loaded_network_computes_what_was_exported(tiny, folder):
    model, processor = tiny
    expected = logits(model.to(torch.bfloat16).float(), processor)
    torch.testing.assert_close(logits(*load_checkpoint(folder)), expected, atol=2e-2, rtol=2e-2)
