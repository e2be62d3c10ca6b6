"""The import order of the house: model.interface < model < checkpoints < agent < launch, and the two islands.

All imports count, also those inside functions and under TYPE_CHECKING: a late import is still a dependency.
"""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
ROOMS = ("model", "checkpoints", "agent", "launch")

# Most specific first. Values: which parts of linkvla the module may import.
MAY_IMPORT = {
    "linkvla.model.interface": ("linkvla.model.interface",),
    "linkvla.model": ("linkvla.model",),
    "linkvla.checkpoints": ("linkvla.model", "linkvla.checkpoints"),
    "linkvla.agent": ("linkvla.model", "linkvla.checkpoints", "linkvla.agent"),
    "linkvla.launch.sim.pythonapi": ("linkvla.launch.sim.pythonapi",),
    "linkvla.launch.sim": ("linkvla.launch.sim",),
    "linkvla.launch.carla_server": ("linkvla.launch.carla_server",),
    "linkvla.launch": ("linkvla",),
}

# The one way back: a name such as "linkvla-nano" is looked up in the registry when a model is asked for by name.
EXCEPTIONS = {
    ("linkvla.model.checkpoint_folder", "linkvla.checkpoints"),
    ("linkvla.model.policy", "linkvla.checkpoints"),
}

# Third-party packages, by top-level name. Rooms that are not named may import what setup.cfg lists.
THIRD_PARTY = {
    "linkvla.model.interface": {"numpy"},
    "linkvla.launch.sim.pythonapi": {"numpy", "networkx", "shapely", "carla"},
    "linkvla.launch.sim": {"numpy", "numba", "cv2", "msgpack", "carla"},
    "linkvla.launch.carla_server": set(),
}

FORBIDDEN = {
    "linkvla.model": {"carla", "leaderboard", "srunner"},
    "linkvla.checkpoints": {"carla", "leaderboard", "srunner"},
    "linkvla.agent.control": {"torch", "carla", "leaderboard", "srunner"},
    "linkvla.agent.instruction": {"torch", "carla", "leaderboard", "srunner"},
    "linkvla.agent.localization": {"torch", "leaderboard", "srunner"},
    "linkvla.agent.navigation": {"torch", "leaderboard", "srunner"},
}

CLIENT_SIDE = {"carla.Client", "carla.TrafficManager", "carla.World"}

USERS_SIDE = "linkvla.launch.sim.pythonapi"
"""Stands in for CARLA's package `agents`: runs in the programs of users, never in the server."""

OUR_OWN_CARS = "linkvla.launch.evaluation.scenarios.drivers"

AUTHORING = "launch/sim/towns/"  # scripts that made the committed towns; they run on a developer's machine


def sources() -> list[Path]:
    return sorted(path for room in ROOMS for path in (ROOT / room).rglob("*.py"))


def module_name(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(("linkvla", *(parts[:-1] if parts[-1] == "__init__" else parts)))


def imports(path: Path) -> list[str]:
    """Dotted names of everything that a file imports."""
    package = module_name(path).split(".")
    if path.name != "__init__.py":
        package = package[:-1]
    names = []
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                base = ".".join([*package[: len(package) - node.level + 1], *([base] if base else [])])
            names.append(base)
            if base in ("linkvla", *(f"linkvla.{room}" for room in ROOMS)):
                names += [f"{base}.{alias.name}" for alias in node.names]
    return names


def inside(name: str, package: str) -> bool:
    return name == package or name.startswith(package + ".")


def rule_for(table: dict, module: str):
    """The entry of the most specific package that holds ``module``; None where there is none."""
    fitting = [package for package in table if inside(module, package)]
    return table[max(fitting, key=len)] if fitting else None


def test_import_order():
    wrong = []
    for path in sources():
        module = module_name(path)
        allowed = rule_for(MAY_IMPORT, module)
        own = [name for name in imports(path) if inside(name, "linkvla")]
        strange = [name for name in own if not any(inside(name, package) for package in allowed)]
        wrong += [f"{path.relative_to(ROOT)} imports {name}" for name in strange]
    assert not wrong, "\n".join(wrong)


def test_rooms_with_few_dependencies_keep_few():
    wrong = []
    for path in sources():
        allowed = rule_for(THIRD_PARTY, module_name(path))
        if allowed is None or path.relative_to(ROOT).as_posix().startswith(AUTHORING):
            continue
        for name in imports(path):
            top = name.split(".")[0]
            if top != "linkvla" and top not in sys.stdlib_module_names and top not in allowed:
                wrong.append(f"{path.relative_to(ROOT)} imports {name}")
    assert not wrong, "\n".join(wrong)


def test_forbidden_packages():
    wrong = []
    for path in sources():
        for package, forbidden in FORBIDDEN.items():
            if inside(module_name(path), package):
                tops = {name.split(".")[0] for name in imports(path)}
                wrong += [f"{path.relative_to(ROOT)} imports {name}" for name in sorted(tops & forbidden)]
    assert not wrong, "\n".join(wrong)


def test_nobody_imports_the_stand_in_for_carlas_agents():
    """It is found as the top-level package `agents`, by programs that put its folder on their path. Only the cars of
    our own scenarios are driven by it, as those of scenario_runner's are by the real one.
    """
    users = [
        path for path in sources() if not inside(module_name(path), USERS_SIDE) and module_name(path) != OUR_OWN_CARS
    ]
    wrong = [str(path.relative_to(ROOT)) for path in users if any(inside(name, USERS_SIDE) for name in imports(path))]
    assert not wrong


def test_the_simulator_is_no_client_of_itself():
    """Of the carla wheel, the simulator may use the offline map and its plain data types, never the client."""
    wrong = []
    for path in sources():
        if not inside(module_name(path), "linkvla.launch.sim") or inside(module_name(path), USERS_SIDE):
            continue
        nodes = ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        used = {ast.unparse(node) for node in nodes if isinstance(node, ast.Attribute)}
        wrong += [f"{path.relative_to(ROOT)} uses {name}" for name in used & CLIENT_SIDE]
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize(
    "path",
    [path for path in sorted((ROOT / "agent" / "entry").glob("*.py")) if path.stem != "__init__"],
    ids=lambda p: p.stem,
)
def test_entry_files_are_short_and_import_absolutely(path: Path):
    """Evaluators load them by path, where relative imports fail."""
    text = path.read_text(encoding="utf-8")
    relative = [node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.ImportFrom) and node.level]
    assert not relative
    assert len(text.splitlines()) < 50
    assert path.stem not in sys.stdlib_module_names
    assert "def get_entry_point" in text


@pytest.mark.parametrize("arguments", [["--help"], ["--version"], ["drive", "--help"], ["evaluate", "--help"]])
def test_help_needs_neither_torch_nor_carla(arguments: list[str]):
    program = (
        "import sys\n"
        "from linkvla.launch.cli import app\n"
        f"code = app({arguments!r}, standalone_mode=False)\n"
        "heavy = {'torch', 'transformers', 'carla', 'numba', 'cv2', 'numpy'} & set(sys.modules)\n"
        "sys.exit(f'imported {sorted(heavy)}' if heavy else 0)\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
