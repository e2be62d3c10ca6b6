"""Several pairs of end points in one batch, and the best plan of them."""

import numpy as np
import pytest
import torch

from linkvla.model.decoding import act, coarse_to_fine, hypotheses
from linkvla.model.decoding.decoded import goal_scores
from linkvla.model.decoding.prefix import begin
from linkvla.model.interface.errors import ConfigurationError
from linkvla.model.processing_linkvla import Query

COUNT = 5


@pytest.fixture
def batch(tiny):
    _, processor = tiny
    rng = np.random.default_rng(3)
    views = rng.integers(0, 255, (3, 64, 128, 3), dtype=np.uint8)
    points = rng.normal(size=(3, 2, 2)) * 10
    styles = ("both", "command", "target_point")
    return processor.batch(views, [Query(3.0, p, 1, 4, 23.0, navigation=s) for p, s in zip(points, styles)])


@torch.no_grad()
def test_one_hypothesis_is_plain_decoding(tiny, batch):
    model, _ = tiny
    plain = act(model, begin(model, batch))
    one = hypotheses.decode(model, begin(model, batch), None, 1)
    assert torch.equal(plain.points, one.points) and torch.equal(one.hypothesis, torch.zeros(3, dtype=torch.int64))


@torch.no_grad()
def test_the_taken_plan_is_the_most_probable_of_all_refined_alone(tiny, batch, monkeypatch):
    model, _ = tiny
    # A first pass that can hardly choose, so that the second has a say.
    monkeypatch.setattr(hypotheses, "look_ahead", lambda *given: 0.02 * coarse_to_fine.look_ahead(*given))
    grid = model.action_tokenizer
    prefix = begin(model, batch)
    taken = act(model, prefix, mode="hard", candidates=COUNT)
    assert prefix.passes == 2

    cells, scores = hypotheses.peaks(grid, goal_scores(model, taken.goal_logits, "hard"), COUNT)
    ends, best = grid.decode(cells), torch.full((3,), -torch.inf)
    points = torch.zeros(3, 30, 2)
    sums = (scores[:, 0, :, None] + scores[:, 1, None, :]).flatten(1)
    threshold = sums.topk(COUNT).values[:, -1]
    for path in range(COUNT):
        for waypoint in range(COUNT):
            pair = torch.stack([ends[:, 0, path], ends[:, 1, waypoint]], dim=1)
            alone = coarse_to_fine.decode(model, begin(model, batch), "hard", end_points=pair)
            goals = scores[:, 0, path] + scores[:, 1, waypoint]
            total = goals + alone.fine_logits.log_softmax(-1).amax(-1).mean(-1)
            better = (total > best) & (goals >= threshold)
            best, points = torch.where(better, total, best), torch.where(better[:, None, None], alone.points, points)
    torch.testing.assert_close(taken.points, points)
    assert bool((taken.hypothesis > 0).any()), "the test needs other random weights"


def test_candidates_are_peaks_that_lie_apart(tiny):
    model, _ = tiny
    grid = model.action_tokenizer
    here, there = torch.tensor([[10.0, 0.0], [10.0, 5.0]])
    label = 0.7 * grid.soft_labels(here) + 0.3 * grid.soft_labels(there)
    cells, scores = hypotheses.peaks(grid, (label + 1e-9).log().expand(1, 2, -1), 3)
    assert cells[0, :, :2].tolist() == [grid.encode(torch.stack([here, there])).tolist()] * 2
    assert bool((scores[0, :, 0] > scores[0, :, 1]).all()) and float(scores[0, 0, 2]) < -15


@torch.no_grad()
@pytest.mark.parametrize(("head", "count"), [("autoregressive", 2), ("regression", 3), ("coarse_to_fine", 0)])
def test_a_head_that_has_no_hypotheses_says_so(tiny, batch, head, count):
    model, _ = tiny
    model.config.action_head = head
    with pytest.raises(ConfigurationError, match=f"got {count} with {head}"):
        act(model, begin(model, batch), candidates=count)
