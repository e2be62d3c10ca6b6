"""The sockets on which the server listens."""

from __future__ import annotations

import errno
import socket

from linkvla.launch.sim.errors import SimError

LOCALHOST = "127.0.0.1"
_BACKLOG = 128
_VIEW_OFFSET = 4  # of the live page, from the RPC port


def bind(host: str, port: int, option: str = "--port") -> socket.socket:
    """A bound TCP socket that does not listen yet.

    Args:
        host, port: where; port 0 takes any free one.
        option: of the command line, by which another port can be chosen.

    Raises:
        SimError: the port cannot be had.
    """
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
    except (OSError, OverflowError) as error:
        listener.close()
        raise port_error(host, port, error, option) from error
    return listener


def bind_near(host: str, port: int) -> socket.socket:
    """A listening socket on a customary port, or on any free one where that is taken."""
    try:
        listener = bind(host, port)
        listener.listen(_BACKLOG)
    except (SimError, OSError):
        listener = bind(host, 0)
        listener.listen(_BACKLOG)
    listener.setblocking(False)
    return listener


def bind_view(port: int | None, rpc_port: int) -> socket.socket:
    """A listening socket for the page, on this machine only.

    Args:
        port: as the user wants it, 0 for any; None: near the RPC port, or any free one.
        rpc_port: of the server.

    Raises:
        SimError: the port that the user wants is in use.
    """
    if port is None:
        return bind_near(LOCALHOST, rpc_port + _VIEW_OFFSET)
    listener = bind(LOCALHOST, port, "--view-port")
    listener.listen(_BACKLOG)
    listener.setblocking(False)
    return listener


def port_error(host: str, port: int, error: Exception, option: str = "--port") -> SimError:
    """What to tell the user when a port cannot be had."""
    if getattr(error, "errno", None) == errno.EADDRINUSE:
        return SimError(
            f"port {port} on {host} is in use: stop the server that has it, or choose another with {option}"
        )
    return SimError(f"cannot listen on {host}:{port} ({error}): choose another host or port")
