"""Starts an official evaluator as it is, under a Python that it was not written for.

    python boot.py [--imports-only] [--server-ready LOG LINE] SCRIPT ARGUMENTS...

Runs in the evaluator's own interpreter, so it needs nothing but the standard library. Nothing in the checkout is
changed; what the evaluator finds missing is put back before it starts:

- ``xml.etree``'s elements have ``getchildren`` again, which Python 3.9 removed and Bench2Drive's parsers call;
- the packages ``carla-0-9-15`` and the like, builds of CARLA's client for newer Pythons, count as ``carla``, for whose
  version the evaluators ask;
- where the server that the evaluator itself starts tells in a log when it is ready, the long sleep after its start ends
  then, be that earlier or later.
"""

from __future__ import annotations

import atexit
import os
import re
import runpy
import shutil
import sys
import tempfile
import time
from collections.abc import Iterable
from importlib.metadata import distributions
from pathlib import Path
from xml.etree import ElementTree

_RENAMED_CLIENT = re.compile(r"carla-(\d+)-(\d+)-(\d+)")

LONG_SLEEP = 20.0  # s; from here on it is a sleep for the server's sake
SERVER_TIMEOUT = 180.0  # s; the evaluator itself tries again for much longer
PROBE = "linkvla_probe"  # as a module's name: the evaluator's imports are run, its main function is not


class _Element(ElementTree.Element):
    def getchildren(self) -> list:
        return list(self)


def bring_back_getchildren() -> None:
    """Let ``ElementTree.parse`` make elements that have the method."""
    parse = ElementTree.parse

    def parse_with_getchildren(source, parser=None):
        if parser is None:
            parser = ElementTree.XMLParser(target=ElementTree.TreeBuilder(element_factory=_Element))
        return parse(source, parser)

    ElementTree.parse = parse_with_getchildren


def client_by_another_name(names: Iterable[str]) -> str | None:
    """The version of CARLA's client where it is installed under a name of its own only; None where it is not.

    Args:
        names: of all installed packages.
    """
    known = {(name or "").lower().replace("_", "-") for name in names}
    versions = [".".join(found.groups()) for name in known if (found := _RENAMED_CLIENT.fullmatch(name))]
    return max(versions) if versions and "carla" not in known else None


def name_client(folder: Path, version: str) -> None:
    """Put metadata of ``carla`` into a folder, and the folder on the module path."""
    metadata = folder / f"carla-{version}.dist-info" / "METADATA"
    metadata.parent.mkdir(parents=True, exist_ok=True)
    metadata.write_text(f"Metadata-Version: 2.1\nName: carla\nVersion: {version}\n", encoding="utf-8")
    sys.path[1:1] = [str(folder)]


def end_long_sleeps_at(log: str, line: str) -> None:
    """Let a long ``time.sleep`` last until ``line`` stands in ``log``."""
    sleep = time.sleep

    def sleep_until_ready(seconds: float) -> None:
        if seconds < LONG_SLEEP:
            sleep(seconds)
            return
        deadline = time.monotonic() + SERVER_TIMEOUT
        while time.monotonic() < deadline and not _holds(log, line):
            sleep(0.1)

    time.sleep = sleep_until_ready


def _holds(log: str, line: str) -> bool:
    try:
        with open(log, encoding="utf-8", errors="replace") as file:
            return line in file.read()
    except OSError:
        return False


def main() -> None:
    """Prepare this interpreter and become the script."""
    arguments = sys.argv[1:]
    name = "__main__"
    if arguments[0] == "--imports-only":
        name = PROBE
        del arguments[0]
    if arguments[0] == "--server-ready":
        end_long_sleeps_at(arguments[1], arguments[2])
        del arguments[:3]
    bring_back_getchildren()
    version = client_by_another_name(package.metadata["Name"] for package in distributions())
    if version is not None:
        folder = Path(tempfile.mkdtemp(prefix="linkvla-client-"))  # nobody else can put a module into it
        atexit.register(shutil.rmtree, folder, ignore_errors=True)
        name_client(folder, version)
    sys.argv = arguments
    # This file's own folder must go: the evaluators beside it have the names of the official packages.
    sys.path[0] = os.path.dirname(os.path.abspath(arguments[0]))
    runpy.run_path(arguments[0], run_name=name)


if __name__ == "__main__":
    main()
