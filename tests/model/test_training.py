"""Losses, batches, resumable training and what a run leaves behind."""

import csv
import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch.nn import functional

from linkvla.model.checkpoint_folder import load_checkpoint
from linkvla.model.data.recording import Recording
from linkvla.model.data.source import open_sources
from linkvla.model.interface.errors import CheckpointError, ConfigurationError, DataError
from linkvla.model.interface.types import Observation
from linkvla.model.policy import LinkVLAPolicy
from linkvla.model.tokenizer.action_tokenizer import ActionTokenizer
from linkvla.model.training import command
from linkvla.model.training.action_table import ActionTable
from linkvla.model.training.auxiliary import AuxiliaryHead
from linkvla.model.training.mixture import DataSource, Mixture
from linkvla.model.training.objectives.action import SoftLabelCrossEntropy
from linkvla.model.training.recipe import Recipe
from linkvla.model.training.trainer import train
from linkvla.model.training.validation import evaluate, predict

VIEW = (64, 128)
CALM = {"brightness": 0.0, "contrast": 0.0, "speed_jitter_share": 0.0, "warmup_steps": 5, "threads": 1}


def test_the_loss_and_its_gradient_are_those_of_a_plain_cross_entropy():
    grid = ActionTokenizer()
    points = torch.tensor([[3.0, -1.0], [30.0, 12.0]])
    along_x, along_y, _ = grid.label_marginals(points)
    logits = torch.randn(2, grid.size, generator=torch.Generator().manual_seed(0)).requires_grad_()
    reference = -(grid.soft_labels(points) * functional.log_softmax(logits, -1)).sum(-1)
    weight = torch.tensor([1.0, 0.5])
    (expected,) = torch.autograd.grad((reference * weight).sum(), logits)
    loss = SoftLabelCrossEntropy.apply(logits, along_x, along_y)
    (gradient,) = torch.autograd.grad((loss * weight).sum(), logits)
    torch.testing.assert_close(loss, reference, atol=1e-4, rtol=1e-5)
    torch.testing.assert_close(gradient, expected, atol=1e-6, rtol=1e-4)


def test_the_auxiliary_head_reads_each_cell_from_its_own_patch():
    head = AuxiliaryHead(8, tile_size=64, patch_size=16)
    patches = torch.zeros(1, 2, 16, 8)
    patches[0, 1, 5] = 1.0  # right tile, patch row 1, column 1
    changed = (head(patches) - head(torch.zeros_like(patches))).abs().sum(-1)[0] > 1e-6
    rows, columns = np.nonzero(changed.numpy())
    assert (sorted(set(rows)), sorted(set(columns))) == ([2, 3], [10, 11])


def test_action_rows_can_start_from_an_exported_table():
    grid = ActionTokenizer()
    table = ActionTable(grid, 16)
    rows = torch.randn(grid.size + 2, 16)
    table.start_from(rows)
    torch.testing.assert_close(table(), rows, atol=1e-3, rtol=0)


def test_eight_samples_are_learnt_by_heart(record_folder, tmp_path, tiny_architecture):
    folder = record_folder(8)
    recipe = Recipe(total_samples=8 * 60, batch_size=8, learning_rate=6e-3, architecture=tiny_architecture, **CALM)
    losses = []
    result = train(
        recipe, [folder], tmp_path / "run", show=False, on_step=lambda report: losses.append(report.figures["fine"])
    )
    assert losses[-1] < 0.25 * losses[0]
    model, processor = load_checkpoint(result.checkpoint)
    (source,) = open_sources(folder, VIEW)
    samples = source.read(range(8))
    paths = np.stack([sample.path_in_ego for sample in samples])
    error = np.linalg.norm(predict(model, processor, samples)[:, :20] - paths, axis=-1).mean()
    assert error < 0.8
    with open(tmp_path / "run" / "metrics.csv") as file:
        assert [int(row["step"]) for row in csv.DictReader(file)] == [20, 40, 60]


