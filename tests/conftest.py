"""For all tests. Examples may take as long as they like: machines are busy, and the first one often compiles."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest
from hypothesis import settings
from xdist.scheduler import LoadFileScheduling

PROGRAMS, CLIENTS = "tests/programs", "tests/system"

settings.register_profile("patient", deadline=None)
settings.load_profile("patient")

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # started in the background, which programs would inherit
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What takes longest first: whole programs, then the client in a process of its own, beside all the rest."""
    items.sort(key=lambda item: [not item.nodeid.startswith(f"{folder}/") for folder in (PROGRAMS, CLIENTS)])


class SharedByFile(LoadFileScheduling):
    """Several processes share the files, but for those with the client in the process of the test: one has them all.

    A TrafficManager lives as long as the process that made it, and one whose cars are taken away takes it along.
    """

    def _split_scope(self, nodeid: str) -> str:
        return CLIENTS if nodeid.startswith(f"{CLIENTS}/") else super()._split_scope(nodeid)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: object) -> SharedByFile:
    """In the order of collection."""
    config.option.loadscopereorder = False
    return SharedByFile(config, log)


@pytest.fixture
def findable(monkeypatch):
    """Processes that a test starts find its file, whoever started the tests."""
    monkeypatch.syspath_prepend(Path(__file__).parents[1])
