"""Each allowed attention implementation gets a mask it understands; the others are refused."""

import numpy as np
import pytest
import torch

from linkvla.model.decoding import autoregressive, coarse_to_fine, decode
from linkvla.model.decoding.decoded import goal_scores
from linkvla.model.interface.errors import ConfigurationError
from linkvla.model.modeling_linkvla import ATTENTION_IMPLEMENTATIONS
from linkvla.model.processing_linkvla import Query
from linkvla.model.prompts import instruction_turn


@pytest.fixture
def samples():
    """Views and queries whose prompts differ in length."""
    rng = np.random.default_rng(2)
    views = rng.integers(0, 255, (2, 64, 128, 3), dtype=np.uint8)
    points = rng.normal(size=(2, 2, 2)) * 10
    return views, [Query(3.0, p, 1, 4, 23.0, navigation=s) for p, s in zip(points, ("both", "target_point"))]


@pytest.fixture(params=ATTENTION_IMPLEMENTATIONS)
def attentive(request, tiny):
    model, processor = tiny
    model.set_attn_implementation(request.param)
    assert model.model.language_model.config._attn_implementation == request.param
    return model, processor


@torch.no_grad()
def test_two_cached_passes_equal_one_forward(attentive, samples):
    model, processor = attentive
    batch = processor.batch(*samples)
    decoded = decode(model, batch)
    whole = coarse_to_fine.one_shot(
        model, batch, model.action_tokenizer.expectation(goal_scores(model, decoded.goal_logits))
    )
    score = whole.tables.score_actions
    torch.testing.assert_close(decoded.goal_logits, score(whole.goals), atol=2e-5, rtol=0)
    torch.testing.assert_close(decoded.fine_logits, score(whole.fine), atol=2e-5, rtol=0)


@torch.no_grad()
def test_thirty_cached_passes_equal_one_forward(attentive, samples):
    model, processor = attentive
    model.config.action_head = "autoregressive"
    batch = processor.batch(*samples)
    decoded = decode(model, batch, mode="hard")
    whole = autoregressive.one_shot(model, batch, decoded.points)
    torch.testing.assert_close(decoded.fine_logits, whole.tables.score_actions(whole.fine), atol=2e-5, rtol=0)


@torch.no_grad()
def test_what_sees_what(attentive, samples):
    model, processor = attentive
    batch = processor.batch(*samples)
    ends = torch.tensor([[[19.0, 0.0], [10.0, 0.0]]]).expand(2, -1, -1)
    moved = ends + torch.tensor([[[0.0, 0.0], [10.0, 5.0]]])  # changes the last ten coarse tokens only
    a, b = coarse_to_fine.one_shot(model, batch, ends), coarse_to_fine.one_shot(model, batch, moved)
    assert torch.equal(a.hidden.prefix, b.hidden.prefix) and torch.equal(a.goals, b.goals)
    assert float((a.fine[:, 0] - b.fine[:, 0]).abs().max()) > 1e-4
    batch.input_ids[:, -1] = 7  # the last token before the block: nothing earlier may notice
    c = coarse_to_fine.one_shot(model, batch, ends)
    assert torch.equal(a.hidden.prefix[:, -2], c.hidden.prefix[:, -2])
    assert float((a.hidden.prefix[:, -1] - c.hidden.prefix[:, -1]).abs().max()) > 1e-4


@torch.no_grad()
def test_implementations_agree(tiny, samples):
    model, processor = tiny
    batch = processor.batch(*samples)
    logits = []
    for implementation in ATTENTION_IMPLEMENTATIONS:
        model.set_attn_implementation(implementation)
        logits.append(decode(model, batch).fine_logits)
    torch.testing.assert_close(logits[0], logits[1], atol=2e-5, rtol=0)


@torch.no_grad()
@pytest.mark.parametrize("implementation", ["flash_attention_2", "flex_attention"])
def test_an_implementation_without_such_masks_is_refused(tiny, samples, implementation):
    model, processor = tiny
    model.model.language_model.config._attn_implementation = implementation
    with pytest.raises(ConfigurationError, match=f"sdpa, eager.*{implementation}"):
        decode(model, processor.batch(*samples))


@torch.no_grad()
def test_two_instructions_and_two_images_give_other_logits(attentive):
    model, processor = attentive
    points = np.zeros((4, 2, 2))
    views = np.zeros((4, 64, 128, 3), np.uint8)
    views[2:] = 255
    wishes = ["stop now", "drive faster"]
    turns = [instruction_turn(5.0, processor.navigation(Query(5.0, points[0])), wish, safety=False) for wish in wishes]
    logits = decode(model, processor.encode(views, turns * 2, points)).fine_logits
    for n, m in ((0, 1), (2, 3), (0, 2), (1, 3)):
        assert float((logits[n] - logits[m]).abs().amax(-1).min()) > 1e-4
