"""Finished routes on disk, one file each, so that an interrupted evaluation goes on where it stopped."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

from linkvla.launch.evaluation.records import SIMULATION_CRASHED, RouteRecord, Timing
from linkvla.launch.json_file import write_json
from linkvla.model.interface.errors import ConfigurationError

FORMAT = 1


class Ledger:
    """The folder ``<out>/routes`` with one JSON file per route and repetition.

    Args:
        folder: made when the first record is written.
        header: what the records depend on; records made with another header are never mixed in.

    Raises:
        ConfigurationError: the folder holds records of a different evaluation, or a damaged one.
    """

    def __init__(self, folder: Path, header: dict) -> None:
        self._folder = folder
        self._header = {"format": FORMAT, **header}
        self._records: dict[str, RouteRecord] = {}
        for path in sorted(folder.glob("*.json")) if folder.is_dir() else []:
            record = self._read(path)
            if SIMULATION_CRASHED not in record.status:  # a dead simulator says nothing about the agent: drive again
                self._records[record.route_id] = record

    def get(self, route_id: str) -> RouteRecord | None:
        """The record of a finished route, ``RouteScenario_<id>_rep<n>``."""
        return self._records.get(route_id)

    def put(self, record: RouteRecord) -> None:
        """Keep a record, on disk too."""
        document = {
            "header": self._header,
            "record": record.to_leaderboard(),
            "timing": asdict(record.timing),
            "error": record.error,
        }
        write_json(self._folder / f"{record.route_id}.json", document)
        self._records[record.route_id] = record

    def _read(self, path: Path) -> RouteRecord:
        try:
            document = json.loads(path.read_text(encoding="utf-8"))
            header = document["header"]
            record = RouteRecord.from_leaderboard(
                document["record"], Timing(**document["timing"]), document.get("error", "")
            )
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise ConfigurationError(
                f"{path} is not a route record of linkvla ({type(error).__name__}: {error}); "
                "remove it or choose another output folder"
            ) from error
        if header != self._header:
            different = sorted(key for key in {*header, *self._header} if header.get(key) != self._header.get(key))
            raise ConfigurationError(
                f"{path.parent} holds results of another evaluation (different: {', '.join(different)}); "
                "choose another output folder, or remove it"
            )
        return record
