"""LoRA on a tiny network with separate input and output tables: what moves, what stays, what is refused."""

import pytest
import torch
from torch import nn
from torch.nn import functional

from linkvla.model.decoding.coarse_to_fine import one_shot
from linkvla.model.interface.errors import ConfigurationError
from linkvla.model.modeling_linkvla import LinkVLAForDriving
from linkvla.model.processing_linkvla import Query
from linkvla.model.training.lora import (
    LoraSettings,
    PlainTable,
    apply_lora,
    own_action_tables,
    plain_state,
    require_trainable_tables,
    trained_tensors,
)

SMALL = LoraSettings(rank=4, alpha=8, dropout=0.0)
PROJECTIONS = ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj")


def batch_of(processor):
    generator = torch.Generator().manual_seed(3)
    views = torch.randint(0, 255, (2, *processor.config.view_shape, 3), generator=generator, dtype=torch.uint8)
    points = [[[10.0, 1.0], [30.0, 4.0]], [[12.0, -2.0], [40.0, -9.0]]]
    return processor.batch(views.numpy(), [Query(4.0, points[0]), Query(0.0, points[1])])


def loss_of(model, batch):
    """Something that reads both tables: driving scores, and text scores of the prompt."""
    run = one_shot(model, batch, batch.target_points)
    wanted = torch.arange(30) + 40
    score = run.tables.score_actions(run.fine)
    text = run.tables.score_vocabulary(run.hidden.prefix[:, -9:-1])
    goals = run.tables.score_actions(run.goals)
    return (
        functional.cross_entropy(score.flatten(0, 1), wanted.repeat(len(score)))
        + functional.cross_entropy(goals.flatten(0, 1), torch.tensor([5, 9, 5, 9]))
        + functional.cross_entropy(text.flatten(0, 1), batch.input_ids[:, -8:].flatten())
    )


def descend(model, processor, steps=3):
    batch = batch_of(processor)
    optimizer = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], lr=1e-2)
    model.train()
    for _ in range(steps):
        optimizer.zero_grad()
        loss_of(model, batch).backward()
        optimizer.step()
    model.eval()


def test_adapters_change_nothing_until_they_are_trained(untied):
    model, processor = untied
    batch = batch_of(processor)
    with torch.no_grad():
        before = loss_of(model, batch)
        apply_lora(model, SMALL)
        torch.testing.assert_close(loss_of(model, batch), before, atol=1e-5, rtol=0)


def test_only_the_language_model_gets_adapters(untied):
    model, _ = untied
    apply_lora(model, SMALL)
    adapted = {name.split(".lora_A")[0] for name, _ in model.named_parameters() if ".lora_A." in name}
    layers = [f"model.language_model.layers.{n}" for n in range(len(model.model.language_model.layers))]
    expected = {
        f"{layer}.{'mlp' if name.split('_')[0] in ('gate', 'up', 'down') else 'self_attn'}.{name}"
        for layer in layers
        for name in PROJECTIONS
    }
    assert adapted == expected
    assert any(name.endswith("q_proj.weight") for name, _ in model.model.vision_tower.named_parameters())


def test_a_few_steps_move_both_action_tables_and_leave_the_frozen_rows(untied):
    model, processor = untied
    apply_lora(model, SMALL)
    before = {name: tensor.detach().clone() for name, tensor in model.named_parameters()}
    descend(model, processor)
    moved = {name for name, tensor in model.named_parameters() if not torch.equal(tensor, before[name])}
    assert {"action_tables.input.rows", "action_tables.output.rows"} <= moved
    frozen = {name for name, parameter in model.named_parameters() if not parameter.requires_grad}
    assert {"model.language_model.embed_tokens.weight", "lm_head.weight"} <= frozen
    assert not moved & frozen
    assert {name for name in before if ".lora_" in name} <= moved
    assert any(name.startswith("model.vision_tower.") for name in moved)
    assert any(name.startswith("model.multi_modal_projector.") for name in moved)
    assert {"slot_embedding", "tile_embedding"} <= moved


def test_a_frozen_vision_encoder_stays_and_its_projector_moves(untied):
    model, processor = untied
    apply_lora(model, LoraSettings(rank=2, train_vision=False))
    before = {name: tensor.detach().clone() for name, tensor in model.named_parameters()}
    descend(model, processor, steps=1)
    moved = {name for name, tensor in model.named_parameters() if not torch.equal(tensor, before[name])}
    assert not any(name.startswith("model.vision_tower.") for name in moved)
    assert "model.multi_modal_projector.linear_1.weight" in moved
    assert not any("vision_tower" in name for name in trained_tensors(model))


def test_a_tied_network_has_one_table_for_both_sides(tiny):
    model, processor = tiny
    apply_lora(model, SMALL)
    assert list(model.action_tables) == ["input"]
    tables = model.tables()
    assert tables.special_in is tables.special_out
    before = model.action_tables["input"].rows.detach().clone()
    descend(model, processor, steps=1)
    assert not torch.equal(model.action_tables["input"].rows, before)


def test_the_plain_state_is_the_same_network_without_adapters(untied):
    model, processor = untied
    names = set(model.state_dict())
    apply_lora(model, SMALL)
    descend(model, processor)
    state = plain_state(model)
    assert {name for name in state if not name.startswith("action_tables.")} == names
    plain = LinkVLAForDriving(model.config).eval()
    own_action_tables(plain)
    plain.load_state_dict(state)
    batch = batch_of(processor)
    with torch.no_grad():
        torch.testing.assert_close(loss_of(plain, batch), loss_of(model, batch), atol=1e-4, rtol=1e-5)


def test_an_output_table_that_would_stay_random_is_refused(untied):
    model, _ = untied
    rows = model.tables().special_in
    model.requires_grad_(False)
    model.action_tables = nn.ModuleDict({"input": PlainTable(rows)})
    with pytest.raises(ConfigurationError, match="output side"):
        require_trainable_tables(model)
    model.action_tables = nn.ModuleDict({"input": PlainTable(rows), "output": PlainTable(rows).requires_grad_(False)})
    with pytest.raises(ConfigurationError, match="output side are frozen"):
        require_trainable_tables(model)
    model.action_tables = None
    with pytest.raises(ConfigurationError, match="input side are frozen"):
        require_trainable_tables(model)
    own_action_tables(model)
    require_trainable_tables(model)


def test_adapters_are_not_put_on_adapters(untied):
    model, _ = untied
    apply_lora(model, SMALL)
    with pytest.raises(ConfigurationError, match="already"):
        apply_lora(model, SMALL)


@pytest.mark.parametrize("settings", [{"rank": 0}, {"alpha": 0}, {"dropout": 1.0}, {"dropout": float("nan")}])
def test_settings_are_checked(settings):
    with pytest.raises(ConfigurationError):
        LoraSettings(**settings)
