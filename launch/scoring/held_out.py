"""The frames that are scored: the user's recordings, or held-out ones made on the spot and kept."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from linkvla.launch.scoring.settings import ScoreSettings
from linkvla.model.configuration_linkvla import LinkVLAConfig
from linkvla.model.data.source import open_sources
from linkvla.model.evaluation.frames import Frame, Frames
from linkvla.model.interface.errors import DataError

RECORDING_SEED = 2026  # training recordings are made in other towns, whatever their seed


def data_folder(settings: ScoreSettings, tile: int, console: Console) -> Path:
    """The folder to score on; without ``data``, recorded in the held-out towns unless an earlier run did it, in views
    of two tiles, ``tile`` pixels wide.
    """
    if settings.data is not None:
        return settings.data
    from linkvla.launch import collection  # late: scoring given recordings needs no simulator

    folder = settings.held_out_folder()
    if not (folder / "shard-00000" / "manifest.json").exists():
        towns = " and ".join(collection.HELD_OUT_TOWNS)
        console.print(f"recording {settings.frames} frames in {towns}, to be kept in {folder}", highlight=False)
    collection.collect(
        collection.CollectSettings(
            out=folder,
            frames=settings.frames,
            towns=collection.HELD_OUT_TOWNS,
            tile=tile,
            seed=RECORDING_SEED,
            workers=min(2, settings.frames),
        )
    )
    return folder


def open_frames(folder: Path, config: LinkVLAConfig, limit: int) -> Frames:
    """At most ``limit`` frames of a folder. Raises DataError when there are none or the network sees other views."""
    return Frames(open_sources(folder, config.view_shape, config.interpolation), limit)


def data_digest(folder: Path) -> dict[str, str]:
    """SHA-256 of what identifies recordings, by path below ``folder``: manifests and languages."""
    names = ("manifest.json", "annotations.bin")
    files = sorted(path for name in names for path in [*folder.glob(name), *folder.glob(f"*/{name}")])
    return {path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


class Watch:
    """Batches of frames with a progress bar on the terminal; a context manager."""

    def __init__(self, console: Console, frames: Frames, batch: int) -> None:
        self._frames, self._batch = frames, batch
        self._progress = Progress(
            TextColumn("{task.description}"), BarColumn(bar_width=30), MofNCompleteColumn(), TextColumn("frames"),
            TimeRemainingColumn(), console=console, transient=True, disable=not console.is_terminal,
        )  # fmt: skip

    def __enter__(self) -> Watch:
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def batches(self, what: str) -> Iterator[list[Frame]]:
        """All frames in batches, under the heading ``what``."""
        task = self._progress.add_task(what, total=len(self._frames))
        for frames in self._frames.batches(self._batch):
            yield frames
            self._progress.advance(task, len(frames))
        self._progress.remove_task(task)


def require(found: int, what: str) -> None:
    """Raise DataError when no frame carries ``what`` (instructions, commentary)."""
    if not found:
        raise DataError(
            f"none of these frames has {what}; record some with `linkvla collect`, "
            "or leave --data out to record held-out frames now"
        )
