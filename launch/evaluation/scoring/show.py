"""Prints scores."""

from __future__ import annotations

import json

from rich.console import Console

from linkvla.launch.evaluation.scoring.benchmark_scores import BenchmarkScores
from linkvla.launch.evaluation.scoring.document import scores_document
from linkvla.launch.evaluation.scoring.score_tables import score_tables


def show(result: BenchmarkScores, as_json: bool = False, markdown: bool = False) -> None:
    """To standard output: tables for the terminal, or JSON for programs, or Markdown for a model card."""
    if as_json:
        print(json.dumps(scores_document(result), indent=2))
        return
    tables = score_tables(result)
    if markdown:
        print("\n".join(table.markdown() for table in tables))
        return
    console = Console()
    for table in tables:
        console.print(table.rich())
