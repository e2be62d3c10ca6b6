"""For all tests. Examples may take as long as they like: machines are busy, and the first one often compiles."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import settings
from xdist.scheduler import LoadFileScheduling

SYSTEM = "tests/system"

settings.register_profile("patient", deadline=None)
settings.load_profile("patient")


class SharedByFile(LoadFileScheduling):
    """Several processes share the files, but for those of ``tests/system``, which one process has, in their order.

    A TrafficManager lives as long as the process that made it, and takes it along when its server is gone for too long;
    and on a few cores one server with its clients is enough at a time.
    """

    def _split_scope(self, nodeid: str) -> str:
        return SYSTEM if nodeid.startswith(f"{SYSTEM}/") else super()._split_scope(nodeid)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: object) -> SharedByFile:
    return SharedByFile(config, log)


@pytest.fixture
def findable(monkeypatch):
    """Processes that a test starts find its file, whoever started the tests."""
    monkeypatch.syspath_prepend(Path(__file__).parents[1])
