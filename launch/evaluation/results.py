"""The leaderboard's result file: ``{_checkpoint: {global_record, progress, records}, entry_status, eligible, ...}``."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from linkvla.launch.evaluation import scores
from linkvla.launch.evaluation.records import SENSORS_INVALID, SIMULATION_CRASHED, RouteRecord

SENSOR_ICONS = {
    "sensor.camera.rgb": "carla_camera",
    "sensor.lidar.ray_cast": "carla_lidar",
    "sensor.other.radar": "carla_radar",
    "sensor.other.gnss": "carla_gnss",
    "sensor.other.imu": "carla_imu",
    "sensor.opendrive_map": "carla_opendrive_map",
    "sensor.speedometer": "carla_speedometer",
}

_VALUES = (
    ("Avg. driving score", "score_composed"),
    ("Avg. route completion", "score_route"),
    ("Avg. infraction penalty", "score_penalty"),
    ("Collisions with pedestrians", "collisions_pedestrian"),
    ("Collisions with vehicles", "collisions_vehicle"),
    ("Collisions with layout", "collisions_layout"),
    ("Red lights infractions", "red_light"),
    ("Stop sign infractions", "stop_infraction"),
    ("Off-road infractions", "outside_route_lanes"),
    ("Route deviations", "route_dev"),
    ("Route timeouts", "route_timeout"),
    ("Agent blocked", "vehicle_blocked"),
    ("Yield emergency vehicles infractions", "yield_emergency_vehicle_infractions"),
    ("Scenario timeouts", "scenario_timeouts"),
    ("Min speed infractions", "min_speed_infractions"),
)


def results_document(
    records: Sequence[RouteRecord], total: int, sensors: Iterable[str] = (), entry_status: str | None = None
) -> dict:
    """The whole result file as plain data.

    Args:
        records: finished routes, in the order of the route file.
        total: routes of the evaluation; means are over all of them.
        sensors: CARLA type ids of the agent's sensors.
        entry_status: overrides what follows from the records (Started, Finished, Rejected, Crashed).
    """
    records = [replace(record, index=index) for index, record in enumerate(records)]
    overall = _global_record(records, total)
    status = entry_status or _entry_status(records, total)
    numbers = {**overall["scores_mean"], **overall["infractions"]}
    return {
        "_checkpoint": {
            "global_record": overall,
            "progress": [len(records), total],
            "records": [record.to_leaderboard() for record in records],
        },
        "entry_status": status,
        "eligible": status == "Finished",
        "sensors": sorted({SENSOR_ICONS[sensor] for sensor in sensors if sensor in SENSOR_ICONS}),
        "values": [str(numbers[key]) for _, key in _VALUES],
        "labels": [label for label, _ in _VALUES],
    }


def _entry_status(records: Sequence[RouteRecord], total: int) -> str:
    status = "Finished" if len(records) == total else "Started"
    for record in records:
        if SIMULATION_CRASHED in record.status:
            status = "Crashed"
        elif SENSORS_INVALID in record.status:
            status = "Rejected"
    return status


def _global_record(records: Sequence[RouteRecord], total: int) -> dict:
    columns = {
        "score_composed": [record.score_composed for record in records],
        "score_route": [record.score_route for record in records],
        "score_penalty": [record.score_penalty for record in records],
    }
    failed = [record for record in records if record.status.startswith("Failed")]
    if failed:
        status = "Failed"
    else:
        status = "Perfect" if all(record.status == "Perfect" for record in records) else "Completed"
    return {
        "index": -1,
        "route_id": -1,
        "status": status,
        "infractions": _infractions_per_km(records),
        "scores_mean": {key: round(scores.mean(column, total), 6) for key, column in columns.items()},
        "scores_std_dev": {key: round(scores.standard_deviation(column, total), 3) for key, column in columns.items()},
        "meta": {
            "total_length": round(sum(record.route_length for record in records), 3),
            "duration_game": round(sum(record.duration_game for record in records), 3),
            "duration_system": round(sum(record.duration_system for record in records), 3),
            "exceptions": [[record.route_id, record.index, record.status] for record in failed],
        },
    }


def _infractions_per_km(records: Sequence[RouteRecord]) -> dict[str, float]:
    """Events per driven kilometre; of "outside_route_lanes" the kilometres outside, as the leaderboard has it."""
    kilometres = max(sum(record.route_length / 1000 * record.score_route / 100 for record in records), 0.001)
    table: dict[str, float] = {}
    for kind in scores.INFRACTION_KINDS:
        if kind == "outside_route_lanes":
            table[kind] = round(sum(_metres_outside(record) for record in records) / 1000, 3)
        else:
            table[kind] = round(sum(len(record.infractions[kind]) for record in records) / kilometres, 3)
    return table


def _metres_outside(record: RouteRecord) -> float:
    """Read back from the message, which is where the format keeps it ("... for about 12.5 meters (...)")."""
    messages = record.infractions["outside_route_lanes"]
    return float(messages[0].split("about ")[1].split(" ")[0]) if messages else 0.0
