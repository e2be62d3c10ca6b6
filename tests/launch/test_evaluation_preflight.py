"""What is checked before an evaluation starts anything."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from linkvla.agent import policy_shelf
from linkvla.launch.evaluation.evaluate_settings import EvaluateSettings
from linkvla.launch.evaluation.preflight import check_agent
from linkvla.model.interface.errors import ConfigurationError
from linkvla.model.policy import LinkVLAPolicy

ROUTES = Path("routes.xml")


@pytest.fixture
def asked_for(monkeypatch: pytest.MonkeyPatch) -> list[dict]:
    """The options that policies are loaded with, on a machine with one graphics card."""
    found: list[dict] = []

    def load(checkpoint: str, **options: object) -> object:
        found.append(options)
        return SimpleNamespace(camera=SimpleNamespace(x=-1.5, y=0.0, z=2.0, width=64, height=32, fov=110.0))

    monkeypatch.setattr(LinkVLAPolicy, "from_pretrained", load)
    monkeypatch.setattr(policy_shelf, "_shelf", policy_shelf._Shelf())
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    return found


def test_the_network_is_looked_at_without_taking_the_graphics_card(asked_for: list[dict]):
    sensors = check_agent(EvaluateSettings(ROUTES, devices=("cuda:0",)))
    assert sensors[0] == "sensor.camera.rgb" and len(sensors) == 4
    assert len(asked_for) == 1 and "device" not in asked_for[0]  # from_pretrained's own is the CPU


def test_a_graphics_card_that_is_not_there_is_named_unless_it_is_another_machines(asked_for: list[dict]):
    for cluster in ("", "local"):
        with pytest.raises(ConfigurationError, match="'cuda:1' is not available"):
            check_agent(EvaluateSettings(ROUTES, devices=("cuda:0", "cuda:1"), cluster=cluster))
    assert check_agent(EvaluateSettings(ROUTES, devices=("cuda:0", "cuda:1"), cluster="head:6379"))


def test_of_other_agents_nothing_is_loaded(asked_for: list[dict]):
    assert check_agent(EvaluateSettings(ROUTES, agent="expert")) == [] and asked_for == []
