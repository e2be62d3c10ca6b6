"""Where this process spends its CPU time: seconds by stage, counted by the clocks of the threads that do the work.

CPU time and not wall time, so that figures mean the same on a busy machine. What the event loop does beside the named
stages is its work for RPC calls.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

PHYSICS, SENSORS, RENDER, STREAM, RPC, OTHER = "physics", "sensors", "render", "stream", "rpc", "other"

_seconds = {PHYSICS: 0.0, SENSORS: 0.0, RENDER: 0.0, STREAM: 0.0}
_of_the_loop = 0.0  # s of the named stages that ran on the event loop's thread
_lock = threading.Lock()


@contextmanager
def stage(name: str) -> Iterator[None]:
    """Count the CPU time of a block to a stage. The block must not wait for another coroutine."""
    global _of_the_loop
    started = time.thread_time()
    try:
        yield
    finally:
        spent = time.thread_time() - started
        with _lock:
            _seconds[name] += spent
            if threading.current_thread() is threading.main_thread():
                _of_the_loop += spent


def stage_seconds() -> dict[str, float]:
    """CPU seconds of this process by stage since its start. Called on the event loop's thread, the main one."""
    with _lock:
        named, inside = dict(_seconds), _of_the_loop
    named[RPC] = max(0.0, time.thread_time() - inside)
    named[OTHER] = max(0.0, time.process_time() - sum(named.values()))
    return named
