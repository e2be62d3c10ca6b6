"""What a network is taught in."""

import pytest
import torch

from linkvla.model.interface.errors import ConfigurationError
from linkvla.model.precision import autocast
from linkvla.model.training.recipe import Recipe


@pytest.mark.parametrize(
    ("name", "units", "kind"),
    [
        ("float32", True, torch.float32),
        ("bfloat16", False, torch.bfloat16),
        ("auto", True, torch.bfloat16),
        ("auto", False, torch.float32),  # where bfloat16 is emulated, a step takes eight times as long
    ],
)
def test_products_are_in_what_was_asked_for_or_suits_the_device(name, units, kind, monkeypatch):
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"amx_bf16": units}, raising=False)
    with autocast(name, "cpu"):
        assert (torch.eye(2) @ torch.eye(2)).dtype is kind


def test_a_recipe_takes_no_other_numbers():
    with pytest.raises(ConfigurationError, match="dtype must be one of auto, float32, bfloat16"):
        Recipe(total_samples=1, dtype="float16")
