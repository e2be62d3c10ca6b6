"""Runs one program for as long as the one that started it lives.

    python -m linkvla.launch.evaluation.supervisor.keeper

Standard input brings one line of JSON, ``{"mark", "argv", "env", "cwd"}``, and stays open. When the starter goes away,
by whatever cause (also SIGKILL, which no handler of its own can see), the pipe closes, and all processes with that mark
are ended, however deep they are nested. This process ends as the program does: with its exit code, or by the signal
that ended it.
"""

from __future__ import annotations

import json
import os
import resource
import signal
import subprocess
import sys
import threading
from pathlib import Path

from linkvla.launch.evaluation.supervisor.marks import MARK, end_all, marked


def main() -> int:
    """Run the program; its exit code, if it has one."""
    # Not sys.stdin: a thread that waits in its buffer would hold a lock that the interpreter wants at its end.
    starter = open(0, "rb", buffering=0)  # noqa: SIM115
    order = json.loads(starter.readline())
    mark = Path(order["mark"])
    # Who is started in the background by a shell ignores it, and so would the program, by inheritance.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    # This process does not bear the mark itself: who ends the attempt must not end it before its program.
    program = subprocess.Popen(
        order["argv"],
        stdin=subprocess.PIPE,
        start_new_session=True,
        env={**order["env"], MARK: str(mark)},
        cwd=order["cwd"],
    )
    ending = threading.Event()

    def end_with_starter() -> None:
        starter.read()
        ending.set()
        end_all(lambda: marked(mark))

    watch = threading.Thread(target=end_with_starter, name="keeper", daemon=True)
    watch.start()
    code = program.wait()
    if ending.is_set():
        watch.join()
    if code < 0:
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        if -code != signal.SIGKILL:
            signal.signal(-code, signal.SIG_DFL)
        os.kill(os.getpid(), -code)
    return code


if __name__ == "__main__":
    sys.exit(main())
