"""Batches made ahead of time: whoever makes them, they are the same, in the order of the steps."""

from contextlib import closing
from functools import partial
from itertools import islice
from multiprocessing import active_children

import pytest
import torch

from linkvla.model.interface.errors import DataError
from linkvla.model.training.batches import TrainingBatch, make_batch
from linkvla.model.training.mixture import DataSource, Mixture
from linkvla.model.training.reading import prepared
from linkvla.model.training.recipe import Recipe

VIEW = (64, 128)


def leaves(value):
    """All tensors of a batch, in order."""
    if isinstance(value, torch.Tensor):
        yield value
    elif hasattr(value, "__dict__"):
        for part in vars(value).values():
            yield from leaves(part)


def assert_equal(one: TrainingBatch, other: TrainingBatch) -> None:
    ours, theirs = list(leaves(one)), list(leaves(other))
    assert len(ours) == len(theirs) > 4 and one.counts == other.counts
    assert all(torch.equal(*pair) for pair in zip(ours, theirs))


def by_step(make, first, count, **readers):
    recipe = Recipe(total_samples=1, **readers)
    with closing(prepared(make, first, recipe)) as batches:
        return list(islice(batches, count))


def test_threads_keep_the_order_of_the_steps(tiny, record_folder):
    mixture, recipe = Mixture([DataSource(record_folder(12))], VIEW), Recipe(total_samples=1, batch_size=4)
    make = partial(make_batch, mixture, tiny[1], recipe)
    for step, batch in enumerate(by_step(make, 5, 9, readers=3), start=5):
        assert_equal(batch, make(step))


def gone(step: int) -> TrainingBatch:
    raise DataError(f"the disk has gone at step {step}")


def test_an_error_of_ours_arrives_as_it_was():
    with pytest.raises(DataError, match=r"^the disk has gone at step 3$"):
        by_step(gone, 3, 1)


class Until:
    """Batches before a step, from which on there are no data."""

    def __init__(self, make, step: int) -> None:
        self._make, self._step = make, step

    def __call__(self, step: int) -> TrainingBatch:
        return self._make(step) if step < self._step else gone(step)


@pytest.mark.system
def test_processes_make_the_batches_that_threads_make(tiny, record_folder, findable):
    """Two, so that they must take turns; what is wrong with the data is told in one line; afterwards none is left."""
    sources = [DataSource(record_folder(12)), DataSource(record_folder(5, "other", seed=1), share=0.4)]
    recipe = Recipe(total_samples=1, batch_size=4, seed=3, readers=2, reader_processes=True)
    make = partial(make_batch, Mixture(sources, VIEW), tiny[1], recipe)
    before = set(active_children())
    with closing(prepared(Until(make, 12), 7, recipe)) as batches:
        for step in range(7, 12):
            assert_equal(next(batches), make(step))
        with pytest.raises(DataError, match=r"^the disk has gone at step 12$"):
            next(batches)
    assert set(active_children()) <= before


class Vanishing:
    """A reader that the system takes away."""

    def __call__(self, step: int) -> TrainingBatch:
        raise SystemExit(9)


@pytest.mark.system
def test_a_reader_that_dies_is_told_of(findable):
    with pytest.raises(DataError, match=r"a reader process has died.*--resume"):
        by_step(Vanishing(), 0, 1, reader_processes=True)
