"""The official evaluators: the user's checkouts, whether they belong together, and the packages that they need."""

from __future__ import annotations

import json
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from linkvla.launch.doctor.finding import Finding, State, verdict
from linkvla.launch.doctor.packages import misses, pip_install, requirements
from linkvla.launch.doctor.wishes import Wishes
from linkvla.launch.environment import PYTHON_API, carla_agents_folder, evaluator_python, named_folder
from linkvla.launch.evaluation.evaluators.choice import evaluator_named
from linkvla.model.interface.errors import LinkVLAError

EXTRA = "leaderboard"
ROOTS = {"leaderboard": ("LEADERBOARD_ROOT", "SCENARIO_RUNNER_ROOT"), "bench2drive": ("BENCH2DRIVE_ROOT",)}
_PATIENCE = 30.0  # s
_COMMIT_SHOWN = 10  # characters

_VERSIONS = """
import json, sys
from importlib import metadata

def version(name):
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None

names = json.load(sys.stdin)
print(json.dumps({"python": list(sys.version_info[:3]), "packages": {name: version(name) for name in names}}))
"""


def check(wishes: Wishes) -> Iterator[Finding]:
    """Each official evaluator that was asked for, or whose checkout is named in the environment."""
    looked_for = [name for name, roots in ROOTS.items() if name == wishes.evaluator or any(map(named_folder, roots))]
    for name, roots in ROOTS.items():
        if name not in looked_for:
            said = f"{' and '.join(roots)} not set; only --evaluator {name} needs them"
            yield Finding(name, State.NOTE, said)
    for name in looked_for:
        yield from _evaluator(name, wishes, needed=name == wishes.evaluator)
    if looked_for:
        yield Finding("agents package", State.OK, _whose(carla_agents_folder()))
        yield from packages(needed=wishes.evaluator in looked_for)


def _evaluator(name: str, wishes: Wishes, needed: bool) -> Iterator[Finding]:
    try:
        evaluator = evaluator_named(name, wishes.simulator)
        evaluator.check(wishes.routes if needed else ())
        header = evaluator.header()
    except LinkVLAError as error:
        detail, _, cure = str(error).partition("; ")
        yield Finding(name, State.MISS if needed else State.NOTE, detail, cure)
        return
    parts = [f"rules {header['rules']}"]
    parts += [f"{part} {_shortly(facts)}" for part, facts in header.items() if isinstance(facts, dict)]
    yield Finding(name, State.OK, ", ".join(parts))


def _shortly(version: dict) -> str:
    """A checkout's version in a few characters: its commit, or a digest of its files where it has no git."""
    if "commit" in version:
        return str(version["commit"])[:_COMMIT_SHOWN] + (" with local changes" if version.get("modified") else "")
    return f"without git, content {str(version.get('content', ''))[:_COMMIT_SHOWN]}"


def _whose(folder: Path) -> str:
    return f"{folder}, ours" if folder == PYTHON_API else f"{folder}, CARLA's"


def packages(needed: bool) -> Iterator[Finding]:
    """The pins of the extra, looked up in the evaluators' own interpreter by a child process."""
    python = evaluator_python()
    wanted = requirements(EXTRA)
    if not wanted:
        cure = "install linkvla again: its metadata are older than its code"
        yield verdict("evaluator packages", False, f"this installation knows no extra [{EXTRA}]", cure, needed)
        return
    names = [requirement.name for requirement in wanted] + ["carla", "srunner"]
    try:
        found = json.loads(
            subprocess.run(
                [python, "-c", _VERSIONS], input=json.dumps(names),
                capture_output=True, text=True, timeout=_PATIENCE, check=True,
            ).stdout
        )  # fmt: skip
    except (OSError, subprocess.SubprocessError, ValueError) as error:
        yield verdict("evaluator Python", False, f"{python}: {error}", "set EVALUATOR_PYTHON to an interpreter", needed)
        return
    version = ".".join(map(str, found["python"]))
    own = "this one" if python == sys.executable else python
    yield Finding("evaluator Python", State.OK, f"{version}, {own}; carla {found['packages']['carla']}")
    wrong = misses(wanted, found["packages"])
    pip = f"{shlex.quote(python)} -m pip"
    shown = [f"{one.name} {found['packages'][one.name]}" for one in wanted if "==" in str(one.specifier)]
    fine = f"all {len(wanted)} of linkvla[{EXTRA}], among them {', '.join(shown)}"
    said = "; ".join(f"{one.name} {what}" for one, what in wrong.items())
    yield verdict("evaluator packages", not wrong, said or fine, pip_install(wrong, pip), needed)
    if found["packages"]["srunner"]:
        cure = f"{pip} uninstall srunner"
        yield verdict("srunner package", False, "a PyPI package of 2019 may hide the checkout", cure, needed)
