"""Adapter folders, and merging them: the same logits or nothing."""

import json

import pytest
import torch
from safetensors.torch import load_file, save_file

from linkvla.model.checkpoint_folder import load_checkpoint
from linkvla.model.interface.errors import CheckpointError
from linkvla.model.training import merge as merging
from linkvla.model.training.adapter import DESCRIPTION, TENSORS, Description, load_adapted, save_adapter
from linkvla.model.training.export import export
from linkvla.model.training.lora import LoraSettings, apply_lora, trained_tensors
from linkvla.model.training.merge import merge, probe
from linkvla.model.training.recipe import paper_recipe
from linkvla.model.training.trainer import train

SETTINGS = LoraSettings(rank=4, alpha=8, train_vision=False)


@pytest.fixture(params=["untied", "tiny"])
def adapter(request, tmp_path):
    """(adapter folder, its adapted network, processor), as if trained: every tensor that may change has changed."""
    model, processor = request.getfixturevalue(request.param)
    base = export(model, processor, tmp_path / "base")
    model, processor = load_checkpoint(base)
    model.config.decode = "hard"  # a run may read its base in another way
    apply_lora(model, SETTINGS)
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for tensor in trained_tensors(model).values():
            tensor.add_(0.05 * torch.randn(tensor.shape, generator=generator))
    folder = save_adapter(tmp_path / "run/adapter", model, processor, Description.of(base, SETTINGS))
    return folder, model.eval(), processor


def edited(folder, change):
    """Change the tensors of an adapter folder."""
    tensors = load_file(folder / TENSORS)
    change(tensors)
    save_file(tensors, folder / TENSORS)
    return folder


def test_a_merged_checkpoint_computes_what_its_adapter_did(adapter, tmp_path):
    folder, model, processor = adapter
    report = merge(folder.parent, tmp_path / "merged", dtype=torch.float32)
    assert report.checkpoint == tmp_path / "merged" and report.rounding_error == report.merge_error < 1e-4
    merged, _ = load_checkpoint(report.checkpoint)
    assert merged.config.decode == "hard"
    adapted, _, _ = load_adapted(folder)
    torch.testing.assert_close(probe(merged, processor), probe(adapted, processor), atol=1e-3, rtol=0)
    torch.testing.assert_close(probe(adapted, processor), probe(model, processor), atol=0.3, rtol=0)  # bfloat16 file
    untouched, _ = load_checkpoint(tmp_path / "base")
    assert (probe(untouched, processor) - probe(merged, processor)).abs().max() > 0.5


def test_the_default_is_bfloat16_and_its_rounding_is_reported(adapter, tmp_path):
    report = merge(adapter[0], tmp_path / "merged")
    tensors = load_file(report.checkpoint / "model.safetensors")
    assert {tensor.dtype for tensor in tensors.values()} == {torch.bfloat16}
    assert report.merge_error < 1e-4 < report.rounding_error < merging.ROUNDING_TOLERANCE


def test_other_logits_are_refused_before_anything_is_written(adapter, tmp_path, monkeypatch):
    def wrong(model, dtype):
        tensors = plain(model, dtype)
        tensors["model.language_model.layers.0.mlp.up_proj.weight"].mul_(1.01)
        return tensors

    plain = merging.plain_tensors
    monkeypatch.setattr(merging, "plain_tensors", wrong)
    with pytest.raises(CheckpointError, match="nothing was written"):
        merge(adapter[0], tmp_path / "merged")
    assert not (tmp_path / "merged").exists()
    assert not [path for path in tmp_path.iterdir() if path.name.startswith(".")]


def test_an_adapter_without_its_action_table_is_refused(adapter):
    folder = edited(adapter[0], lambda tensors: tensors.pop("action_tables.input.rows"))
    with pytest.raises(CheckpointError, match=r"missing action_tables\.input\.rows"):
        load_adapted(folder)


def test_an_adapter_with_a_stranger_or_another_shape_is_refused(adapter):
    folder = edited(adapter[0], lambda tensors: tensors.update(stranger=torch.zeros(1)))
    with pytest.raises(CheckpointError, match="unknown stranger"):
        load_adapted(folder)
    edited(folder, lambda tensors: (tensors.pop("stranger"), tensors.update(tile_embedding=torch.zeros(1))))
    with pytest.raises(CheckpointError, match="tile_embedding is"):
        load_adapted(folder)


def test_the_base_must_be_the_very_one(adapter, tmp_path):
    folder, model, processor = adapter
    other = export(model, processor, tmp_path / "other")
    with pytest.raises(CheckpointError, match="--base"):
        merge(folder, tmp_path / "merged", base=other)
    moved = (tmp_path / "base").rename(tmp_path / "moved")
    with pytest.raises(CheckpointError, match="no checkpoint"):
        merge(folder, tmp_path / "merged")
    assert merge(folder, tmp_path / "merged", base=moved).checkpoint.is_dir()


def test_a_run_of_the_papers_recipe_is_interrupted_resumed_and_merged(untied, record_folder, tmp_path):
    base = export(*untied, tmp_path / "base")
    grid = {"architecture": {"action_head": "coarse_to_fine", "decode": "hard"}}
    recipe = paper_recipe(total_samples=16, batch_size=4, lora_rank=4, learning_rate=1e-2, readers=1, **grid)
    losses = {"whole": [], "broken": []}

    def stop_after_two(report):
        losses["broken"].append(report.figures)
        if report.step == 2:
            raise KeyboardInterrupt

    data, out = [record_folder(8)], tmp_path / "broken"
    note = lambda report: losses["whole"].append(report.figures)  # noqa: E731
    train(recipe, data, tmp_path / "whole", init=base, show=False, on_step=note)
    assert train(recipe, data, out, init=base, show=False, on_step=stop_after_two).interrupted
    assert not train(recipe, data, out, True, show=False, on_step=stop_after_two).interrupted
    assert losses["broken"] == losses["whole"]
    report = merge(out, tmp_path / "merged")
    merged, exported, start = (load_checkpoint(f)[0] for f in (report.checkpoint, out / "checkpoint", base))
    for name, tensor in merged.state_dict().items():
        torch.testing.assert_close(tensor, exported.state_dict()[name], atol=2e-2, rtol=2e-2)
    rows = slice(merged.vocabulary.action_base, merged.vocabulary.action_base + merged.vocabulary.special_tokens)
    for table in ("get_input_embeddings", "get_output_embeddings"):
        before, after = (getattr(model, table)().weight for model in (start, merged))
        assert not torch.equal(before[rows], after[rows])
        assert torch.equal(before[: rows.start], after[: rows.start])


def test_descriptions_are_checked(adapter, tmp_path):
    path = adapter[0] / DESCRIPTION
    values = json.loads(path.read_text())
    for change in ({"format_version": 9}, {"lora": {"rank": 0}}, {"base_sha256": ...}):
        changed = {name: value for name, value in {**values, **change}.items() if value is not ...}
        path.write_text(json.dumps(changed))
        with pytest.raises(CheckpointError):
            load_adapted(adapter[0])
    with pytest.raises(CheckpointError, match="no adapter"):
        merge(tmp_path / "base", tmp_path / "merged")
