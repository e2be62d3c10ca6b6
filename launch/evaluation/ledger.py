"""Finished routes on disk, one file each: the only thing that an interrupted evaluation needs to go on.

A file says all there is to know of a route: what its result depends on, the record, how its time was spent, and the
attempts that were made. It appears whole or not at all, and a route has one file however often it is driven.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

from linkvla.launch.evaluation.records import RouteRecord, Timing
from linkvla.launch.evaluation.supervisor.attempt import AttemptReport
from linkvla.launch.json_file import write_json
from linkvla.model.interface.errors import ConfigurationError

FORMAT = 2


class Ledger:
    """The folder ``<out>/routes`` with one JSON file per route and repetition.

    Args:
        folder: made when the first record is written.
        header: what the records depend on; records made with another header are never mixed in.
        packages: versions that are kept with each new record, for people; they may differ from record to record.

    Raises:
        ConfigurationError: the folder holds records of a different evaluation, or a damaged one.
    """

    def __init__(self, folder: Path, header: dict, packages: Mapping[str, str] | None = None) -> None:
        self._folder = folder
        self._packages = dict(packages or {})
        self._header = {"format": FORMAT, **header}
        self._records: dict[str, RouteRecord] = {}
        self.refresh()

    def refresh(self) -> None:
        """Read what other shards have finished meanwhile.

        Raises:
            ConfigurationError: as the constructor.
        """
        for path in sorted(self._folder.glob("*.json")) if self._folder.is_dir() else []:
            record = self._read(path)
            self._records[record.route_id] = record

    def get(self, route_id: str) -> RouteRecord | None:
        """The record of a route, ``RouteScenario_<id>_rep<n>``, also of one that was given up."""
        return self._records.get(route_id)

    def finished(self, route_id: str) -> bool:
        """Whether a route needs no more driving. One that was given up says nothing about the agent: it does."""
        record = self.get(route_id)
        return record is not None and not record.gave_up

    def put(self, record: RouteRecord, reports: Sequence[AttemptReport] = ()) -> None:
        """Keep a record, on disk too, with what is known of its attempts."""
        document = {
            "header": self._header,
            "packages": self._packages,
            "record": record.to_leaderboard(),
            "timing": asdict(record.timing),
            "error": record.error,
            "attempts": [report.to_json() for report in reports],
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
