"""Training with words: every action head learns, words are learnt, weights start from other checkpoints."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from tokenizers import Tokenizer

from linkvla.model.checkpoint_folder import load_checkpoint
from linkvla.model.configuration_linkvla import nano_config
from linkvla.model.data.recording import RecordingWriter
from linkvla.model.data.sample import Annotations, Dream, DreamMode, Question
from linkvla.model.interface.errors import CheckpointError, ConfigurationError
from linkvla.model.modeling_linkvla import IGNORED, LinkVLAForDriving
from linkvla.model.processing_linkvla import LinkVLAProcessor
from linkvla.model.tokenizer.vocabulary import train_text_tokenizer
from linkvla.model.training import command
from linkvla.model.training.ablation import ABLATIONS, preset_values
from linkvla.model.training.batches import make_batch
from linkvla.model.training.engine import TOTAL, ThreadShards
from linkvla.model.training.export import export
from linkvla.model.training.merge import merge
from linkvla.model.training.mixture import DataSource, Mixture
from linkvla.model.training.objectives.action import action_loss
from linkvla.model.training.objectives.objective import Objective
from linkvla.model.training.objectives.understanding import understanding_loss
from linkvla.model.training.recipe import Recipe
from linkvla.model.training.trainer import train

VIEW = (64, 128)
CALM = {"brightness": 0.0, "contrast": 0.0, "speed_jitter_share": 0.0, "warmup_steps": 5, "threads": 1}
REMARKS = ("Turn left.", "Stop now.", "Go on.")


@pytest.fixture
def annotated(tmp_path, random_record):
    """A recording of nine frames with every kind of words."""
    rng = np.random.default_rng(0)
    folder = tmp_path / "annotated"
    with RecordingWriter(folder, 9, VIEW, annotated=True) as writer:
        for n in range(9):
            record = random_record(rng)
            wish = Dream(DreamMode.STOP, ("Stop.",), record.path_in_ego, np.zeros((10, 2)), n % 2 == 0, "No.")
            words = Annotations(REMARKS[n % 3], (Question("Who?", "A car."),), (wish,))
            writer.append(replace(record, annotations=words))
    return folder


def recipe_for(row: str, architecture: dict, **changes) -> Recipe:
    values = {**CALM, **ABLATIONS[row], **changes}
    values["architecture"] = {**architecture, **ABLATIONS[row]["architecture"]}
    return Recipe(**values)


@pytest.mark.parametrize("row", ABLATIONS)
def test_every_row_of_the_ablation_learns(row, annotated, tmp_path, tiny_architecture):
    recipe = recipe_for(row, tiny_architecture, total_samples=9 * 20, batch_size=9, learning_rate=5e-3)
    reports = []
    result = train(
        recipe, [annotated], tmp_path / row, show=False, on_step=lambda report: reports.append(report.figures)
    )
    actions = ("path", "waypoints") if row == "baseline" else ("goal", "fine")
    first, last = (
        {
            "actions": np.mean([sum(figures[name] for name in actions) for figures in part]),
            "text": np.mean([figures["text"] for figures in part]),
        }
        for part in (reports[:3], reports[-3:])
    )
    assert all(last[name] < 0.75 * first[name] for name in first), (first, last)
    assert any("understanding" in figures for figures in reports) is (row == "align")
    model, _ = load_checkpoint(result.checkpoint)
    assert model.config.action_head == recipe.architecture["action_head"]


def test_a_commentary_is_learnt_by_heart(annotated, tmp_path, tiny_architecture):
    shares = {"driving_share": 0.0, "commentary_share": 1.0, "commentary_given_share": 0.0}
    shares |= {"question_share": 0.0, "dreaming_share": 0.0, "understanding_coin": 0.0}
    recipe = recipe_for("c2f", tiny_architecture, total_samples=9 * 45, batch_size=9, learning_rate=5e-3, **shares)
    text = []
    train(recipe, [annotated], tmp_path / "run", show=False, on_step=lambda report: text.append(report.figures["text"]))
    assert text[0] > 3.0 and text[-1] < 0.3


def test_understanding_learns_words_only(tiny, annotated):
    model, processor = tiny
    mixture = Mixture([DataSource(annotated)], VIEW)
    batch = make_batch(mixture, processor, Recipe(total_samples=1, understanding_coin=1.0), 0)
    part = batch.understanding
    labels, ids = part.driving.labels, part.driving.input_ids
    assert batch.counts.described == int((labels != IGNORED).sum())
    for row, tokens in zip(labels, ids):
        said = processor.tokenizer.decode(row[row != IGNORED].tolist())
        assert said.strip() in (*REMARKS, "Stop.")
        cells = tokens[(tokens >= model.vocabulary.action_base) & (tokens < model.vocabulary.path_goal)]
        assert len(cells) == 30 and not bool((row[tokens >= model.vocabulary.action_base] != IGNORED).any())
    loss, hidden = understanding_loss(model, model.tables(), part, batch.counts.described)
    hidden.prefix.retain_grad()
    loss.backward()
    touched = hidden.prefix.grad.abs().sum(-1) > 0
    assert torch.equal(touched[:, :-1], labels[:, 1:] != IGNORED)  # each label is read from the position before it


def test_shards_add_up_to_the_batch(tiny, annotated):
    model, processor = tiny
    recipe = Recipe(total_samples=1, batch_size=9, dtype="float32")
    batch = make_batch(Mixture([DataSource(annotated)], VIEW), processor, recipe, 3)
    torch.manual_seed(0)
    objective = Objective(recipe, model)
    whole = objective(batch)
    parts = [objective(shard) for shard in batch.split(4)]
    assert len(parts) == 4 and batch.understanding is not None
    for name, value in whole.items():
        torch.testing.assert_close(sum(part.get(name, torch.zeros(())) for part in parts), value, rtol=1e-4, atol=1e-4)


def test_words_compete_with_actions_in_the_unified_codebook(tiny):
    model, _ = tiny
    tables, points = model.tables(), torch.tensor([[[5.0, 1.0], [900.0, 0.0]]])
    hidden = torch.randn(1, 2, model.config.text_config.hidden_size)
    losses = {}
    for domain in ("vocabulary", "actions"):
        recipe = Recipe(total_samples=1, softmax_over=domain)
        losses[domain] = action_loss(model.action_tokenizer, tables, hidden, points, recipe)
        assert int(losses[domain].masked) == 1  # 900 m are out of reach
    whole = tables.score_vocabulary(hidden[0, 0]).logsumexp(-1) - tables.score_actions(hidden[0, 0]).logsumexp(-1)
    torch.testing.assert_close(losses["vocabulary"].total - losses["actions"].total, whole, rtol=1e-3, atol=1e-3)


def test_hard_labels_are_the_plain_cross_entropy(tiny):
    model, _ = tiny
    tables, grid, points = model.tables(), model.action_tokenizer, torch.tensor([[[5.0, 1.0], [20.0, -8.0]]])
    hidden = torch.randn(1, 2, model.config.text_config.hidden_size)
    recipe = Recipe(total_samples=1, soft_labels=False, softmax_over="actions")
    loss = action_loss(grid, tables, hidden, points, recipe).total
    logits = tables.score_actions(hidden)[0]
    torch.testing.assert_close(loss, torch.nn.functional.cross_entropy(logits, grid.encode(points)[0], reduction="sum"))


def test_a_resumed_run_with_words_repeats_the_unbroken_one(annotated, tmp_path, tiny_architecture):
    recipe = recipe_for("align", tiny_architecture, total_samples=45, batch_size=5, threads=2)
    seen = {"whole": [], "broken": []}
    train(recipe, [annotated], tmp_path / "whole", show=False, on_step=lambda r: seen["whole"].append(r.figures))

    def stop_after_four(report):
        seen["broken"].append(report.figures)
        if report.step == 4:
            raise KeyboardInterrupt

    assert train(recipe, [annotated], tmp_path / "broken", show=False, on_step=stop_after_four).interrupted
    train(recipe, [annotated], tmp_path / "broken", True, show=False, on_step=stop_after_four)
    assert seen["broken"] == seen["whole"] and len(seen["whole"]) == 9


def test_the_best_weights_are_kept_beside_the_last(annotated, tmp_path, tiny_architecture):
    recipe = recipe_for("align", tiny_architecture, total_samples=18, batch_size=9, evaluation_samples=9, seed=1)
    result = train(recipe, [annotated], tmp_path / "run", held_out=[annotated], show=False)
    assert result.best == tmp_path / "run" / "best" and result.checkpoint.name == "checkpoint"
    load_checkpoint(result.best)
    lines = (tmp_path / "run" / "evaluations.jsonl").read_text().splitlines()
    assert '"loss_text"' in lines[0] and '"loss_understanding"' in lines[0]


def test_all_rows_can_start_with_the_same_eyes(annotated, tmp_path, tiny_architecture):
    still = {"total_samples": 9, "batch_size": 9, "learning_rate": 1e-9}
    first = train(recipe_for("c2f", tiny_architecture, **still), [annotated], tmp_path / "a", show=False).checkpoint
    recipe = recipe_for("baseline", tiny_architecture, seed=1, **still)
    second = train(recipe, [annotated], tmp_path / "b", init_vision=first, show=False).checkpoint
    ours, theirs = (load_checkpoint(folder)[0].state_dict() for folder in (second, first))
    eyes = "model.vision_tower.embeddings.patch_embeddings.projection.weight"
    words = "model.language_model.layers.0.mlp.up_proj.weight"
    torch.testing.assert_close(ours[eyes], theirs[eyes])
    assert not torch.allclose(ours[words], theirs[words], atol=1e-3)
    wider = replace(recipe, architecture={**recipe.architecture, "vision_width": 64})
    with pytest.raises(CheckpointError, match="vision tower"):
        train(wider, [annotated], tmp_path / "c", init_vision=first, show=False)
    with pytest.raises(ConfigurationError, match="not both"):
        train(recipe, [annotated], tmp_path / "d", init=first, init_vision=first, show=False)


def test_a_vocabulary_grows_and_keeps_what_it_knew(annotated, tmp_path, tiny_architecture):
    torch.manual_seed(0)
    values = json.loads(train_text_tokenizer(400).to_str())
    words = values["model"]["vocab"]
    words["Ġlight"], words["Ġroad"] = words["Ġroad"], words["Ġlight"]  # its words need not be in today's order
    small = Tokenizer.from_str(json.dumps(values))
    config = nano_config(small.get_vocab_size(), **tiny_architecture)
    old = LinkVLAForDriving(config)
    old.reset_for_scratch()
    first = export(old, LinkVLAProcessor(config, small), tmp_path / "small")
    recipe = Recipe(total_samples=9, batch_size=9, learning_rate=1e-9, new_tokenizer=True, **CALM)
    new, processor = load_checkpoint(train(recipe, [annotated], tmp_path / "run", init=first, show=False).checkpoint)
    old, _ = load_checkpoint(first)
    assert new.config.text_tokens == train_text_tokenizer().get_vocab_size() > small.get_vocab_size()
    theirs, ours = small.get_vocab(), processor.tokenizer.get_vocab()
    shared = [token for token in theirs if token in ours]
    assert any(theirs[token] != ours[token] for token in shared)
    rows = new.tables().text_in[[ours[token] for token in shared]]
    torch.testing.assert_close(rows, old.tables().text_in[[theirs[token] for token in shared]], atol=1e-3, rtol=1e-2)
    torch.testing.assert_close(new.tables().special_in, old.tables().special_in, atol=1e-2, rtol=1e-2)


def test_an_adapters_run_leaves_the_adapter_and_goes_on(annotated, tmp_path, tiny_architecture):
    still = {"total_samples": 9, "batch_size": 9, "learning_rate": 1e-3}
    base = train(recipe_for("c2f", tiny_architecture, **still), [annotated], tmp_path / "a", show=False).checkpoint
    recipe = Recipe(**{**CALM, **still, "total_samples": 27}, lora_rank=2, lora_dropout=0.0)

    def stop(report):
        raise KeyboardInterrupt

    train(recipe, [annotated], tmp_path / "b", init=base, show=False, on_step=stop)
    result = train(recipe, [annotated], tmp_path / "b", True, show=False)
    assert result.samples == 27
    report = merge(tmp_path / "b" / "adapter", tmp_path / "merged")
    merged, trained, before = (load_checkpoint(path)[0] for path in (report.checkpoint, result.checkpoint, base))
    word = "model.language_model.embed_tokens.weight"
    torch.testing.assert_close(merged.state_dict()[word], trained.state_dict()[word])
    assert not torch.equal(trained.tables().special_in, before.tables().special_in)


def test_regression_cannot_describe_actions(tiny, annotated, tmp_path, tiny_architecture):
    with pytest.raises(ConfigurationError, match="understanding_coin"):
        recipe = recipe_for("baseline", tiny_architecture, total_samples=9, understanding_coin=0.5)
        train(recipe, [annotated], tmp_path / "run", show=False)


def test_divergence_is_an_error_and_leaves_the_weights(tiny, annotated):
    model, processor = tiny
    recipe = Recipe(total_samples=1, batch_size=4, dtype="float32")
    batch = make_batch(Mixture([DataSource(annotated)], VIEW), processor, recipe, 0)
    engine = ThreadShards(recipe, Objective(recipe, model))
    before = model.slot_embedding.detach().clone()
    batch.generation.driving.pixel_values[:] = float("nan")
    with pytest.raises(ConfigurationError, match="diverged"):
        engine.step(batch, 1e-3)
    assert torch.equal(model.slot_embedding, before)
    engine.close()


def test_presets_are_merged_and_settings_go_over_them():
    recipe = command.recipe_from(
        ["architecture={text_layers: 4}", "softmax_over=actions"], ["paper", "token"], total_samples=5, threads=1
    )
    assert recipe.architecture["action_head"] == "autoregressive" and recipe.architecture["text_layers"] == 4
    assert recipe.learning_rate == 1e-4 and recipe.understanding_coin == 0.0 and recipe.softmax_over == "actions"
    assert command.recipe_from([], ["paper"]).total_samples == 30 * 955_999
    assert command.recipe_from([], ["paper"], total_seconds=60.0).total_samples is None
    with pytest.raises(ConfigurationError, match="c2f"):
        preset_values(["c3f"])


def test_figures_name_the_total(tiny, annotated):
    model, processor = tiny
    recipe = Recipe(total_samples=1, batch_size=6, dtype="float32")
    batch = make_batch(Mixture([DataSource(annotated)], VIEW), processor, recipe, 1)
    figures = Objective(recipe, model)(batch)
    parts = 0.5 * (figures["goal"] + figures["fine"]) + figures["text"] + 2.0 * figures["auxiliary"]
    torch.testing.assert_close(figures[TOTAL], parts + figures.get("understanding", 0.0))
