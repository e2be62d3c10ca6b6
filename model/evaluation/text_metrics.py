"""How near texts are to reference texts: BLEU, ROUGE-L, exact match, and SPICE where it can be run.

Neither SimLingo's nor LinkVLA's paper says which order of BLEU it means: both 1 and 4 are given, each named. All in
percent. ROUGE-L is the mean F1 of single texts; BLEU is over the corpus, in sacrebleu's standard tokenisation.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from rouge_score.rouge_scorer import RougeScorer
from sacrebleu.metrics import BLEU

from linkvla.model.evaluation.spice import Spice, SpiceUnavailableError
from linkvla.model.interface.errors import DataError

BLEU_ORDERS = (1, 4)


@dataclass(frozen=True)
class TextScores:
    """Scores of ``count`` texts, in percent; NaN where there is nothing to score.

    ``missing``: why a metric has no value, by its name.
    """

    count: int
    bleu_1: float
    bleu_4: float
    rouge_l: float
    exact: float
    spice: float = math.nan
    missing: dict[str, str] = field(default_factory=dict)


def bleu(said: Sequence[str], references: Sequence[str], order: int) -> float:
    """Corpus BLEU up to ``order``-grams, 0..100."""
    return BLEU(max_ngram_order=order).corpus_score(list(said), [list(references)]).score


def rouge_l(said: Sequence[str], references: Sequence[str]) -> float:
    """Mean F1 of the longest common subsequence of words, 0..100."""
    scorer = RougeScorer(["rougeL"])
    return 100.0 * float(np.mean([scorer.score(b, a)["rougeL"].fmeasure for a, b in zip(said, references)]))


def exact(said: Sequence[str], accepted: Sequence[Sequence[str]]) -> float:
    """Share of texts that equal one of their accepted wordings, but for spaces around them, 0..100."""
    return 100.0 * float(np.mean([a.strip() in {b.strip() for b in those} for a, those in zip(said, accepted)]))


def score_texts(
    said: Sequence[str],
    references: Sequence[str],
    spice: Spice | None = None,
    accepted: Sequence[Sequence[str]] | None = None,
) -> TextScores:
    """All scores of some texts, each against its one reference.

    ``spice``: None leaves that column empty and says so. ``accepted``: wordings beside the reference that are exact
    as well. Raises DataError when the lengths differ.
    """
    if len(said) != len(references):
        raise DataError(f"each text needs one reference, got {len(said)} texts and {len(references)} references")
    if not said:
        return TextScores(0, math.nan, math.nan, math.nan, math.nan, missing={"spice": "no texts"})
    value, missing = math.nan, {}
    try:
        value = (spice or Spice(None)).score(said, references)
    except SpiceUnavailableError as error:
        missing["spice"] = str(error)
    wordings = [(reference, *others) for reference, others in zip(references, accepted or [()] * len(references))]
    orders = {f"bleu_{order}": bleu(said, references, order) for order in BLEU_ORDERS}
    return TextScores(
        len(said), **orders, rouge_l=rouge_l(said, references), exact=exact(said, wordings), spice=value,
        missing=missing,
    )  # fmt: skip
