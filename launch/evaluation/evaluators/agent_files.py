"""Agents by name or by file."""

from __future__ import annotations

import importlib
import re
from pathlib import Path
from typing import Any

import linkvla.agent
from linkvla.launch.evaluation.agent_host import MakeAgent
from linkvla.model.interface.errors import ConfigurationError

_OURS = {"linkvla": "linkvla_agent.py", "expert": "expert_agent.py"}
_IMPORTABLE = re.compile(r"[A-Za-z_]\w*")


def is_ours(agent: str) -> bool:
    """Whether it is the name of an agent that ships."""
    return agent in _OURS


def agent_file(agent: str) -> Path:
    """The file that an official evaluator loads."""
    if is_ours(agent):
        return Path(next(iter(linkvla.agent.__path__))).resolve() / "entry" / _OURS[agent]
    return Path(agent).resolve()


def check_agent_file(agent: str) -> None:
    """Make sure that there is such an agent, under a name that evaluators can import.

    Raises:
        ConfigurationError: there is not.
    """
    file = agent_file(agent)
    if not file.is_file():
        raise ConfigurationError(f"agent must be {', '.join(_OURS)} or an agent's file, got {agent!r}")
    if file.suffix != ".py" or not _IMPORTABLE.fullmatch(file.stem):
        raise ConfigurationError(
            f"agent file {file.name!r} cannot be imported by evaluators; "
            "its name must be letters, digits and '_', and end in .py"
        )
    if "+" in str(file):
        raise ConfigurationError(f"the path of an agent must not hold a '+', which Bench2Drive splits at: {file}")


def agent_maker(agent: str) -> MakeAgent:
    """Constructor of an agent for the built-in route runner: ours, or one that the leaderboard's rule finds in a file.

    The file is imported by its stem, so its folder must be on the module path already.

    Raises:
        ConfigurationError: the file does not say which class to drive with.
    """
    if agent == "expert":
        from linkvla.agent.expert.watchful import WatchfulAgent

        return WatchfulAgent
    if agent == "linkvla":
        from linkvla.agent.driving_agent import LinkVLAAgent

        return LinkVLAAgent
    return _from_file(agent_file(agent))


def _from_file(file: Path) -> MakeAgent:
    try:
        module = importlib.import_module(file.stem)
        made: Any = getattr(module, module.get_entry_point())
    except (ImportError, SyntaxError, AttributeError) as error:
        raise ConfigurationError(f"agent {file} cannot be loaded ({type(error).__name__}: {error})") from error
    return lambda host, port: made(host, port, 0)
