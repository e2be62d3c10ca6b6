"""model/README.md: every row of the paper's map names a place, and every place exists."""

import ast
import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "model" / "README.md"
PLACE = re.compile(r"`((?:[\w-]+/)*\w+\.py)(?::([\w.]+))?`")
ROOMS = ("model", "checkpoints", "agent", "launch", "tests")


def rows() -> list[tuple[str, list[str]]]:
    """(section, cells) of every table row that is not a header."""
    found, section, header = [], "", True
    for line in PAGE.read_text(encoding="utf-8").splitlines():
        if line.startswith("#"):
            section = line.strip("# ")
        if not line.startswith("|"):
            header = True
        elif set(line) <= set("|-: "):
            header = False
        elif not header:
            found.append((section, [cell.strip() for cell in line.strip("|").split("|")]))
    return found


def mapped() -> list[tuple[str, list[str]]]:
    sections = (
        "Equations", "Hyper-parameters", "Tables", "Where the paper is silent", "SimLingo, on which the paper builds",
    )  # fmt: skip
    return [row for row in rows() if row[0] in sections]


def names(path: Path) -> set[str]:
    """Top-level names of a module, and ``Class.member`` for methods, fields and attributes set in __init__."""
    found = set()
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            found.add(node.name)
        for target in getattr(node, "targets", [getattr(node, "target", None)]):
            if isinstance(target, ast.Name):
                found.add(target.id)
        if isinstance(node, ast.ClassDef):
            for part in ast.walk(node):
                if isinstance(part, ast.FunctionDef):
                    found.add(f"{node.name}.{part.name}")
                elif isinstance(part, ast.AnnAssign) and isinstance(part.target, ast.Name):
                    found.add(f"{node.name}.{part.target.id}")
                elif isinstance(part, ast.Attribute) and isinstance(part.ctx, ast.Store):
                    found.add(f"{node.name}.{part.attr}")
    return found


def test_no_row_is_empty():
    assert len(mapped()) >= 6 + 11 + 9 + 26
    assert [cells for _, cells in mapped() if not all(cells) or not (PLACE.search(cells[-1]) or "`" in cells[-1])] == []


def test_every_place_exists():
    missing = []
    for _, cells in mapped():
        file = ""
        for place in re.findall(r"`([^`]+)`", cells[-1]):
            match = PLACE.fullmatch(f"`{place}`")
            if match:
                file, symbol = match.groups()
                path = ROOT / file if file.split("/")[0] in ROOMS else ROOT / "model" / file
                if not path.is_file():
                    missing.append(place)
                    continue
                file = str(path)
            elif place.startswith("linkvla "):
                continue
            else:
                symbol = place  # of the file named before it in the same row
            if symbol and symbol not in names(Path(file)):
                missing.append(place)
    assert missing == []


def test_all_ambiguities_are_numbered():
    numbers = [int(cells[0]) for section, cells in mapped() if section == "Where the paper is silent"]
    assert numbers == list(range(1, 27))
