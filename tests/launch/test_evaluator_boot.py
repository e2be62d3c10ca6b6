"""What official evaluators find put right under another Python, and what is told of that Python."""

from __future__ import annotations

import subprocess
import sys
from importlib import metadata
from pathlib import Path

import pytest

from linkvla.launch.evaluation.evaluators.boot import bring_back_getchildren, client_by_another_name, name_client
from linkvla.launch.evaluation.provenance import client_version, package_versions


def write(file: Path, text: str) -> Path:
    file.write_text(text, encoding="utf-8")
    return file


def test_boot_restores_getchildren_and_waits_for_the_server_instead_of_sleeping(tmp_path, monkeypatch):
    xml = write(tmp_path / "a.xml", "<a><b/><c/></a>")
    log = write(tmp_path / "server.log", "linkvla sim: listening on 127.0.0.1")
    script = write(
        tmp_path / "evaluator.py",
        "import sys, time\nfrom xml.etree import ElementTree as ET\n"
        f"print([child.tag for child in ET.parse({str(xml)!r}).getroot().getchildren()])\n"
        "time.sleep(3000)\nprint(sys.argv[1:], __name__, sys.path[0])\n",
    )
    boot = Path(sys.modules[bring_back_getchildren.__module__].__file__)
    command = [sys.executable, boot, "--server-ready", log, "listening on", script, "--port=1"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.stdout.splitlines() == ["['b', 'c']", f"['--port=1'] __main__ {tmp_path}"], done.stderr


@pytest.mark.parametrize(
    ("names", "version"),
    [
        (["numpy", "carla-0-9-15"], "0.9.15"),
        (["Carla_0_9_16"], "0.9.16"),
        (["carla", "carla-0-9-15"], None),
        (["carla-gym", None], None),
    ],
)
def test_clients_under_another_name_are_found(names, version):
    assert client_by_another_name(names) == version


def test_a_renamed_client_counts_as_carla(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "path", ["first", str(tmp_path / "elsewhere")])
    name_client(tmp_path, "0.9.15")
    assert sys.path[0] == "first"
    assert metadata.version("carla") == "0.9.15"


def test_a_client_under_another_name_is_known_in_another_interpreter_too(tmp_path):
    python = tmp_path / "python"
    python.write_text(
        """#!/bin/sh\necho '{"python": "3.8.1", "carla-0-9-15": "1.0", "numpy": "1.2", "other": "3"}'\n"""
    )
    python.chmod(0o755)
    assert package_versions(str(python)) == {"python": "3.8.1", "numpy": "1.2", "carla": "0.9.15"}
    assert client_version(str(python)) == "0.9.15"
    assert client_version(str(tmp_path / "nowhere")) == "unknown"
