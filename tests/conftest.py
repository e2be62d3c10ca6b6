"""For all tests. Examples may take as long as they like: machines are busy, and the first one often compiles."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import settings

settings.register_profile("patient", deadline=None)
settings.load_profile("patient")


@pytest.fixture
def findable(monkeypatch):
    """Processes that a test starts find its file, whoever started the tests."""
    monkeypatch.syspath_prepend(Path(__file__).parents[1])
