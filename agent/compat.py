"""Which evaluator is this? The one place that knows the leaderboard's packages by name."""

from __future__ import annotations

import importlib
from enum import Enum
from types import ModuleType

import carla


def evaluator_base() -> type:
    """The leaderboard's ``AutonomousAgent`` where it is importable (CARLA leaderboard, Bench2Drive), else our own."""
    return _base_module().AutonomousAgent


def evaluator_tracks() -> type[Enum]:
    """The ``Track`` that belongs to ``evaluator_base()``: an evaluator takes members of its own only."""
    return _base_module().Track


def privileged_world() -> tuple[carla.World, carla.Actor] | None:
    """World and ego vehicle from scenario_runner's ``CarlaDataProvider``; None outside an evaluator."""
    module = _optional("srunner.scenariomanager.carla_data_provider")
    if module is None:
        return None
    provider = module.CarlaDataProvider
    world = provider.get_world()
    ego = provider.get_hero_actor() if world is not None else None
    return (world, ego) if ego is not None else None


def _base_module() -> ModuleType:
    found = _optional("leaderboard.autoagents.autonomous_agent")
    return found if found is not None else importlib.import_module("linkvla.agent.autonomous_agent")


def _optional(name: str) -> ModuleType | None:
    """Import a module, or None where its top-level package is not installed."""
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name is not None and error.name.split(".")[0] == name.split(".")[0]:
            return None
        raise
