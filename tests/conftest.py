"""For all tests: examples may take as long as they like, for machines are busy and the first one often compiles."""

from __future__ import annotations

from hypothesis import settings

settings.register_profile("patient", deadline=None)
settings.load_profile("patient")
