"""Puts a driver into any scenario of scenario_runner's. Loaded by scenario_runner through ``--additionalScenario``.

scenario_runner takes agents for routes only; in its other scenarios it leaves the ego to whoever else is connected,
who cannot keep up with its clock. Here the scenario's own class is derived on the fly, and its behaviour begins with
giving the ego a controller, which scenario_runner then asks on every tick, as in OpenSCENARIO. The folder holds nothing
else, because scenario_runner leaves it on the import path.
"""

from __future__ import annotations

import importlib
import pkgutil
from types import ModuleType
from typing import Any

from linkvla.launch.scenario.names import CONTROLLER, PROPERTIES


class LinkvlaDriven:
    """Looks like a scenario class; what it makes is a scenario of the type that the configuration names."""

    def __new__(cls, world: Any, ego_vehicles: list, config: Any, *arguments: Any, **options: Any) -> Any:
        """The scenario, its ego at our wheel.

        Raises:
            ValueError: no such type.
        """
        told = dict(config.other_parameters.pop(PROPERTIES))
        scenario = _scenario_class(told.pop("type"))(world, ego_vehicles, config, *arguments, **options)
        take_wheel = _behaviours().ChangeActorControl(ego_vehicles[0], control_py_module=CONTROLLER, args=told)
        scenario.behavior_tree.insert_child(take_wheel, 0)
        return scenario


def _behaviours() -> ModuleType:
    return importlib.import_module("srunner.scenariomanager.scenarioatomics.atomic_behaviors")


def _scenario_class(name: str) -> type:
    """A scenario of scenario_runner's by the name of its class."""
    package = importlib.import_module("srunner.scenarios")
    for found in pkgutil.iter_modules(package.__path__):
        module = importlib.import_module(f"srunner.scenarios.{found.name}")
        kind = getattr(module, name, None)
        if isinstance(kind, type) and kind.__module__ == module.__name__:
            return kind
    raise ValueError(f"scenario_runner has no scenario of type {name!r}")
