"""The mean of two networks of one line."""

import pytest
import torch

from linkvla.model.checkpoint_folder import load_checkpoint
from linkvla.model.interface.errors import CheckpointError, ConfigurationError
from linkvla.model.training.averaging import average
from linkvla.model.training.export import export


@pytest.fixture
def two(tiny, tmp_path):
    """A network, and the same after something was added to all its weights."""
    model, processor = tiny
    first = export(model, processor, tmp_path / "first", torch.float32)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.5)
    return first, export(model, processor, tmp_path / "second", torch.float32)


def test_each_weight_is_the_weighted_mean_by_shares_of_any_sum(two, tmp_path):
    first, second = (load_checkpoint(folder)[0].state_dict() for folder in two)
    found = load_checkpoint(average([(two[0], 1.0), (two[1], 3.0)], tmp_path / "mean"))[0].state_dict()
    for name, tensor in found.items():
        torch.testing.assert_close(tensor, 0.25 * first[name] + 0.75 * second[name], atol=0.01, rtol=0.01)


def test_what_has_no_mean_is_refused_and_nothing_is_written(two, tiny, tmp_path):
    model, processor = tiny
    model.config.decode = "hard"
    stranger = export(model, processor, tmp_path / "stranger")
    out = tmp_path / "mean"
    with pytest.raises(CheckpointError, match="differ in their configuration"):
        average([(two[0], 1.0), (stranger, 1.0)], out)
    with pytest.raises(ConfigurationError, match="two checkpoints or more"):
        average([(two[0], 1.0)], out)
    for share in (0.0, -1.0, float("nan")):
        with pytest.raises(ConfigurationError, match="must be positive"):
            average([(two[0], 1.0), (two[1], share)], out)
    assert not out.exists()
