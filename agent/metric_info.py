"""``metric_info.json``: how the ego moved, tick by tick, for Bench2Drive's efficiency and comfortness scores.

Bench2Drive's base class measures (``get_metric_info``) but writes nothing; its tool then opens
``<metric folder>/<save name>/metric_info.json`` for every route.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from linkvla.agent.atomic_file import write_text
from linkvla.agent.environment import save_folder
from linkvla.agent.incidents import Incidents

FILE_NAME = "metric_info.json"
_WRITE_EVERY = 200  # ticks (10 s); what a killed evaluator loses at most


class MetricInfoFile:
    """Collects one entry per tick under its number, from 0; written every ten seconds and at the end."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._entries: dict[str, dict[str, list[float]]] = {}

    def add(self, entry: dict[str, list[float]]) -> None:
        """The entry of the next tick."""
        self._entries[str(len(self._entries))] = entry
        if len(self._entries) % _WRITE_EVERY == 0:
            self.write()

    def write(self) -> None:
        """Write all entries, unless there is none."""
        if self._entries:
            write_text(self.path, json.dumps(self._entries))


class MetricRecorder:
    """Writes what the evaluator's base class measures; idle where it measures nothing or wants no files.

    What fails here is counted and costs no route.

    Args:
        agent: on any base class.
        config: as the evaluator hands it to ``setup``: Bench2Drive appends ``+`` and a name for each route.
        incidents: of the agent.
    """

    def __init__(self, agent: Any, config: str | None, incidents: Incidents) -> None:
        self._agent, self._incidents = agent, incidents
        folder, name = save_folder(), (config or "").rpartition("+")[2]
        wanted = folder is not None and name != (config or "") and hasattr(agent, "get_metric_info")
        self._file = MetricInfoFile(folder / Path(name).name / FILE_NAME) if wanted else None

    def tick(self) -> None:
        """Record this tick."""
        if self._file is None:
            return
        try:
            if self._agent.hero_actor is None:
                self._agent.get_hero()
            self._file.add(self._agent.get_metric_info())
        except (RuntimeError, AttributeError, OSError) as error:
            self._incidents.note("metric info", f"this tick was not recorded in {self._file.path}", error)

    def close(self) -> None:
        """Write what there is."""
        if self._file is None:
            return
        try:
            self._file.write()
        except OSError as error:
            self._incidents.note("metric info", f"{self._file.path} could not be written", error)
