"""A prefix that goes back: what was read after the point it returns to leaves no trace."""

import pytest
import torch

from linkvla.model.decoding import coarse_to_fine
from linkvla.model.decoding.prefix import advance, append, begin, rewind
from linkvla.model.interface.errors import ConfigurationError
from linkvla.model.processing_linkvla import Query


@pytest.fixture
def batch(tiny):
    rng = torch.Generator().manual_seed(0)
    views = torch.randint(0, 255, (2, 64, 128, 3), dtype=torch.uint8, generator=rng).numpy()
    targets = [[9.0, 1.0], [30.0, 4.0]]
    return tiny[1].batch(views, [Query(3.0, targets), Query(12.0, targets)])  # one is padded


@torch.inference_mode()
def test_a_rewound_prefix_goes_on_as_if_nothing_had_been_read(tiny, batch):
    model, _ = tiny
    prefix, fresh = begin(model, batch), begin(model, batch)
    advance(prefix), advance(fresh)
    length = prefix.length
    append(prefix, torch.randn(2, 5, 64))
    advance(prefix)
    append(prefix, torch.randn(2, 3, 64))  # pending, and forgotten too
    rewind(prefix, length)
    plans = [coarse_to_fine.decode(model, one) for one in (prefix, fresh)]
    torch.testing.assert_close(plans[0].fine_logits, plans[1].fine_logits, rtol=0, atol=1e-5)


@torch.inference_mode()
def test_a_prefix_cannot_be_rewound_to_what_it_has_not_read(tiny, batch):
    prefix = begin(tiny[0], batch)
    with pytest.raises(ConfigurationError, match="cannot go back to 1"):
        rewind(prefix, 1)
