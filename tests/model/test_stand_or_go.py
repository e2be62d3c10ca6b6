"""Standing and going are weighed as wholes before the best cell is taken."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from linkvla.model.decoding import coarse_to_fine, hypotheses
from linkvla.model.decoding.prefix import begin
from linkvla.model.decoding.stand_or_go import STANDS, weighed
from linkvla.model.processing_linkvla import Query
from linkvla.model.tokenizer.action_tokenizer import ActionTokenizer

GRID = ActionTokenizer(centre="continuous")
STANDING = torch.zeros(2)
PATH_END = torch.tensor([18.0, 2.0])


def goals(share_that_stands: float, going: torch.Tensor) -> torch.Tensor:
    """Logits (1, 2, cells): a car that stands with this probability, or comes to one of the points ``going``."""
    goes = GRID.soft_labels(going).mean(0)
    waypoints = share_that_stands * GRID.soft_labels(STANDING) + (1 - share_that_stands) * goes
    return torch.stack([GRID.soft_labels(PATH_END), waypoints]).add(1e-12).log()[None]


def anywhere(nearest: float = 3.0, farthest: float = 20.0) -> torch.Tensor:
    """Points ahead, (20, 2) metres."""
    return torch.stack([torch.linspace(nearest, farthest, 20), torch.zeros(20)], dim=-1)


def test_the_best_cell_stands_where_going_is_likelier_and_the_whole_goes():
    logits = goals(0.3, anywhere())
    best = GRID.decode(logits[:, 1].argmax(-1))
    assert float(best.norm()) < 0.1, "the test needs a likelier standing cell"
    assert float(GRID.expectation(weighed(logits, GRID))[0, 1].norm()) > STANDS


@settings(max_examples=60, deadline=None)
@given(st.floats(0.02, 0.98), st.floats(2.0, 10.0), st.floats(11.0, 45.0))
def test_what_is_likelier_is_done_and_the_path_is_left_alone(share, nearest, farthest):
    logits = goals(share, anywhere(nearest, farthest))
    scores = weighed(logits, GRID)
    ends = GRID.expectation(scores)[0]
    if abs(share - 0.5) > 0.01:
        assert (float(ends[1].norm()) < STANDS) == (share > 0.5)
    torch.testing.assert_close(scores[:, 0], logits[:, 0].log_softmax(-1))
    torch.testing.assert_close(ends[0], PATH_END, atol=0.1, rtol=0)


def test_what_is_left_keeps_its_probability():
    logits = goals(0.3, anywhere())
    scores, before = weighed(logits, GRID), logits.log_softmax(-1)
    left = torch.isfinite(scores)
    torch.testing.assert_close(scores[left], before[left])
    torch.testing.assert_close(scores[0, 1].exp().sum(), torch.tensor(0.7), atol=0.01, rtol=0)


@torch.no_grad()
@pytest.mark.parametrize("count", [1, 3])
def test_decoding_goes_where_going_is_likelier_and_the_papers_takes_the_best_cell(tiny, monkeypatch, count):
    model, processor = tiny
    monkeypatch.setattr(coarse_to_fine, "look_ahead", lambda *_: goals(0.3, anywhere()))
    monkeypatch.setattr(hypotheses, "look_ahead", lambda *_: goals(0.3, anywhere()))
    seen = []
    refine = coarse_to_fine.refine
    for module in (coarse_to_fine, hypotheses):
        monkeypatch.setattr(module, "refine", lambda *given: seen.append(given[2]) or refine(*given))
    views = torch.zeros(1, 64, 128, 3, dtype=torch.uint8).numpy()
    batch = processor.batch(views, [Query(0.0, torch.ones(2, 2).numpy(), 4, 4, 10.0)])
    for mode, goes in (("soft", True), ("hard", False)):
        seen.clear()
        if count == 1:
            coarse_to_fine.decode(model, begin(model, batch), mode)
        else:
            hypotheses.decode(model, begin(model, batch), mode, count)
        assert (float(seen[0][0, 1].norm()) > STANDS) == goes
