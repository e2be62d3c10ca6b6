"""The network of a process: loaded once, off its device when nobody drives."""

from __future__ import annotations

from typing import ClassVar

import pytest
import torch

from linkvla.agent import policy_shelf
from linkvla.agent.policy_shelf import borrow_policy, clear_shelf, give_back_policy, load_policy
from linkvla.agent.settings import AgentSettings
from linkvla.model.policy import LinkVLAPolicy


class Weights:
    """A policy that only knows where it is."""

    made: ClassVar[list[Weights]] = []

    def __init__(self, checkpoint: str, dtype: torch.dtype) -> None:
        self.checkpoint, self.dtype, self.device = checkpoint, dtype, "cpu"
        Weights.made.append(self)

    def move_to(self, device: str) -> None:
        self.device = device


class Borrower:
    """An agent."""


@pytest.fixture(autouse=True)
def empty_shelf(monkeypatch):
    monkeypatch.setattr(policy_shelf, "_shelf", policy_shelf._Shelf())
    Weights.made = []
    make = classmethod(lambda cls, checkpoint, *, dtype, **options: Weights(checkpoint, dtype))
    monkeypatch.setattr(LinkVLAPolicy, "from_pretrained", make)


def test_agents_of_one_process_share_the_weights_and_free_the_device_when_the_last_is_gone():
    settings, first, second = AgentSettings(device="cuda"), Borrower(), Borrower()
    weights = borrow_policy(settings, first)
    assert borrow_policy(settings, second) is weights
    give_back_policy(first)
    assert weights.device == "cuda"
    give_back_policy(second)
    give_back_policy(second)
    assert weights.device == "cpu"
    assert borrow_policy(settings, first) is weights and weights.device == "cuda"
    assert len(Weights.made) == 1


def test_a_borrower_that_was_never_destroyed_does_not_keep_the_device():
    settings, kept, lost = AgentSettings(device="cuda"), Borrower(), Borrower()
    borrow_policy(settings, lost)
    weights = borrow_policy(settings, kept)
    del lost
    give_back_policy(kept)
    assert weights.device == "cpu"


def test_who_only_looks_takes_no_device_and_drivers_find_what_was_loaded():
    settings = AgentSettings(device="cuda")
    assert load_policy(settings).device == "cpu"
    assert borrow_policy(settings, Borrower()) is Weights.made[0] and Weights.made[0].device == "cuda"
    clear_shelf()
    assert load_policy(settings) is Weights.made[1]


def test_other_settings_replace_the_weights():
    assert load_policy(AgentSettings()).checkpoint == "linkvla-nano"
    assert load_policy(AgentSettings(checkpoint="mine")).checkpoint == "mine"
    assert load_policy(AgentSettings(checkpoint="mine", probe="black-frames")) is Weights.made[-1]
    assert len(Weights.made) == 2


def test_the_weights_are_of_the_type_that_was_asked_for_or_that_suits_the_device(monkeypatch):
    assert load_policy(AgentSettings(dtype="float32")).dtype == torch.float32
    assert load_policy(AgentSettings(dtype="bfloat16")).dtype == torch.bfloat16
    for units, suited in (({"amx_bf16": True}, torch.bfloat16), ({"avx2": True}, torch.float32)):
        clear_shelf()
        monkeypatch.setattr(torch.cpu, "get_capabilities", lambda units=units: units, raising=False)
        assert load_policy(AgentSettings()).dtype == suited
    monkeypatch.delattr(torch.cpu, "get_capabilities")
    assert load_policy(AgentSettings()).dtype == torch.float32


@pytest.mark.skipif(torch.cuda.is_available(), reason="is about a machine without a GPU")
def test_a_device_that_is_not_there_has_no_matrix_units():
    for device in ("cuda", "cuda:0", "abacus"):
        assert load_policy(AgentSettings(device=device)).dtype == torch.float32


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_the_memory_of_the_gpu_is_free_between_the_routes(monkeypatch):
    monkeypatch.undo()
    monkeypatch.setattr(policy_shelf, "_shelf", policy_shelf._Shelf())
    before, driver = torch.cuda.memory_reserved(), Borrower()
    borrow_policy(AgentSettings(device="cuda"), driver)
    assert torch.cuda.memory_allocated() > 0
    give_back_policy(driver)
    assert torch.cuda.memory_reserved() <= before
