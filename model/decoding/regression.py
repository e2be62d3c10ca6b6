"""SimLingo's way (the row "Baseline" of LinkVLA's tables): thirty learnt queries after the text, and coordinates from
their outputs.

The queries are the slot embeddings with no action token under them: 20 for the path, 10 for the speed waypoints, read
causally in one pass. No grid, no goal tokens; hence there is no certainty to report.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch

from linkvla.model.decoding.decoded import Decoded
from linkvla.model.decoding.prefix import Prefix, read_opening
from linkvla.model.modeling_linkvla import DrivingBatch, Hidden, LinkVLAForDriving, Tables


@dataclass
class Training:
    """One forward with the queries."""

    tables: Tables
    hidden: Hidden
    points: torch.Tensor  # (B, 30, 2) float32, metres, ego frame


def _queries(model: LinkVLAForDriving, batch: int) -> torch.Tensor:
    return model.slot_embedding.expand(batch, -1, -1)


def one_shot(model: LinkVLAForDriving, batch: DrivingBatch) -> Training:
    """Points for a batch in one forward, with gradients: how training runs."""
    tables = model.tables()
    queries = _queries(model, len(batch.input_ids))
    hidden = model.forward_block(batch, tables, queries, causal=queries.shape[1])
    return Training(tables, hidden, model.regression_head(hidden.block))


def opening(model: LinkVLAForDriving, prefix: Prefix) -> torch.Tensor:
    """(B, 30, width): what the one pass reads, the queries."""
    return _queries(model, len(prefix.pending))


def decode(model: LinkVLAForDriving, prefix: Prefix, mode: str | None = None) -> Decoded:
    """One pass over the prefix and the queries. ``mode`` says how cells are read; there are none."""
    return Decoded(model.regression_head(read_opening(prefix, opening(model, prefix))))
