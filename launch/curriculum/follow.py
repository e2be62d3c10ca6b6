"""Follow a curriculum: each stage once, in a process of its own, in one folder that the same call goes on with.

OUT/stages.json      what is done
OUT/NAME/            what each stage wrote; see ``orders``
OUT/checkpoint/      the weights of the last choice or training, once all is done
"""

from __future__ import annotations

import json
import shlex
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import IO

from rich.console import Console

from linkvla.launch.carla_server.ports import try_lock
from linkvla.launch.curriculum.curriculum import CHOOSE, Curriculum
from linkvla.launch.curriculum.notes import Notes
from linkvla.launch.curriculum.orders import Order, orders
from linkvla.model.atomic_folder import replacing
from linkvla.model.checkpoint_folder import MANIFEST
from linkvla.model.interface.errors import ConfigurationError, DataError
from linkvla.model.training.trainer import LAST

_INTERRUPTED = 130  # exit code


def follow(curriculum: Curriculum, out: Path) -> Path:
    """Do what is not done yet; returns the folder of the checkpoint.

    Ctrl-C and SIGTERM are passed on to the stage that runs, which saves what it has; the same call goes on there.

    Raises:
        ConfigurationError: a stage failed, the folder holds another curriculum's stages, or another process follows one
            there.
        KeyboardInterrupt: a stage was interrupted.
    """
    todo = orders(curriculum, out)
    out.mkdir(parents=True, exist_ok=True)
    console = Console(highlight=False)
    with _held(out) as lock:
        notes = Notes(out)
        for number, order in enumerate(todo, 1):
            if notes.done(order):
                continue
            console.rule(f"{number} of {len(todo)}: {order.stage.name}", align="left")
            started = time.monotonic()
            outcome = _choose(order) if order.stage.command == CHOOSE else _run(order, console, lock)
            notes.add(order, time.monotonic() - started, outcome)
        final = next(order for order in reversed(todo) if order.has_weights)
        _copy(final.product, out / LAST)
        console.print(notes.table(curriculum.name, todo))
    console.print(f"checkpoint: {out / LAST}", soft_wrap=True)
    return out / LAST


def show(curriculum: Curriculum, out: Path) -> None:
    """Print the stages as one would type them; runs nothing."""
    console = Console(soft_wrap=True, highlight=False, markup=False)
    for line in curriculum.about.splitlines():
        console.print(f"# {line}")
    for order in orders(curriculum, out):
        if order.stage.command == CHOOSE:
            console.print(f"# {order.product}: the best of {', '.join(map(str, order.among))}")
        else:
            console.print(f"linkvla {shlex.join(order.arguments)}")


def _held(out: Path) -> IO[str]:
    """The folder's lock. Stages inherit it: one that outlives us, after a kill -9, keeps others away until its end."""
    lock = try_lock(out / ".lock")
    if lock is None:
        raise ConfigurationError(f"another process works in {out}; wait for its end, or choose another folder")
    return lock


def _run(order: Order, console: Console, lock: IO[str]) -> str:
    """Run a stage's command to its end."""
    arguments = order.arguments_now()
    console.print(f"linkvla {shlex.join(arguments)}", markup=False, soft_wrap=True)
    # A session of its own: the terminal's Ctrl-C reaches us alone, and we pass it on, once.
    program = subprocess.Popen(
        [sys.executable, "-u", "-m", "linkvla.launch.cli", *arguments],
        stdin=subprocess.DEVNULL,
        start_new_session=True,
        pass_fds=(lock.fileno(),),
    )
    try:
        code = program.wait()
    except BaseException:
        program.send_signal(signal.SIGTERM)
        program.wait()
        raise
    if code == _INTERRUPTED:
        raise KeyboardInterrupt
    if code != 0:
        raise ConfigurationError(
            f"stage {order.stage.name} ended with exit code {code} (its message is above); the same command "
            "goes on there"
        )
    if order.stage.command == "train":
        _copy(order.folder / LAST, order.product)
    return ""


def _choose(order: Order) -> str:
    """Keep the weights with the best driving score; says all scores, best first."""
    scores = {weights: _driving_score(evaluation) for weights, evaluation in order.among.items()}
    ranked = sorted(scores, key=scores.get, reverse=True)
    _copy(ranked[0], order.product)
    return ", ".join(f"{weights.name} {scores[weights]:.1f}" for weights in ranked)


def _driving_score(evaluation: Path) -> float:
    """Mean over the routes, 0..100."""
    path = evaluation / "results.json"
    try:
        means = json.loads(path.read_text(encoding="utf-8"))["_checkpoint"]["global_record"]["scores_mean"]
        return float(means["score_composed"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DataError(f"{path} holds no driving score ({error!r}); was the evaluation finished?") from error


def _copy(weights: Path, target: Path) -> None:
    with replacing(target, MANIFEST) as fresh:
        shutil.copytree(weights, fresh, dirs_exist_ok=True)
