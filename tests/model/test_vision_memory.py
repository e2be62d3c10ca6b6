"""A frozen vision tower's memory: what it gives is what the tower gives, it is bounded, and never out of date."""

from functools import partial

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from linkvla.model.interface.errors import ConfigurationError
from linkvla.model.training.batches import _colours
from linkvla.model.training.recipe import Recipe
from linkvla.model.training.trainer import train
from linkvla.model.training.vision_memory import VisionMemory


class Tower(torch.nn.Linear):
    """Counts the pictures that it has to see."""

    def __init__(self):
        super().__init__(12, 4)
        self.seen = 0

    def forward(self, pixel_values):
        self.seen += len(pixel_values)
        output = super().forward(pixel_values.flatten(1))[:, None]
        return type("Output", (), {"last_hidden_state": output})


PICTURES = torch.randn(6, 3, 2, 2, generator=torch.Generator().manual_seed(0))


@settings(max_examples=40, deadline=None)
@given(st.lists(st.lists(st.integers(0, 5), min_size=1, max_size=6), max_size=8), st.integers(0, 6))
def test_it_gives_what_the_tower_gives_within_its_bounds(batches, room):
    tower, memory = Tower(), VisionMemory(limit=16 * room)  # a picture's features take 16 bytes
    for batch in batches:
        torch.testing.assert_close(memory(tower, PICTURES[batch]), tower(PICTURES[batch]).last_hidden_state)
        assert len(memory) <= room and memory.bytes == 16 * len(memory)


def test_a_picture_is_seen_once():
    tower, memory = Tower(), VisionMemory(limit=1000)
    memory(tower, PICTURES[[0, 1, 0]])
    memory(tower, PICTURES[:3])
    assert tower.seen == 3 and (memory.found, memory.asked) == (2, 6)


def test_the_smallest_change_makes_another_picture():
    tower, memory = Tower(), VisionMemory(limit=1000)
    memory(tower, PICTURES)
    other = PICTURES.clone()
    other[2, 1, 0, 1] = torch.nextafter(other[2, 1, 0, 1], torch.tensor(9.0))
    memory(tower, other)
    assert tower.seen == 7


@pytest.mark.parametrize("change", ["in place", "loaded", "other"])
def test_other_weights_are_noticed(change):
    tower, memory = Tower(), VisionMemory(limit=1000)
    memory(tower, PICTURES)
    if change == "in place":
        with torch.no_grad():
            tower.bias.add_(1.0)
    elif change == "loaded":
        tower.load_state_dict(Tower().state_dict())
    else:
        tower = Tower()
    torch.testing.assert_close(memory(tower, PICTURES), tower(PICTURES).last_hidden_state)


def _note(kept, report):
    kept.append(report.figures)


def test_a_run_with_it_has_the_losses_of_one_without(record_folder, tmp_path, tiny_architecture):
    folder = record_folder(6)
    losses = {}
    for gigabytes in (0.0, 1.0):
        recipe = Recipe(total_samples=96, batch_size=6, architecture=tiny_architecture, dtype="float32", threads=2,
                        train_vision=False, vision_memory_gb=gigabytes, picture_versions=2)  # fmt: skip
        kept = losses[gigabytes] = []
        note = partial(_note, kept)
        train(recipe, [folder], tmp_path / str(gigabytes), show=False, on_step=note)
    for one, other in zip(losses[0.0], losses[1.0], strict=True):
        assert one == pytest.approx(other, rel=1e-3)


def test_pictures_come_in_so_many_versions():
    views = np.zeros((400, 8, 16, 3), np.uint8)
    recipe = Recipe(total_samples=1, picture_versions=3)
    gain, _ = _colours(views, recipe, np.random.default_rng(0))
    again, _ = _colours(views, recipe, np.random.default_rng(1))
    assert len(np.unique(np.concatenate([gain, again]), axis=0)) == 3


@pytest.mark.parametrize("settings_", [
    {"picture_versions": 1}, {"train_vision": False}, {"train_vision": False, "picture_versions": 1, "engine": "fsdp"},
    {"train_vision": False, "picture_versions": -1},
])  # fmt: skip
def test_what_would_find_nothing_is_refused(settings_):
    with pytest.raises(ConfigurationError):
        Recipe(total_samples=1, vision_memory_gb=1.0, **settings_)
