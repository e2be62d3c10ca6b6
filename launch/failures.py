"""From exceptions to what a person at a terminal sees: one line and exit code 2 for everything raised on purpose."""

from __future__ import annotations

import signal
import sys

EXIT_USAGE = 2
"""Exit code for bad input and for everything else that a user can put right."""


def user_message(error: BaseException) -> str | None:
    """One line for the user, or None for a defect, whose traceback is wanted.

    The error trees are imported here, late: the command line starts without them. Those of the islands (the simulator
    and its supervision) stand outside ``LinkVLAError`` by design.
    """
    from linkvla.launch.carla_server.errors import CarlaServerError
    from linkvla.launch.sim.errors import SimError
    from linkvla.model.interface.errors import LinkVLAError

    if isinstance(error, (LinkVLAError, CarlaServerError, SimError)):
        return " ".join(str(error).split())
    if isinstance(error, OSError) and error.filename is not None:
        return f"{error.filename}: {error.strerror}; check the path, its permissions and the space on the disk"
    if isinstance(error, ModuleNotFoundError) and error.name and not error.name.startswith("linkvla"):
        return f"the package {error.name!r} is missing; `linkvla doctor` shows what is there and what to do"
    return None


def report(error: BaseException) -> int:
    """Print the line for ``error`` and return the exit code; re-raise what is a defect of linkvla."""
    message = user_message(error)
    if message is None:
        raise error
    print(f"linkvla: {message}", file=sys.stderr)
    return EXIT_USAGE


def stop_on_sigterm() -> None:
    """Let SIGTERM unwind the stack like Ctrl-C does, so that servers are stopped and files closed on the way out."""

    def leave(number: int, _frame: object) -> None:
        raise SystemExit(128 + number)

    signal.signal(signal.SIGTERM, leave)
