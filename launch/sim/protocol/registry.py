"""The table of RPC methods, filled by the ``methods_*`` modules through the ``rpc`` decorator."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from linkvla.launch.sim.protocol.envelope import MethodError

Handler = Callable[..., Any]


@dataclass(frozen=True)
class Method:
    """One RPC method: ``handler(session, *arguments)`` without CARLA's metadata argument."""

    name: str
    handler: Handler
    void: bool  # declared as Response<void>: decides the envelope
    bare: bool  # the result goes out without an envelope (apply_batch only)
    waits: bool  # the handler is a coroutine; the connection's later requests wait for it


METHODS: dict[str, Method] = {}


def rpc(name: str, *, void: bool = False, bare: bool = False) -> Callable[[Handler], Handler]:
    """Register the decorated function as RPC method ``name``."""

    def register(handler: Handler) -> Handler:
        if name in METHODS:
            raise ValueError(f"RPC method {name!r} is registered twice")
        METHODS[name] = Method(name, handler, void, bare, inspect.iscoroutinefunction(handler))
        return handler

    return register


def refuse(names: tuple[str, ...], reason: str, *, void: bool = False) -> None:
    """Register methods of CARLA 0.9.16 that this server answers with a clear error."""
    for name in names:

        def handler(_session: Any, *_arguments: Any, _name: str = name) -> None:
            raise MethodError(f"{_name} is not available on the linkvla server: {reason}")

        rpc(name, void=void)(handler)
