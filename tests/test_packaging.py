"""setup.cfg lists every package by name; here the list is compared with the disk."""

from __future__ import annotations

import ast
import configparser
import subprocess
import sys
from importlib import metadata
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
ROOMS = ("model", "checkpoints", "agent", "launch")


def setup_cfg() -> configparser.ConfigParser:
    config = configparser.ConfigParser()
    config.read(ROOT / "setup.cfg", encoding="utf-8")
    return config


def test_every_package_is_listed():
    on_disk = {
        ".".join(("linkvla", *path.parent.relative_to(ROOT).parts))
        for room in ROOMS
        for path in (ROOT / room).rglob("__init__.py")
    }
    listed = set(setup_cfg()["options"]["packages"].split())
    assert listed == on_disk


def test_every_folder_with_modules_is_a_package():
    folders = {path.parent for room in ROOMS for path in (ROOT / room).rglob("*.py")}
    assert [folder for folder in folders if not (folder / "__init__.py").exists()] == []


def test_rooms_are_mapped():
    lines = setup_cfg()["options"]["package_dir"].strip().splitlines()
    mapping = {key.strip(): value.strip() for key, value in (line.split("=") for line in lines)}
    assert mapping == {f"linkvla.{room}": room for room in ROOMS}


def test_package_data_exists():
    """A pattern that matches nothing ships nothing."""
    data = setup_cfg()["options.package_data"]
    for package, patterns in data.items():
        folder = ROOT.joinpath(*package.split(".")[1:])
        for pattern in patterns.split():
            assert list(folder.glob(pattern)), f"{package}: nothing matches {pattern}"


def test_console_script():
    (script,) = [entry for entry in metadata.entry_points(group="console_scripts") if entry.name == "linkvla"]
    assert script.value == "linkvla.launch.cli:main"
    done = subprocess.run([Path(sys.executable).with_name("linkvla"), "--version"], capture_output=True, text=True)
    assert done.stdout.strip() == f"linkvla {metadata.version('linkvla')}"


def test_python_files_compile_for_the_oldest_python():
    """The agent runs inside evaluators that bring their own interpreter."""
    for room in ROOMS:
        for path in (ROOT / room).rglob("*.py"):
            ast.parse(path.read_text(encoding="utf-8"), filename=str(path), feature_version=(3, 10))


def test_scripts_are_valid_shell():
    for script in sorted((ROOT / "launch").glob("*.sh")) + [ROOT / ".ci" / "run"]:
        done = subprocess.run(["bash", "-n", str(script)], capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
