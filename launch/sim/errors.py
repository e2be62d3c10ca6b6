"""Errors of the embedded server. The server is an island, so these stand outside linkvla's own error tree.

Every message says what was got, what is allowed and what to do.
"""

from __future__ import annotations


class SimError(Exception):
    """Base of everything that the embedded server raises on purpose."""


class TownError(SimError):
    """A town could not be found or read."""


class SpawnError(SimError):
    """An actor could not be placed; the message is what the client gets."""
