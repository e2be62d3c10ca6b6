"""Bench2Drive's ``merged.json``, for its other tools and for handing in results.

Written as ``tools/merge_route_json.py`` writes it: records without their index, in descending order of their ids as
text, and scores as fractions of one. Other than there, the divisor is the number of expected routes instead of 220,
and records of unexpected routes are left out.
"""

from __future__ import annotations

from pathlib import Path

from linkvla.launch.evaluation.scoring.benchmark_scores import BenchmarkScores, PassScores
from linkvla.launch.json_file import write_json


def merged_document(result: PassScores) -> dict:
    """The content of a ``merged.json`` for one pass."""
    records = [route.record.to_leaderboard() for route in result.routes if route.record is not None]
    for record in records:
        del record["index"]
    records.sort(key=lambda record: record["route_id"], reverse=True)
    return {
        "_checkpoint": {"records": records},
        "driving score": result.measures["driving_score"],
        "success rate": result.measures["success_rate"] / 100.0,
        "eval num": len(records),
    }


def write_merged(result: BenchmarkScores, file: Path) -> list[Path]:
    """Write one file, or with several passes one for each, ``merged-1.json`` and so on. Returns what was written.

    ``merged`` must stay part of the names: the official tool leaves out such files when it reads the folder again.
    """
    if len(result.passes) == 1:
        files = [file]
    else:
        files = [file.with_name(f"{file.stem}-{number + 1}{file.suffix}") for number in range(len(result.passes))]
    for one, target in zip(result.passes, files):
        write_json(target, merged_document(one))
    return files
