"""Which evaluator is this? The one place that knows the evaluators' packages by name."""

from __future__ import annotations

import importlib
from enum import Enum
from types import ModuleType

import carla

from linkvla.agent.autonomous_agent import AutonomousAgent, Track
from linkvla.model.interface.errors import ConfigurationError


def evaluator_base() -> type:
    """The ``AutonomousAgent`` to derive from.

    The leaderboard's where it is importable (CARLA leaderboard, Bench2Drive), else scenario_runner's, else our own.
    """
    for package in ("leaderboard", "srunner"):
        found = _optional(f"{package}.autoagents.autonomous_agent")
        if found is not None:
            return found.AutonomousAgent
    return AutonomousAgent


def evaluator_tracks() -> type[Enum]:
    """The ``Track`` that belongs to ``evaluator_base()``: an evaluator takes members of its own only.

    scenario_runner has no tracks and asks for none; there, as on our own base, it is ours.
    """
    return getattr(importlib.import_module(evaluator_base().__module__), "Track", Track)


def privileged_world() -> tuple[carla.World, carla.Actor] | None:
    """World and ego vehicle from scenario_runner's ``CarlaDataProvider``; None outside an evaluator."""
    module = _optional("srunner.scenariomanager.carla_data_provider")
    if module is None:
        return None
    provider = module.CarlaDataProvider
    world = provider.get_world()
    ego = provider.get_hero_actor() if world is not None else None
    return (world, ego) if ego is not None else None


def controller_base() -> type:
    """scenario_runner's ``BasicControl``, the base of what drives an actor of an OpenSCENARIO file.

    Raises:
        ConfigurationError: there is no scenario_runner.
    """
    module = _optional("srunner.scenariomanager.actorcontrols.basic_control")
    if module is None:
        raise ConfigurationError(
            "a scenario's controller needs scenario_runner; put its checkout on PYTHONPATH (package srunner)"
        )
    return module.BasicControl


def _optional(name: str) -> ModuleType | None:
    """Import a module, or None where its top-level package is not installed."""
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name is not None and error.name.split(".")[0] == name.split(".")[0]:
            return None
        raise
