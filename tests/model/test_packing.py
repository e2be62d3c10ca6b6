"""Batches without padding give what padded batches give: losses, gradients, and the same samples one by one."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from linkvla.model.data.sample import Annotations, Sample
from linkvla.model.packing import PACKED, Packing
from linkvla.model.training.batches import teach
from linkvla.model.training.engine import TOTAL
from linkvla.model.training.objectives.objective import Objective
from linkvla.model.training.recipe import Recipe

VIEW = (64, 128)


@settings(max_examples=25, deadline=None)
@given(st.lists(st.lists(st.booleans(), min_size=5, max_size=5), min_size=1, max_size=4), st.integers(1, 3))
def test_packing_and_unpacking_are_each_others_inverse_and_gradient(rows, width):
    valid = torch.tensor(rows)
    packing = Packing.of(valid, valid[:, None, None])
    padded = torch.randn(*valid.shape, width, dtype=torch.float64, requires_grad=True)
    row = packing.pack(padded)
    assert torch.equal(row, padded[valid])
    assert torch.equal(packing.unpack(row), padded * valid[..., None])
    torch.autograd.gradcheck(lambda x: packing.unpack(packing.pack(x) ** 2), padded)


def samples(count):
    """Frames with commentaries of different lengths."""
    rng = np.random.default_rng(3)
    for n in range(count):
        ahead = np.arange(20.0) * (0.5 + 0.1 * n)
        path = np.stack([ahead, 0.01 * n * ahead**2], axis=-1).astype(np.float32)
        view = rng.integers(0, 255, (*VIEW, 3), dtype=np.uint8)
        remark = Annotations(" ".join(["Go on."] * (1 + 3 * n)))
        yield Sample(view, path, path[:10], 3.0, path[[9, 19]], 4, 4, 5.0, remark)


@pytest.mark.parametrize("refinement", ["bidirectional", "causal"])
def test_packed_losses_and_gradients_are_those_of_the_padded_batch(tiny, refinement):
    model, processor = tiny
    model.config.refinement = refinement
    model.train()
    recipe = Recipe(total_samples=1, driving_share=0.0, commentary_share=1.0, commentary_given_share=0.0,
                    question_share=0.0, dreaming_share=0.0, dtype="float32")  # fmt: skip
    objective = Objective(recipe, model)
    batch = teach(list(samples(10)), processor, recipe, np.random.default_rng(1))
    assert not batch.generation.driving.valid.all() and batch.understanding is not None

    def run():
        objective.zero_grad()
        figures = objective(batch)
        figures[TOTAL].backward()
        gradients = {name: p.grad.clone() for name, p in objective.named_parameters() if p.grad is not None}
        return {name: float(value.detach()) for name, value in figures.items()}, gradients

    padded = run()
    model.set_attn_implementation({"text_config": PACKED})
    packed = run()
    assert packed[0] == pytest.approx(padded[0], rel=1e-5)
    assert packed[1].keys() == padded[1].keys()
    for name, gradient in padded[1].items():
        torch.testing.assert_close(packed[1][name], gradient, atol=2e-5, rtol=1e-3, msg=name)
