"""The autoregressive and the regression decoder: cached against one forward, order, passes, padding."""

import numpy as np
import pytest
import torch

from linkvla.model.checkpoint_folder import load_checkpoint
from linkvla.model.configuration_linkvla import nano_config
from linkvla.model.decoding import autoregressive, coarse_to_fine, decode, regression
from linkvla.model.decoding.prefix import begin
from linkvla.model.interface.types import Observation
from linkvla.model.modeling_linkvla import LinkVLAForDriving
from linkvla.model.policy import LinkVLAPolicy
from linkvla.model.processing_linkvla import LinkVLAProcessor, Query
from linkvla.model.training.export import export

PASSES = {"coarse_to_fine": (coarse_to_fine, 2), "autoregressive": (autoregressive, 30), "regression": (regression, 1)}


@pytest.fixture
def headed(tokenizer, tiny_architecture):
    """Makes (model, processor) with one action head."""

    def make(head: str):
        torch.manual_seed(0)
        config = nano_config(tokenizer.get_vocab_size(), **tiny_architecture, action_head=head)
        model = LinkVLAForDriving(config).eval()
        model.reset_for_scratch()
        with torch.no_grad():
            model.get_input_embeddings().weight.normal_(std=0.2)
        return model, LinkVLAProcessor(config, tokenizer)

    return make


@pytest.fixture
def samples():
    rng = np.random.default_rng(1)
    views = rng.integers(0, 255, (3, 64, 128, 3), dtype=np.uint8)
    points = rng.normal(size=(3, 2, 2)) * 10
    styles = ("both", "command", "target_point")
    return views, [Query(3.0, p, 1, 4, 23.0, navigation=style) for p, style in zip(points, styles)]


@torch.no_grad()
@pytest.mark.parametrize("head", PASSES)
def test_forward_passes_of_the_language_model(headed, samples, head):
    model, processor = headed(head)
    decoder, expected = PASSES[head]
    prefix = begin(model, processor.batch(*samples))
    decoder.decode(model, prefix)
    assert prefix.passes == expected


@torch.no_grad()
@pytest.mark.parametrize("head", PASSES)
def test_a_padded_batch_decodes_as_its_samples_alone(headed, samples, head):
    model, processor = headed(head)
    views, queries = samples
    together = decode(model, processor.batch(views, queries), mode="hard").points
    assert together.shape == (3, 30, 2) and together.dtype == torch.float32
    for n, query in enumerate(queries):
        alone = decode(model, processor.batch(views[n : n + 1], [query]), mode="hard").points
        torch.testing.assert_close(together[n], alone[0], atol=1e-4, rtol=0)


@pytest.mark.parametrize("head", PASSES)
def test_every_head_drives_through_the_policy(headed, head):
    policy = LinkVLAPolicy(*headed(head), speak_every=1)
    plan = policy.predict(Observation(np.zeros((128, 256, 3), np.uint8), 5.0, np.array([[9.0, 0.0], [40.0, 2.0]])))
    assert plan.path_in_ego.shape == (20, 2) and plan.speed_waypoints_in_ego.shape == (10, 2)
    assert ("end_point_probability" in plan.diagnostics) == (head != "regression")


@torch.no_grad()
def test_autoregressive_decoding_with_a_cache_equals_one_forward_without(headed, samples):
    model, processor = headed("autoregressive")
    batch = processor.batch(*samples)
    decoded = decode(model, batch, mode="hard")
    whole = autoregressive.one_shot(model, batch, decoded.points)
    logits = whole.tables.score_actions(whole.fine)
    torch.testing.assert_close(decoded.fine_logits, logits, atol=2e-5, rtol=0)
    assert torch.equal(logits.argmax(-1), model.action_tokenizer.encode(decoded.points))


@torch.no_grad()
def test_each_autoregressive_point_depends_on_what_was_said_before_it_only(headed, samples):
    """Path end, then path from the ego on; waypoint end, then waypoints from the ego on."""
    model, processor = headed("autoregressive")
    batch = processor.batch(*samples)
    points = torch.rand(3, 30, 2) * 10
    base = autoregressive.one_shot(model, batch, points).fine
    order = [19, *range(19), 29, *range(20, 29)]
    assert list(autoregressive.ORDER) == order
    for turn, slot in enumerate(order):
        moved = points.clone()
        moved[:, slot] += 20.0
        change = (autoregressive.one_shot(model, batch, moved).fine - base).abs().amax((0, 2))
        assert float(change[order[: turn + 1]].max()) == 0.0
        assert turn == 29 or float(change[order[turn + 1 :]].min()) > 1e-6


@torch.no_grad()
def test_regression_with_a_cache_equals_one_forward_without(headed, samples):
    model, processor = headed("regression")
    batch = processor.batch(*samples)
    torch.testing.assert_close(decode(model, batch).points, regression.one_shot(model, batch).points)


def test_regression_learns_steps_and_its_heads_have_simlingos_shape(headed, samples):
    model, processor = headed("regression")
    shapes = [tuple(p.shape) for name, p in model.regression_head.named_parameters() if name.endswith("weight")]
    assert shapes == [(512, 64), (256, 512), (2, 256), (256, 64), (2, 256)]
    assert model.regression_head.path[-1].bias is None and model.regression_head.waypoints[-1].bias is None
    regression.one_shot(model, processor.batch(*samples)).points[:, 0].sum().backward()
    assert float(model.slot_embedding.grad[0].abs().max()) > 0  # the first point needs the first query,
    assert float(model.slot_embedding.grad[1:].abs().max()) == 0  # and no later one: causal, summed up


def test_only_a_regression_network_holds_regression_heads_and_its_folder_loads(headed, samples, tmp_path):
    assert not any("regression" in name for name in headed("autoregressive")[0].state_dict())
    model, processor = headed("regression")
    loaded, processor = load_checkpoint(export(model, processor, tmp_path / "baseline"))
    assert decode(loaded, processor.batch(*samples)).certainty is None
