"""Two-pass decoding against one forward, padding, and what sees what."""

import numpy as np
import pytest
import torch

from linkvla.model.decoding import begin, coarse_to_fine, decode
from linkvla.model.decoding.coarse_to_fine import coarse_line, one_shot
from linkvla.model.decoding.decoded import goal_scores
from linkvla.model.processing_linkvla import Query


@pytest.fixture
def samples():
    rng = np.random.default_rng(1)
    views = rng.integers(0, 255, (3, 64, 128, 3), dtype=np.uint8)
    points = rng.normal(size=(3, 2, 2)) * 10
    styles = ("both", "command", "target_point")
    return views, [Query(3.0, p, 1, 4, 23.0, navigation=style) for p, style in zip(points, styles)]


@torch.no_grad()
def test_two_cached_passes_equal_one_forward(tiny, samples):
    model, processor = tiny
    batch = processor.batch(*samples)
    decoded = decode(model, batch)
    whole = one_shot(model, batch, model.action_tokenizer.expectation(goal_scores(model, decoded.goal_logits)))
    score = whole.tables.score_actions
    torch.testing.assert_close(decoded.goal_logits, score(whole.goals), atol=1e-5, rtol=0)
    torch.testing.assert_close(decoded.fine_logits, score(whole.fine), atol=1e-5, rtol=0)


@torch.no_grad()
def test_a_padded_batch_decodes_as_its_samples_alone(tiny, samples):
    model, processor = tiny
    views, queries = samples
    together = decode(model, processor.batch(views, queries))
    for n, query in enumerate(queries):
        alone = decode(model, processor.batch(views[n : n + 1], [query]))
        torch.testing.assert_close(together.fine_logits[n], alone.fine_logits[0], atol=2e-5, rtol=0)


@torch.no_grad()
def test_refined_tokens_see_one_another_and_the_prefix_does_not_see_them(tiny, samples):
    model, processor = tiny
    batch = processor.batch(*samples)
    ends = torch.tensor([[[19.0, 0.0], [10.0, 0.0]]]).expand(3, -1, -1)
    moved = ends.clone()
    moved[:, 1] = torch.tensor([20.0, 5.0])  # changes the last ten coarse tokens only
    a, b = one_shot(model, batch, ends), one_shot(model, batch, moved)
    assert torch.equal(a.goals, b.goals)
    assert float((a.fine[:, 0] - b.fine[:, 0]).abs().max()) > 1e-4


@torch.no_grad()
def test_image_and_target_points_matter(tiny, samples):
    model, processor = tiny
    views, queries = samples
    base = decode(model, processor.batch(views, queries)).goal_logits
    dark = decode(model, processor.batch(np.zeros_like(views), queries)).goal_logits
    assert float((base - dark).abs().amax(-1).min()) > 1e-4
    moved = [Query(3.0, q.target_points_in_ego + 5.0, 1, 4, 23.0, navigation=q.navigation) for q in queries]
    change = (base - decode(model, processor.batch(views, moved)).goal_logits).abs().amax((-1, -2))
    assert change[0] > 1e-4 and change[2] > 1e-4
    assert float(change[1]) == 0.0  # command only: the points are not in the prompt


def test_the_coarse_line_is_the_papers():
    ends = torch.tensor([[[20.0, 10.0], [5.0, 0.0]]])
    line = coarse_line(ends)
    torch.testing.assert_close(line[0, 0], torch.tensor([1.0, 0.5]))
    torch.testing.assert_close(line[0, 19], ends[0, 0])
    torch.testing.assert_close(line[0, 20:, 0], torch.arange(1, 11) * 0.5)


@torch.no_grad()
def test_hard_decoding_gives_cell_centres(tiny, samples):
    model, processor = tiny
    points = decode(model, processor.batch(*samples), mode="hard").points
    grid = model.action_tokenizer
    torch.testing.assert_close(grid.decode(grid.encode(points)), points)


@torch.no_grad()
def test_a_causal_refinement_looks_back_only_in_both_forms(tiny, samples):
    model, processor = tiny
    model.config.refinement = "causal"
    batch = processor.batch(*samples)
    ends = torch.tensor([[[19.0, 0.0], [10.0, 0.0]]]).expand(3, -1, -1)
    moved = ends.clone()
    moved[:, 1] = torch.tensor([20.0, 5.0])  # changes the last ten coarse tokens only
    a, b = one_shot(model, batch, ends), one_shot(model, batch, moved)
    assert torch.equal(a.fine[:, :20], b.fine[:, :20])
    assert float((a.fine[:, 20:] - b.fine[:, 20:]).abs().max()) > 1e-4
    cached = coarse_to_fine.decode(model, begin(model, batch), end_points=ends).fine_logits
    torch.testing.assert_close(cached, a.tables.score_actions(a.fine), atol=1e-5, rtol=0)
