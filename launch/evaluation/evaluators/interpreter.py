"""Whether an interpreter of somebody else's can run what it is wanted for."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

_TIMEOUT = 120.0  # s


def complaint(argv: Sequence[str], env: Mapping[str, str], cwd: Path | None = None) -> str:
    """The last line of what a program says that fails; "" of one that does not.

    Raises:
        OSError, subprocess.TimeoutExpired: it cannot be run, or does not end.
    """
    done = subprocess.run(
        argv,
        cwd=cwd,
        env=env,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        errors="replace",
        timeout=_TIMEOUT,
    )
    if done.returncode == 0:
        return ""
    return (done.stderr.strip() or done.stdout.strip() or "no output").splitlines()[-1]
