"""How a method's outcome is wrapped before it goes into an RPC reply.

CARLA declares almost every method as returning ``Response<T>``, which travels as a one-element array around a variant
(for a value) or an optional (for void). The two kinds wrap their errors differently, and a client that meets the
wrong one aborts.
"""

from __future__ import annotations

from typing import Any


class MethodError(Exception):
    """A method cannot do what was asked; its message reaches the client as the text of a ``RuntimeError``."""


def value(result: Any) -> list:
    """``Response<T>`` holding ``result``."""
    return [[1, result]]


def done() -> list:
    """``Response<void>`` of a call that succeeded."""
    return [[False]]


def failure(message: str, *, void: bool) -> list:
    """``Response<T>`` (or ``Response<void>``) that carries an error text."""
    return [[True, [message]]] if void else [[0, [message]]]
