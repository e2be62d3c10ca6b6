"""Runs a module for as long as the program that started it lives.

    python -m linkvla.launch.carla_server.guard MODULE ARGUMENTS...

The starter holds the write end of this process's standard input. When the starter goes away, by whatever cause (also
SIGKILL, which no handler of its own can see), the pipe closes and this process stops itself. No simulator outlives its
user.
"""

from __future__ import annotations

import os
import runpy
import signal
import sys
import threading
import time

GRACE = 5.0  # s between the polite and the final signal


def _stop_with_starter() -> None:
    while True:
        try:
            if not os.read(0, 4096):
                break
        except InterruptedError:
            continue
        except OSError:
            break
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(GRACE)
    os.kill(os.getpid(), signal.SIGKILL)


def main() -> None:
    """Watch standard input, then become the module named by the first argument."""
    module, arguments = sys.argv[1], sys.argv[2:]
    threading.Thread(target=_stop_with_starter, name="guard", daemon=True).start()
    sys.argv = [module, *arguments]
    runpy.run_module(module, run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