def test_a_resumed_run_repeats_the_unbroken_one(record_folder, tmp_path, tiny_architecture):
    folder = record_folder(12)
    recipe = Recipe(total_samples=48, batch_size=6, architecture=tiny_architecture, threads=2)
    losses = {"whole": [], "broken": []}
    train(recipe, [folder], tmp_path / "whole", show=False, on_step=lambda r: losses["whole"].append(r.figures))

    def interrupt_after_three(report):
        losses["broken"].append(report.figures)
        if report.step == 3:
            raise KeyboardInterrupt

    first = train(recipe, [folder], tmp_path / "broken", show=False, on_step=interrupt_after_three)
    assert first.interrupted and first.samples == 18
    second = train(recipe, [folder], tmp_path / "broken", True, show=False, on_step=interrupt_after_three)
    assert not second.interrupted and second.samples == 48
    assert losses["broken"] == losses["whole"]
    whole, broken = (load_checkpoint(tmp_path / name / "checkpoint")[0].state_dict() for name in ("whole", "broken"))
    assert all(torch.equal(whole[key], broken[key]) for key in whole)


def test_a_run_leaves_evaluations_and_a_policy(record_folder, tmp_path, tiny_architecture):
    data, held_out = record_folder(12), record_folder(6, "held", seed=1)
    recipe = Recipe(total_samples=24, batch_size=6, evaluation_samples=12, architecture=tiny_architecture, **CALM)
    result = train(recipe, [data], tmp_path / "run", held_out=[held_out], show=False)
    assert set(result.evaluation) == {"held", "held/black"}
    lines = [json.loads(line) for line in (tmp_path / "run" / "evaluations.jsonl").read_text().splitlines()]
    assert [line["samples"] for line in lines] == [12, 24, 24]
    policy = LinkVLAPolicy.from_pretrained(result.checkpoint)
    frame = np.zeros((256, 512, 3), np.uint8)
    observations = [Observation(frame, speed, np.array([[9.0, 0.0], [40.0, 2.0]])) for speed in (0.0, 7.0)]
    policy.reset()
    plans = policy.predict_batch(observations)
    assert plans[0].path_in_ego.shape == (20, 2) and plans[0].speed_waypoints_in_ego.shape == (10, 2)
    assert plans[0].path_in_ego.dtype == np.float64 and not plans[0].path_in_ego[0].any()
    alone = policy.predict(observations[1])
    np.testing.assert_allclose(alone.path_in_ego, plans[1].path_in_ego, atol=1e-3)
    assert policy.camera == Recording.open(data).camera
    assert policy.predict_batch([]) == []


def test_training_goes_on_from_a_checkpoint(record_folder, tmp_path, tiny_architecture):
    folder = record_folder(8)
    recipe = Recipe(total_samples=8, batch_size=8, architecture=tiny_architecture, learning_rate=1e-9, **CALM)
    first = train(recipe, [folder], tmp_path / "a", show=False)
    with pytest.raises(ConfigurationError, match="text_layers"):  # shapes are the checkpoint's
        train(recipe, [folder], tmp_path / "b", init=first.checkpoint, show=False)
    second = train(replace(recipe, architecture={}), [folder], tmp_path / "b", init=first.checkpoint, show=False)
    a, b = (load_checkpoint(run.checkpoint)[0].state_dict() for run in (first, second))
    for key, value in a.items():
        torch.testing.assert_close(b[key], value, atol=2e-2, rtol=2e-2)


def test_scores_need_both_stopping_and_starting(tiny, record_folder):
    model, processor = tiny
    report = evaluate(model, processor, {"held": open_sources(record_folder(5), VIEW)[0]}, 5)
    assert set(report) == {"held", "held/black"}
    assert np.isfinite(report["held"]["path_ade"]) and np.isnan(report["held"]["red_stop"])


