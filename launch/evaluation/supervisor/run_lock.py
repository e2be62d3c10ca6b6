"""One supervisor per folder of results. The lock dies with its process; shards of one evaluation share the folder."""

from __future__ import annotations

import json
import os
import socket
from pathlib import Path
from typing import IO

from linkvla.launch.carla_server.ports import try_lock
from linkvla.launch.evaluation.supervisor.shard import Shard
from linkvla.model.interface.errors import ConfigurationError

FOLDER = ".locks"


class RunLock:
    """Held from the beginning to the end of an evaluation.

    Args:
        folder: of the results.
        shard: the part of the routes that is driven here.

    Raises:
        ConfigurationError: another process drives these routes into this folder.
    """

    def __init__(self, folder: Path, shard: Shard) -> None:
        locks = folder / FOLDER
        locks.mkdir(parents=True, exist_ok=True)
        own = locks / f"{shard.name}.lock"
        self._file = _hold(own, folder)
        others = [path for path in locks.glob("*.lock") if path != own and shard.overlaps(Shard.named(path.stem))]
        try:
            for path in others:
                _hold(path, folder).close()
        except BaseException:
            self.close()
            raise
        own.write_text(json.dumps({"pid": os.getpid(), "host": socket.gethostname()}) + "\n", encoding="utf-8")

    def close(self) -> None:
        """Let others drive into the folder."""
        self._file.close()

    def __enter__(self) -> RunLock:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()


def _hold(path: Path, folder: Path) -> IO[str]:
    file = try_lock(path)
    if file is None:
        raise ConfigurationError(
            f"{folder} is in use: {path.stem} is being driven ({_holder(path)}); wait for its end, stop it, "
            "or choose another output folder"
        )
    return file


def _holder(path: Path) -> str:
    try:
        note = json.loads(path.read_text(encoding="utf-8"))
        return f"process {note['pid']} on {note['host']}"
    except (OSError, ValueError, KeyError, TypeError):
        return "process unknown"
