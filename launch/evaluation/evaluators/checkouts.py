"""The user's checkouts of the official evaluators: where they are, which versions they are, and whether they fit.

They are found through the environment and never written to. Branches are told apart by what the code holds, because
copies of them without git are as common as clones.
"""

from __future__ import annotations

import hashlib
import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

from linkvla.launch.environment import named_folder
from linkvla.model.interface.errors import ConfigurationError

_SOURCES = ("*.py", "*.xml")  # what decides about a result
_GIT_TIMEOUT = 30.0  # s
_SLOW_STRETCH_HAS_A_COST = re.compile(r"MIN_SPEED_INFRACTION\s*:\s*[\d.]+")
_ONLY_IN_BENCH2DRIVE = "srunner/scenarios/vanilla_turn.py"
_CLONE = {
    "LEADERBOARD_ROOT": "git clone https://github.com/carla-simulator/leaderboard",
    "SCENARIO_RUNNER_ROOT": "git clone https://github.com/carla-simulator/scenario_runner",
    "BENCH2DRIVE_ROOT": "git clone https://github.com/Thinklab-SJTU/Bench2Drive",
}


@dataclass(frozen=True)
class Checkout:
    """A folder with somebody else's code."""

    variable: str  # that named it
    root: Path

    def text(self, file: str) -> str:
        """A file of it; empty where it has none of that name."""
        try:
            return (self.root / file).read_text(encoding="utf-8", errors="replace")
        except OSError:
            return ""

    def version(self) -> dict[str, object]:
        """``{"commit", "modified"}`` for a clone, else ``{"content"}``: a digest of its code and data."""
        tracked = self._git("ls-files", "--", "*.py")
        commit = self._git("rev-parse", "HEAD")
        if tracked and commit:
            return {"commit": commit, "modified": bool(self._git("status", "--porcelain", "-uno", "--", "."))}
        digest = hashlib.sha256()
        for pattern in _SOURCES:
            for path in sorted(self.root.rglob(pattern)):
                digest.update(str(path.relative_to(self.root)).encode())
                digest.update(path.read_bytes())
        return {"content": digest.hexdigest()}

    def _git(self, *arguments: str) -> str:
        try:
            done = subprocess.run(
                ["git", "-C", str(self.root), *arguments], capture_output=True, text=True, timeout=_GIT_TIMEOUT
            )
        except (OSError, subprocess.TimeoutExpired):
            return ""
        return done.stdout.strip() if done.returncode == 0 else ""


def checkout(variable: str, marker: str) -> Checkout:
    """The checkout that a variable of the environment names.

    Args:
        variable: such as ``LEADERBOARD_ROOT``.
        marker: a file that it must hold.

    Raises:
        ConfigurationError: not set, not there, or something else.
    """
    root = named_folder(variable)
    cure = f"{_CLONE[variable]} and set {variable} to the folder"
    if root is None:
        raise ConfigurationError(f"{variable} is not set; {cure}")
    if not (root / marker).is_file():
        raise ConfigurationError(f"{variable}={root} holds no {marker}; {cure}")
    return Checkout(variable, root.resolve())


def leaderboard_rules(leaderboard: Checkout) -> str:
    """By which rules a checkout of the leaderboard scores: "2.0" (its branch master too) or "2.1".

    Raises:
        ConfigurationError: it is another fork or version.
    """
    statistics = leaderboard.text("leaderboard/utils/statistics_manager.py")
    if "gpu-rank" in leaderboard.text("leaderboard/leaderboard_evaluator.py"):
        raise ConfigurationError(
            f"{leaderboard.variable}={leaderboard.root} is Bench2Drive's copy of the leaderboard, whose rules differ; "
            "name CARLA's own, or use --evaluator bench2drive"
        )
    if _SLOW_STRETCH_HAS_A_COST.search(statistics):
        return "2.1"
    if "MIN_SPEED_INFRACTION" in statistics:
        return "2.0"
    raise ConfigurationError(
        f"{leaderboard.variable}={leaderboard.root} is not leaderboard 2.0 or 2.1; check out master or leaderboard-2.1"
    )


def check_pair(leaderboard: Checkout, scenario_runner: Checkout) -> None:
    """Make sure that the leaderboard finds the scenario_runner it was written for.

    Master passes the ego's route to scenario_runner's data provider, which only scenario_runner's master can take; the
    branches leaderboard-2.1 of both do without. A mixed pair drives, and skips its scenarios silently.

    Raises:
        ConfigurationError: they do not belong together.
    """
    if (scenario_runner.root / _ONLY_IN_BENCH2DRIVE).is_file():
        raise ConfigurationError(
            f"{scenario_runner.variable}={scenario_runner.root} is Bench2Drive's copy of scenario_runner; "
            "name CARLA's own, or use --evaluator bench2drive"
        )
    gives = "set_ego_route" in leaderboard.text("leaderboard/scenarios/route_scenario.py")
    takes = "def set_ego_route" in scenario_runner.text("srunner/scenariomanager/carla_data_provider.py")
    if gives != takes:
        branch = "master" if gives else "leaderboard-2.1"
        raise ConfigurationError(
            f"{leaderboard.root} and {scenario_runner.root} do not belong together; "
            f"check out the branch {branch} in {scenario_runner.variable}, or name one that has it"
        )
