"""A program of an attempt, as its supervisor holds it."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
from pathlib import Path

from linkvla.launch.evaluation.evaluators.contract import ProcessSpec

_KEEPER_TIMEOUT = 30.0  # s: longer than the ladder that it climbs


class Program:
    """Starts a program under a keeper, which ends it if this process dies.

    Args:
        spec: what to run.
        mark: what its processes are known by, see ``marks``; absolute.
        log: gets the program's output; what is there is kept.

    Raises:
        OSError: the log cannot be written, or no process be made.
    """

    def __init__(self, spec: ProcessSpec, mark: Path, log: Path) -> None:
        with log.open("ab") as output:
            self._keeper = subprocess.Popen(
                [sys.executable, "-m", "linkvla.launch.evaluation.supervisor.keeper"],
                stdin=subprocess.PIPE,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # a Ctrl-C in the terminal is for us alone
            )
        order = {"mark": str(mark), "argv": list(spec.argv), "env": dict(spec.env), "cwd": str(spec.cwd)}
        with contextlib.suppress(BrokenPipeError):  # poll() tells
            self._keeper.stdin.write(json.dumps(order).encode() + b"\n")
            self._keeper.stdin.flush()

    def poll(self) -> int | None:
        """The exit code, negative for the signal that ended it; None while it runs."""
        return self._keeper.poll()

    def wait(self, seconds: float) -> int | None:
        """As ``poll``, after the program has ended or the time is over."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._keeper.wait(seconds)
        return self._keeper.poll()

    def close(self) -> None:
        """Let go of it. A keeper that has only just started its program ends that itself."""
        with contextlib.suppress(OSError):
            self._keeper.stdin.close()
        if self.wait(_KEEPER_TIMEOUT) is None:
            self._keeper.kill()
            self._keeper.wait()
