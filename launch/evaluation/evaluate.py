"""``linkvla evaluate``: drive the routes of a benchmark, unattended, and leave results, a table and the command for it.

In the output folder: ``routes/`` with one file per finished route, from which the same command goes on; made from
these, ``results.json`` (leaderboard format) and ``table.md`` (for a model card); ``drives/`` with what the agent
recorded; ``attempts/`` with the logs of servers and evaluators; ``live.json``, where it stands; ``header.json``, what
was driven with what.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timezone
from pathlib import Path

from rich.console import Console

from linkvla.agent.atomic_file import write_text
from linkvla.agent.policy_shelf import clear_shelf
from linkvla.launch.evaluation.evaluate_settings import EvaluateSettings
from linkvla.launch.evaluation.evaluators.contract import SAVE_FOLDER
from linkvla.launch.evaluation.ledger import Ledger
from linkvla.launch.evaluation.preflight import check_agent, check_towns, make_pair
from linkvla.launch.evaluation.progress_display import ProgressDisplay
from linkvla.launch.evaluation.provenance import gpu_names, package_versions
from linkvla.launch.evaluation.results import results_document
from linkvla.launch.evaluation.route_file import RouteSpec, read_routes
from linkvla.launch.evaluation.stage_times import with_stages
from linkvla.launch.evaluation.summary import EvaluationSummary, markdown_table, rich_table
from linkvla.launch.evaluation.supervisor.attempt import AttemptReport, Pair
from linkvla.launch.evaluation.supervisor.board import Board, length_of
from linkvla.launch.evaluation.supervisor.crew import Crew, LocalCrew
from linkvla.launch.evaluation.supervisor.marks import end_all, marked
from linkvla.launch.evaluation.supervisor.run_lock import RunLock
from linkvla.launch.evaluation.supervisor.work_queue import Finished, drive_all
from linkvla.launch.json_file import write_json
from linkvla.model.interface.errors import ConfigurationError

__all__ = ["EvaluateSettings", "EvaluationSummary", "evaluate"]

ATTEMPTS, DRIVES = "attempts", "drives"
MIN_FREE_BYTES = 64 * 1024 * 1024  # on the disk of the results; below it, nothing more is begun
_LIVE_INTERVAL = 1.0  # s between two writings of live.json


def evaluate(settings: EvaluateSettings, console: Console | None = None) -> EvaluationSummary:
    """Drive all routes and write the results; each finished route is on disk at once.

    Ctrl-C ends the running routes, keeps what is finished and returns with ``interrupted`` set. SIGTERM does the same,
    and goes on as SystemExit.

    Raises:
        RouteError: the route file is damaged, a town is unknown or a route off the road; nothing is written then.
        CheckpointError, ConfigurationError: something is missing, the folder holds another evaluation or is in use, or
            the disk is full.
    """
    routes = read_routes(settings.routes, settings.subset or None)
    pair = make_pair(settings)
    pair.server.check()
    pair.evaluator.check(routes, settings.agent)
    check_towns(settings, pair, routes)
    sensors = check_agent(settings)
    clear_shelf()  # the drivers are processes of their own
    folder = settings.output_folder().resolve()
    header = {**settings.header(), **pair.server.header(), **pair.evaluator.header()}
    console = console or Console()
    for remark in pair.evaluator.remarks(routes):
        console.print(remark, style="yellow", markup=False, highlight=False, soft_wrap=True)
    with RunLock(folder, settings.shard):
        return _Evaluation(settings, pair, folder, header, routes, sensors, console).run()


class _Evaluation:
    """State of one call of ``evaluate``, while it holds the folder."""

    def __init__(
        self,
        settings: EvaluateSettings,
        pair: Pair,
        folder: Path,
        header: dict,
        routes: list[RouteSpec],
        sensors: list[str],
        console: Console,
    ) -> None:
        self._settings, self._pair, self._folder, self._header = settings, pair, folder, header
        self._sensors, self._console = sensors, console
        self._packages = package_versions(pair.evaluator.python)
        self._ledger = Ledger(folder / "routes", header, self._packages)
        # An evaluation of all routes leaves nothing alive of any shard's; a shard has only its own to answer for.
        attempts = folder / ATTEMPTS
        self._attempts = attempts if settings.shard.count == 1 else attempts / settings.shard.name
        self._all = settings.tasks(routes, self._attempts)
        self._own = settings.shard.of(self._all)
        finished = [task.route_id for task in self._own if self._ledger.finished(task.route_id)]
        self._open = [task for task in self._own if task.route_id not in finished]
        # The longest first: then no worker is left with one at the end, while the others have nothing to do.
        self._open.sort(key=lambda task: -length_of(task.route))
        self._board = Board(self._own, [self._ledger.get(route_id) for route_id in finished])
        self._live_written = 0.0

    def run(self) -> EvaluationSummary:
        with _readable_disk_errors(self._folder):
            self._clean_up()
            about = {**self._header, "packages": self._packages, **_circumstances(self._settings)}
            write_json(self._folder / "header.json", about)
            self._write_live("running", at_once=True)
            state = "ended"
            try:
                self._drive()
                state = "finished"
            except KeyboardInterrupt:
                state = "interrupted"
            except SystemExit:  # SIGTERM, see ``launch.failures``: the system waits seconds only, so no table is drawn
                state = "interrupted"
                raise
            finally:
                with contextlib.suppress(OSError):  # a full disk must not hide why it ended
                    self._write_live(state, at_once=True)
            summary = replace(self._write_results(), interrupted=state == "interrupted")
        self._say_results(summary)
        return summary

    def _clean_up(self) -> None:
        """End what a supervisor before us has left alive here; it must be dead, for we hold its lock."""
        left = end_all(lambda: marked(self._attempts))
        if left:
            raise ConfigurationError(f"processes of an earlier run cannot be ended: {left}; end them by hand")

    def _drive(self) -> None:
        crew = _crew(self._settings, self._pair, len(self._open))
        news = drive_all(self._open, crew, self._settings.retries, lambda: check_space(self._folder))
        with ProgressDisplay(self._board, self._console) as display, contextlib.closing(news):
            for piece in news:
                if isinstance(piece, Finished):
                    self._keep(piece)
                self._board.take(piece)
                display.show(piece)
                self._write_live("running", at_once=isinstance(piece, Finished))

    def _keep(self, piece: Finished) -> None:
        """First what the agent left, then the record: who sees the record finds the rest in place."""
        drive = self._keep_drive(piece.record.route_id, piece.reports[-1])
        record = with_stages(piece.record, drive)
        self._ledger.put(record, piece.reports)
        self._write_results()

    def _keep_drive(self, route_id: str, report: AttemptReport) -> Path:
        """Give what the agent left its final place; where it lies on another machine's own disk, it stays there."""
        saved, target = Path(report.folder) / SAVE_FOLDER, self._folder / DRIVES / route_id
        shutil.rmtree(target, ignore_errors=True)
        if saved.is_dir() and any(saved.iterdir()):
            target.parent.mkdir(parents=True, exist_ok=True)
            os.replace(saved, target)
        return target

    def _write_results(self) -> EvaluationSummary:
        """Of all routes, those of other shards too."""
        self._ledger.refresh()
        records = [record for task in self._all if (record := self._ledger.get(task.route_id)) is not None]
        summary = EvaluationSummary(tuple(records), len(self._all))
        write_json(self._folder / "results.json", results_document(records, len(self._all), self._sensors))
        settings = self._settings
        driver = f"{settings.agent} ({settings.checkpoint})" if settings.agent == "linkvla" else settings.agent
        notes = [
            f"Driver: {driver}{''.join(f', {probe}' for probe in settings.probes)}; simulator: "
            f"{self._header['simulator']}; evaluator: {settings.evaluator}; seed {settings.seed}; rules: "
            f"{self._header['rules']}."
        ]
        write_text(self._folder / "table.md", markdown_table(summary, settings.command_line(), notes))
        return summary

    def _write_live(self, state: str, at_once: bool) -> None:
        now = time.monotonic()
        if at_once or now - self._live_written >= _LIVE_INTERVAL:
            self._live_written = now
            shard = self._settings.shard
            name = "live.json" if shard.count == 1 else f"live-{shard.name}.json"
            write_json(self._folder / name, self._board.to_json(state))

    def _say_results(self, summary: EvaluationSummary) -> None:
        console, settings = self._console, self._settings
        console.print(rich_table(summary, title=f"{settings.agent} on {settings.routes.name}"))
        for line in summary.notes():
            console.print(line, highlight=False, soft_wrap=True)
        goes_on = summary.interrupted or summary.gave_up
        more = "; the same command with this folder as --out goes on" if goes_on else ""
        console.print(f"results in {self._folder}{more}", highlight=False, soft_wrap=True)