def test_shares_of_recordings_are_kept(record_folder):
    small, large = record_folder(4, "small"), record_folder(40, "large")
    mixture = Mixture([DataSource.parse(f"{small}=0.5"), DataSource.parse(large)], VIEW)
    groups = mixture.draw(2000, np.random.default_rng(0))
    assert [source.recording.folder.name for source, _ in groups] == ["small", "large"]
    assert 0.45 < len(groups[0][1]) / 2000 < 0.55
    with pytest.raises(DataError, match="add up"):
        Mixture([DataSource(small, 0.7), DataSource(large, 0.7)], VIEW)
    with pytest.raises(DataError, match=r"0\.\.1"):
        DataSource.parse(f"{small}=3")


def test_a_folder_of_parts_is_one_source(record_folder, tmp_path):
    record_folder(4, "drive/part-000")
    record_folder(12, "drive/part-001")
    other = record_folder(4, "other")
    mixture = Mixture([DataSource(tmp_path / "drive", 0.5), DataSource(other, 0.5)], VIEW)
    drawn = {source.name.split("/")[-1]: len(rows) for source, rows in mixture.draw(4000, np.random.default_rng(0))}
    assert len(mixture) == 20
    assert 0.45 < drawn["other"] / 4000 < 0.55
    assert drawn["part-001"] > drawn["part-000"]
    with pytest.raises(DataError, match="does not exist"):
        Mixture([DataSource(tmp_path / "nowhere")], VIEW)


def test_the_rate_warms_up_holds_and_falls():
    recipe = Recipe(total_samples=100, warmup_steps=10)
    assert recipe.rate(0, 0.0) == pytest.approx(1e-4)
    assert recipe.rate(50, 0.5) == pytest.approx(1e-3)
    assert recipe.rate(90, 1.0) == pytest.approx(2e-5)


def test_bad_recipes_and_runs_are_refused(record_folder, tmp_path, tiny_architecture, capsys):
    with pytest.raises(ConfigurationError, match="total_samples or total_seconds"):
        Recipe()
    with pytest.raises(ConfigurationError, match="batch_size"):
        Recipe(total_samples=1, batch_size=0)
    with pytest.raises(ConfigurationError, match="learning_rates"):
        Recipe.from_mapping({"total_samples": 1, "learning_rates": 1e-3})
    folder = record_folder(4)
    recipe = Recipe(total_samples=4, batch_size=4, architecture=tiny_architecture, **CALM)
    with pytest.raises(ConfigurationError, match="no run to resume"):
        train(recipe, [folder], tmp_path / "run", True, show=False)
    train(recipe, [folder], tmp_path / "run", show=False)
    with pytest.raises(ConfigurationError, match="--resume"):
        train(recipe, [folder], tmp_path / "run", show=False)
    state = tmp_path / "run" / "state.safetensors"
    state.write_bytes(state.read_bytes()[:1000])
    with pytest.raises(CheckpointError, match="damaged"):
        train(recipe, [folder], tmp_path / "run", True, show=False)
    status = command.main(["--data", str(tmp_path / "none"), "--out", str(tmp_path / "x"), "--samples", "1"])
    assert status == 2 and capsys.readouterr().err.count("\n") == 1


def test_recipe_settings_come_from_text():
    recipe = command.recipe_from(["learning_rate=5e-4", "architecture={text_layers: 4}"], total_samples=1)
    assert recipe.learning_rate == 5e-4 and recipe.architecture == {"text_layers": 4}
    with pytest.raises(ConfigurationError, match="NAME=VALUE"):
        command.recipe_from(["speed=1"], total_samples=1)


def test_a_run_says_how_fast_it_was_and_how_long_it_waited(record_folder, tmp_path, tiny_architecture, capsys):
    folder, waits = record_folder(8), []
    recipe = Recipe(total_samples=8 * 40, batch_size=8, architecture=tiny_architecture, **CALM)
    train(recipe, [folder], tmp_path / "run", on_step=lambda report: waits.append(report.waited))
    with open(tmp_path / "run" / "metrics.csv") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 2 and min(waits) >= 0.0 and sum(waits) > 0.0
    assert all(float(row["samples_per_second"]) > 0 and 0 <= float(row["data_wait"]) <= 1 for row in rows)
    table = capsys.readouterr().out
    assert "samples/s" in table and "waiting for data" in table and "312" in table
