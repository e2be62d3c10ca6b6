"""Words: greedy generation over the cached prefix, and how probable a given text is.

Generation takes a prefix whose prompts end where the answer begins (``LinkVLAProcessor.encode(open_answer=True)``) and
leaves it where an action decoder can go on: behind a complete turn.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from tokenizers import Tokenizer
from torch.nn import functional

from linkvla.model.decoding.prefix import Prefix, advance, append
from linkvla.model.modeling_linkvla import IGNORED, DrivingBatch, LinkVLAForDriving
from linkvla.model.prompts import ANSWER, TURN_END

MAX_TOKENS = 100
"""Tokens of an answer, at most (SimLingo)."""


@dataclass(frozen=True)
class Answers:
    """What was said, per sample."""

    texts: list[str]  # as generated; see ``prompts.without_marker``
    tokens: list[int]  # tokens generated, with the end of turn where it was reached
    closed_by_force: list[bool]  # the limit was reached first


def generate(
    model: LinkVLAForDriving,
    tokenizer: Tokenizer,
    prefix: Prefix,
    limit: int = MAX_TOKENS,
    closing: str = f" {ANSWER}",
) -> Answers:
    """Complete the open answers of ``prefix``, greedily, with at most ``limit`` tokens each.

    Only text can be said: no action cell, no goal, no special token but the end of turn. Samples that end early are
    hidden while the others go on. Where the limit is reached, ``closing`` and the end of turn are put in, so that what
    follows finds the end of a turn in any case; the last tokens are left pending, to be read in one pass with it.
    """
    end = tokenizer.token_to_id(TURN_END)
    added = tokenizer.get_added_tokens_decoder()
    barred = [number for number, token in added.items() if token.special and number != end]
    barred = torch.tensor(barred, device=prefix.pending.device)
    going = torch.ones(len(prefix.pending), dtype=torch.bool, device=prefix.pending.device)
    said: list[torch.Tensor] = []
    while len(said) < limit and bool(going.any()):
        scores = prefix.tables.score_text(advance(prefix)[:, -1])
        best = scores.index_fill(-1, barred, float("-inf")).argmax(-1)
        token = torch.where(going, best, end)
        append(prefix, prefix.tables.embed(token[:, None]), valid=going[:, None])
        said.append(token)
        going = going & (token != end)
    if bool(going.any()):
        ids = torch.tensor([*tokenizer.encode(closing, add_special_tokens=False).ids, end], device=going.device)
        append(
            prefix,
            prefix.tables.embed(ids.expand(len(going), -1)),
            valid=going[:, None].expand(-1, len(ids)),
        )
    rows = torch.stack(said, dim=1).tolist() if said else [[] for _ in range(len(going))]
    cut = [row[: row.index(end) + 1] if end in row else row for row in rows]
    texts = [tokenizer.decode(row, skip_special_tokens=True).strip() for row in cut]
    return Answers(texts, [len(row) for row in cut], going.tolist())


@torch.inference_mode()
def text_log_probability(model: LinkVLAForDriving, batch: DrivingBatch) -> torch.Tensor:
    """(B,) float32: mean log-probability of the labelled tokens, end of turn included, as ``generate`` would say them.

    ``batch``: complete answers, with labels.
    """
    tables = model.tables()
    hidden = model.forward_block(batch, tables).prefix[:, :-1]
    labels = batch.labels[:, 1:]
    learnt = labels != IGNORED
    said = functional.log_softmax(tables.score_text(hidden[learnt]).float(), dim=-1)
    said = said.gather(-1, labels[learnt][:, None])[:, 0]
    per_token = torch.zeros(labels.shape, device=said.device).masked_scatter(learnt, said)
    return per_token.sum(-1) / learnt.sum(-1).clamp(min=1)
