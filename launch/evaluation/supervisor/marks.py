"""Finds and ends the processes of an attempt, wherever they have gone.

Everything that an attempt starts inherits one variable of the environment, its mark. A process group would not do: the
server that Bench2Drive's evaluator starts puts itself into a session of its own, and CARLA's launcher is a script that
leaves its child behind. A number written to a file would not do either: the system gives it to a stranger later. The
mark is on the process itself; nobody else's process bears it. Read from ``/proc``, so on Linux only.
"""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

MARK = "LINKVLA_ATTEMPT"
"""Name of the variable; its value is the attempt's folder, resolved, with the program's name after it."""

LADDER = ((signal.SIGINT, 8.0), (signal.SIGTERM, 5.0), (signal.SIGKILL, 5.0))
"""What processes are told, one after the other, and for how many seconds each may take effect."""


def marked(folder: Path) -> list[int]:
    """Processes with this mark, or with one below it: of a program, an attempt, or of all attempts in a folder."""
    own = f"{MARK}={folder}".encode()
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if process.stat().st_uid != os.getuid():
                continue
            environment = (process / "environ").read_bytes()  # empty for zombies
        except OSError:  # ended meanwhile, or not ours to look at
            continue
        values = (entry for entry in environment.split(b"\0") if entry.startswith(own))
        if any(value == own or value[len(own) :].startswith(b"/") for value in values):
            found.append(int(process.name))
    return found


def end_all(find: Callable[[], list[int]], ladder: tuple[tuple[signal.Signals, float], ...] = LADDER) -> list[int]:
    """Signal what ``find`` returns until it returns nothing.

    Returns:
        what could not be ended: processes that wait in the kernel.
    """
    for number, seconds in ladder:
        deadline = time.monotonic() + seconds
        told: set[int] = set()
        while living := find():
            # Whoever appears meanwhile is told too; being told to be killed again does no harm.
            for process in living:
                if process not in told or number == signal.SIGKILL:
                    told.add(process)
                    with contextlib.suppress(ProcessLookupError):
                        os.kill(process, number)
                        os.kill(process, signal.SIGCONT)  # who is stopped heeds nothing else
            if time.monotonic() > deadline:
                break
            time.sleep(0.05)
        else:
            return []
    return find()
