"""What a process of ``linkvla collect`` does with a shard: see that its files are there, the manifest last."""

from __future__ import annotations

import contextlib
from itertools import islice

from linkvla.launch.collection.crew import Maker, Tell
from linkvla.launch.collection.settings import CollectSettings
from linkvla.launch.collection.shards import Shard, notes_of
from linkvla.launch.collection.simlingo_worker import DriveShards
from linkvla.launch.collection.sources import Source, open_source
from linkvla.model.data.recording import RecordingWriter


class RecordingShards:
    """Shards as memory-mapped recordings."""

    def __init__(self, settings: CollectSettings, source: Source) -> None:
        self._settings, self._source = settings, source

    def __call__(self, shard: Shard, tell: Tell) -> None:
        """Make one. Nothing that counts as a recording is left behind when it fails."""
        settings, notes = self._settings, notes_of(self._settings, shard)
        writer = RecordingWriter(
            shard.folder,
            shard.frames,
            towns=settings.towns,
            view_shape=settings.view_shape,
            notes=notes,
            annotated=settings.language,
        )
        with writer, contextlib.closing(self._source.records(shard)) as records:
            for record in islice(records, shard.frames):
                writer.append(record)
                tell(len(writer))
            writer.notes |= self._source.notes()


def open_maker(settings: CollectSettings) -> Maker:
    """The maker that the layout asks for."""
    if settings.layout == "simlingo":
        return DriveShards(settings)
    return RecordingShards(settings, open_source(settings))
