"""What is known about one route of a pass: scores, efficiency, comfort, and whether it heeded its signs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from linkvla.agent.recorder import FILE_NAME as RECORD
from linkvla.launch.evaluation.records import RouteRecord
from linkvla.launch.evaluation.route_file import RouteSpec
from linkvla.launch.evaluation.scores import Rules
from linkvla.launch.evaluation.scoring.abilities import ABILITIES, TRAFFIC_SIGNS
from linkvla.launch.evaluation.scoring.comfort import read_metric_info, route_comfort
from linkvla.launch.evaluation.scoring.efficiency import route_efficiency
from linkvla.launch.evaluation.scoring.junctions import shares_needed
from linkvla.launch.evaluation.scoring.passes import Pass, in_town_of
from linkvla.launch.evaluation.scoring.rescore import rescored
from linkvla.launch.evaluation.scoring.steering import read_steering, steering_change
from linkvla.model.interface.errors import DataError

METRICS = "metric_info.json"


@dataclass(frozen=True)
class RouteScore:
    """One expected route of one pass. A route without a record scores 0 and has nothing else."""

    route_id: str  # in the route file
    town: str
    scenario: str  # type of the first scenario, "" for none
    record: RouteRecord | None
    efficiency: float | None = None  # percent
    comfort: float | None = None  # 0..1
    heeded_sign: bool = False  # Traffic_Signs only: past the first junction without running a light or a stop sign
    steering_change: float | None = None  # percent of full lock, per decision while the car moves

    @property
    def success(self) -> bool:
        """Bench2Drive's success."""
        return self.record is not None and self.record.success


def score_routes(
    drive: Pass,
    routes: Sequence[RouteSpec],
    rules: Rules | None,
    metric_folders: Sequence[Path] = (),
    towns: Sequence[Path] = (),
) -> tuple[list[RouteScore], list[str]]:
    """Scores of every expected route, in their order, and notes on what could not be told.

    Args:
        drive: the pass.
        routes: the expected ones.
        rules: by which to score; None keeps the scores of the records.
        metric_folders: where ``<save name or route id>/metric_info.json`` lie, beside the places of the pass.
        towns: folders with further ``.xodr`` files.
    """
    shares, notes = shares_needed([route for route in routes if _may_have_heeded(route, drive)], towns)
    all_notes = list(notes)
    scores: list[RouteScore] = []
    silent: list[str] = []
    uncomfortable: list[str] = []
    folders = (*metric_folders, *drive.metric_folders)
    for route in routes:
        record = drive.records.get(route.id)
        scenario = scenario_type(route)
        if record is None:
            scores.append(RouteScore(route.id, route.town, scenario, None))
            continue
        record = in_town_of(route, record)
        efficiency = route_efficiency(record.infractions["min_speed_infractions"])
        if efficiency is None:
            silent.append(route.id)
        comfort = _measured(record, folders, METRICS, lambda file: route_comfort(read_metric_info(file)))
        if comfort is None:
            uncomfortable.append(route.id)
        share = shares.get(route.id)
        heeded = share is not None and record.score_route / 100.0 > share
        if rules is not None:
            record = rescored(record, rules)
        town = route.town or record.town
        restless = _measured(record, folders, RECORD, lambda file: steering_change(read_steering(file)))
        scores.append(RouteScore(route.id, town, scenario, record, efficiency, comfort, heeded, restless))
    all_notes += _left_out("efficiency", "no speed of the traffic to compare with", silent, len(routes))
    all_notes += _left_out("comfortness", f"no usable {METRICS}", uncomfortable, len(routes))
    unsteered = [one.route_id for one in scores if one.record is not None and one.steering_change is None]
    if any(one.steering_change is not None for one in scores):  # official runs have no such records at all
        all_notes += _left_out("steering change", f"no usable {RECORD}", unsteered, len(routes))
    return scores, all_notes


def scenario_type(route: RouteSpec) -> str:
    """The type that Bench2Drive goes by: of the first scenario."""
    return route.scenarios[0].type if route.scenarios else ""


def _may_have_heeded(route: RouteSpec, drive: Pass) -> bool:
    """Whether it matters for Traffic_Signs how far the route was driven."""
    record = drive.records.get(route.id)
    return (
        record is not None
        and scenario_type(route) in ABILITIES[TRAFFIC_SIGNS]
        and not record.success
        and not record.infractions["stop_infraction"]
        and not record.infractions["red_light"]
        and record.score_route > 0.0
    )


def _measured(
    record: RouteRecord, folders: Sequence[Path], file_name: str, measure: Callable[[Path], float | None]
) -> float | None:
    """What a file that the drive has left says; None without a file that says anything."""
    file = _left_behind(record, folders, file_name)
    try:
        return None if file is None else measure(file)
    except DataError:
        return None


def _left_behind(record: RouteRecord, folders: Sequence[Path], file_name: str) -> Path | None:
    """``<save name>/<file name>``, as evaluators leave it, also in a folder of the route as our runs keep it."""
    names = [name for name in (record.save_name, record.route_id) if name and Path(name).name == name]  # no ways out
    for folder in folders:
        for name in names:
            found = [folder / name / file_name, *sorted((folder / name).glob(f"*/{file_name}"))]
            there = [file for file in found if file.is_file()]
            if there:
                return there[0]
    return None


def _left_out(what: str, why: str, ids: Sequence[str], total: int) -> list[str]:
    if not ids:
        return []
    named = ", ".join(ids[:12]) + (f" and {len(ids) - 12} more" if len(ids) > 12 else "")
    return [f"{what} is without {len(ids)} of {total} routes, which have {why}: {named}"]
