"""Limits that keep the house readable. They only tighten."""

from __future__ import annotations

import ast
import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
ROOMS = ("model", "checkpoints", "agent", "launch", "tests")
MAX_FILE_LINES = 500
MAX_FUNCTION_LINES = 80
ENVIRONMENT_READERS = 1  # files per room that may read the environment

PERSONAL_PATH = re.compile(r"""(?<![\w.])/(?:home/\w+|Users/\w+|root|mnt/\w+)/""")


def python_files(*rooms: str) -> list[Path]:
    return sorted(path for room in rooms or ROOMS for path in (ROOT / room).rglob("*.py"))


def trees() -> list[tuple[Path, ast.AST]]:
    return [(path, ast.parse(path.read_text(encoding="utf-8"))) for path in python_files()]


def test_no_file_is_too_long():
    lengths = {path.relative_to(ROOT): len(path.read_text(encoding="utf-8").splitlines()) for path in python_files()}
    assert {str(path): length for path, length in lengths.items() if length > MAX_FILE_LINES} == {}


def test_no_function_is_too_long():
    long = {}
    for path, tree in trees():
        for node in ast.walk(tree):
            if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
                length = node.end_lineno - node.lineno + 1
                if length > MAX_FUNCTION_LINES:
                    long[f"{path.relative_to(ROOT)}:{node.name}"] = length
    assert long == {}


def test_no_path_of_somebodys_machine():
    suffixes = {".py", ".sh", ".md", ".cfg", ".toml", ".json", ".xml", ".yaml"}
    found = []
    for room in ROOMS:
        for path in (ROOT / room).rglob("*"):
            if path.suffix in suffixes and path.is_file() and "data" not in path.parts and path != Path(__file__):
                for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
                    if PERSONAL_PATH.search(line):
                        found.append(f"{path.relative_to(ROOT)}:{number}: {line.strip()[:100]}")
    assert found == []


def test_nothing_is_unpickled_and_nothing_is_evaluated():
    """Weights come as safetensors, settings as JSON or safe YAML."""
    forbidden = {"pickle", "dill", "cloudpickle", "shelve", "marshal"}
    found = []
    for path, tree in trees():
        for node in ast.walk(tree):
            names = []
            if isinstance(node, ast.Import):
                names = [alias.name.split(".")[0] for alias in node.names]
            elif isinstance(node, ast.ImportFrom) and node.module:
                names = [node.module.split(".")[0]]
            elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in ("eval", "exec"):
                found.append(f"{path.relative_to(ROOT)}:{node.lineno}: {node.func.id}")
            found += [f"{path.relative_to(ROOT)}:{node.lineno}: {name}" for name in names if name in forbidden]
    assert found == []


def test_the_environment_is_read_in_one_file_per_room():
    for room in ("model", "checkpoints", "agent", "launch"):
        readers = [
            str(path.relative_to(ROOT))
            for path in python_files(room)
            if re.search(r"\bos\.(environ|getenv)\b", path.read_text(encoding="utf-8"))
        ]
        assert len(readers) <= ENVIRONMENT_READERS, f"{room}: {readers}"


def test_no_module_edits_the_import_path():
    found = [str(path.relative_to(ROOT)) for path in python_files("model", "checkpoints", "agent", "launch")
             if re.search(r"\bsys\.path\.(insert|append|extend)", path.read_text(encoding="utf-8"))]  # fmt: skip
    assert found == []


def test_every_module_says_what_it_is_for():
    bare = [
        str(path.relative_to(ROOT))
        for path, tree in trees()
        if path.name != "__init__.py" and path.read_text(encoding="utf-8").strip() and not ast.get_docstring(tree)
    ]
    assert bare == []
