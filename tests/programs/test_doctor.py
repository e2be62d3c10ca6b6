"""`linkvla doctor` as it is called, with a server that it really starts."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from linkvla.launch.environment import PYTHON_API

pytestmark = pytest.mark.system

LINKVLA = Path(sys.executable).with_name("linkvla")


def _started_in(carla_root: Path) -> Iterator[list[str]]:
    """Command lines of the processes that the doctor, or its server, has started: they have its environment."""
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            if process.environ().get("CARLA_ROOT") == str(carla_root):
                yield process.cmdline()


@pytest.mark.parametrize("server", ["sim", "carla"])
def test_the_server_is_started_asked_and_ended(server: str, tmp_path):
    """A folder in the shape of a CARLA release, whose launcher is ours, stands in for CARLA."""
    (tmp_path / "CarlaUE4.sh").symlink_to(PYTHON_API.parent / "CarlaUE4.sh")
    (tmp_path / "CarlaUE4" / "Content" / "Carla" / "Maps").mkdir(parents=True)
    (tmp_path / "CarlaUE4" / "Content" / "Carla" / "Maps" / "Maple.umap").touch()
    variables = {**os.environ, "CARLA_ROOT": str(tmp_path), "LINKVLA_PYTHON": sys.executable}
    command = [LINKVLA, "doctor", "--json", "--server", server, "--patience", "100"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=280, cwd=tmp_path, env=variables)
    findings = {one["what"]: one for one in json.loads(done.stdout)["findings"]}
    assert findings["server"]["state"] == "ok", findings["server"]
    assert "version 0.9.16" in findings["server"]["detail"]
    assert done.returncode == (1 if any(one["state"] == "no" for one in findings.values()) else 0)
    assert not list(_started_in(tmp_path)), "nothing is left behind"