def check_space(folder: Path) -> None:
    """Raise ConfigurationError if the disk of the folder is as good as full: routes would fail for that alone."""
    free = shutil.disk_usage(folder).free
    if free < MIN_FREE_BYTES:
        raise ConfigurationError(
            f"the disk of {folder} has {free // 2**20} MiB left, at least {MIN_FREE_BYTES // 2**20} are needed; make "
            "room and give the same command again: finished routes are kept"
        )


@contextlib.contextmanager
def _readable_disk_errors(folder: Path) -> Iterator[None]:
    """A result that cannot be written ends the evaluation, but is no defect of the program."""
    try:
        yield
    except OSError as error:
        raise ConfigurationError(
            f"results cannot be written to {folder}: {error.strerror or error}; put that right and give the same "
            "command again: finished routes are kept"
        ) from error


def _crew(settings: EvaluateSettings, pair: Pair, jobs: int) -> Crew:
    if settings.cluster:
        from linkvla.launch.cluster import RayCrew

        return RayCrew(pair, settings.slots, settings.cluster)
    return LocalCrew(pair, settings.slots[: max(jobs, 1)])


def _circumstances(settings: EvaluateSettings) -> dict:
    """What results do not depend on, and people want to know."""
    return {
        "command": settings.command_line(),
        "route_file": str(settings.routes.resolve()),
        "started": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        "host": socket.gethostname(),
        "device": ", ".join(settings.devices),
        "workers": settings.workers,
        "repetitions": settings.repetitions,
        "subset": settings.subset,
        "gpus": gpu_names(),
    }
