"""Words: greedy generation over the cached prefix, and how probable a given text is.

Generation takes a prefix whose prompts end where the answer begins (``LinkVLAProcessor.encode(open_answer=True)``) and
leaves it where an action decoder can go on: behind a complete turn.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from tokenizers import Tokenizer
from torch.nn import functional

from linkvla.model.decoding.prefix import Prefix, advance, append, keep
from linkvla.model.decoding.recall import Recall
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
    drafted: list[int]  # tokens that were guessed
    accepted: list[int]  # those of them that were right
    passes: int  # forward passes of the language model in which words were read, for all samples together


class _Speech:
    """One sample's answer as it grows."""

    def __init__(self, limit: int, end: int, recall: Recall | None) -> None:
        self.tokens: list[int] = []
        self.drafted = self.accepted = 0
        self._limit, self._end, self._recall = limit, end, recall

    @property
    def closed(self) -> bool:
        return self.tokens[-1:] == [self._end]

    @property
    def going(self) -> bool:
        return not self.closed and len(self.tokens) < self._limit

    def proposal(self) -> list[int]:
        """A guess of the next tokens, with room left for one behind them."""
        if self._recall is None or not self.going:
            return []
        return self._recall.propose(self.tokens)[: self._limit - len(self.tokens) - 1]

    def hear(self, proposal: Sequence[int], best: Sequence[int]) -> tuple[int, list[int]]:
        """Say what is right of a proposal and the true token after that; how much was right, and that token.

        ``best``: the most probable token at the place of each proposed one, and at the place behind them. There is no
        true token where the turn is over.
        """
        right = next((n for n, token in enumerate(proposal) if token != best[n]), len(proposal))
        self.tokens += proposal[:right]
        self.drafted += len(proposal)
        self.accepted += right
        true = [best[right]] if self.going else []
        self.tokens += true
        return right, true


def generate(
    model: LinkVLAForDriving,
    tokenizer: Tokenizer,
    prefix: Prefix,
    limit: int = MAX_TOKENS,
    closing: str = f" {ANSWER}",
    recalls: Sequence[Recall] | None = None,
    opening: torch.Tensor | None = None,
) -> Answers:
    """Complete the open answers of ``prefix``, greedily, with at most ``limit`` tokens each.

    Only text can be said: no action cell, no goal, no special token but the end of turn. Samples that end early are
    hidden while the others go on. Where the limit is reached, ``closing`` and the end of turn are put in, so that what
    follows finds the end of a turn in any case; the last tokens are left pending, to be read in one pass with it.

    ``recalls``, one per sample, make it faster and change nothing: what they propose is read together with what is
    pending, and as much of it is said as greedy decoding would have said; each answer is remembered. A token whose
    rival is as probable up to rounding may fall either way, as between any two ways to compute the same sum.

    ``opening`` (B, k, width): what the action decoder reads first. It is read along behind a proposal that ends the
    turn; if the proposal was right, the decoder's first pass is done (``prefix.opened``).
    """
    end = tokenizer.token_to_id(TURN_END)
    added = tokenizer.get_added_tokens_decoder()
    barred = [number for number, token in added.items() if token.special and number != end]
    barred = torch.tensor(barred, device=prefix.pending.device)
    speeches = [_Speech(limit, end, recall) for recall in recalls or [None] * len(prefix.pending)]
    passes = prefix.passes
    while any(speech.going for speech in speeches):
        proposals = [speech.proposal() for speech in speeches]
        guessed = max(map(len, proposals))
        if guessed:
            _append(prefix, proposals)
        ends = all(speech.closed or proposal[-1:] == [end] for speech, proposal in zip(speeches, proposals))
        ahead = opening.shape[1] if ends and opening is not None else 0
        if ahead:
            append(prefix, opening)
        hidden = advance(prefix, last=1 + guessed + ahead)
        block = hidden[:, : 1 + guessed]
        best = prefix.tables.score_text(block).index_fill_(-1, barred, float("-inf")).argmax(-1).tolist()
        right, true = zip(*(speech.hear(*heard) for speech, *heard in zip(speeches, proposals, best)))
        if ahead and not any(true):
            prefix.opened = hidden[:, 1 + guessed :]
            break
        keep(prefix, guessed + ahead, right)
        if any(true):
            _append(prefix, true)
    if not all(speech.closed for speech in speeches):
        words = [*tokenizer.encode(closing, add_special_tokens=False).ids, end]
        _append(prefix, [[] if speech.closed else words for speech in speeches])
    for speech, recall in zip(speeches, recalls or ()):
        recall.remember(speech.tokens)
    return Answers(
        [tokenizer.decode(speech.tokens, skip_special_tokens=True).strip() for speech in speeches],
        [len(speech.tokens) for speech in speeches],
        [not speech.closed for speech in speeches],
        [speech.drafted for speech in speeches],
        [speech.accepted for speech in speeches],
        prefix.passes - passes,
    )


def _append(prefix: Prefix, rows: Sequence[Sequence[int]]) -> None:
    """Queue tokens, of which some samples may have fewer than others."""
    device, longest = prefix.pending.device, max(map(len, rows))
    ids = torch.tensor([[*row, *[0] * (longest - len(row))] for row in rows], device=device)
    valid = None
    if min(map(len, rows)) < longest:
        valid = torch.arange(longest, device=device) < torch.tensor([[len(row)] for row in rows], device=device)
    append(prefix, prefix.tables.embed(ids), valid)


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
