"""One question to a CARLA server, without CARLA's client: that one blocks on a hung server for its whole time-out, in C
code that nothing can interrupt, and ends its process on some failures.
"""

from __future__ import annotations

import contextlib
import socket
import time
from typing import Any

import msgpack

MAX_REPLY_BYTES = 1024 * 1024
_REQUEST, _RESPONSE = 0, 1
_MESSAGE_ID = 1
_WAITS_FOR_REPLY = [False]  # the metadata that precede the arguments of each call


def ask(host: str, port: int, method: str, timeout: float = 2.0) -> Any:
    """Call a method that has no arguments.

    Args:
        timeout: seconds, for everything together.

    Returns:
        what it returned; None if the server did not answer properly in time.
    """
    deadline = time.monotonic() + timeout
    refusals = (OSError, ValueError, TypeError, IndexError, msgpack.UnpackException)
    with contextlib.suppress(*refusals), socket.create_connection((host, port), timeout=timeout) as connection:
        connection.sendall(msgpack.packb([_REQUEST, _MESSAGE_ID, method, [_WAITS_FOR_REPLY]]))
        unpacker = msgpack.Unpacker(max_buffer_size=MAX_REPLY_BYTES)
        while (left := deadline - time.monotonic()) > 0:
            connection.settimeout(left)
            data = connection.recv(65536)
            if not data:
                return None
            unpacker.feed(data)
            for reply in unpacker:
                return _value(reply)
    return None


def _value(reply: Any) -> Any:
    kind, message, error, ((is_value, value),) = reply
    return value if (kind, message, error, is_value) == (_RESPONSE, _MESSAGE_ID, None, 1) else None
