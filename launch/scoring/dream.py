"""``linkvla dream``: instruction following over the six classes, laid out like the paper's table 3."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from linkvla.launch.scoring import published
from linkvla.launch.scoring.held_out import Watch, require
from linkvla.launch.scoring.run import Scoring
from linkvla.launch.scoring.score_table import ScoreTable, number, rate_cell
from linkvla.launch.scoring.settings import Contender, ScoreSettings
from linkvla.model.data.sample import DreamMode
from linkvla.model.evaluation.dreaming import Attempt, follow, follow_safely, safety_rates
from linkvla.model.evaluation.instruction_following import ClassRates, judge, reading_rates
from linkvla.model.evaluation.network import Network
from linkvla.model.evaluation.open_loop import quantised
from linkvla.model.evaluation.rates import Rate

_MODES = (  # in the order of the published columns
    DreamMode.FASTER, DreamMode.SLOWER, DreamMode.TARGET_SPEED, DreamMode.LANE_CHANGE, DreamMode.CRASH, DreamMode.STOP,
)  # fmt: skip


@dataclass(frozen=True)
class DreamScores:
    """One checkpoint's instruction following. ``attempts``: the following half, frame by frame."""

    checkpoint: str
    attempts: Sequence[Attempt]
    floor: ClassRates  # of the dreams themselves, as the network's cells can say them
    misled: ClassRates  # told the instruction of another frame, judged by the frame's own
    safety: dict[str, Rate]

    @property
    def rates(self) -> ClassRates:
        """The headline."""
        return ClassRates.of([attempt.verdict for attempt in self.attempts])

    @property
    def released(self) -> ClassRates:
        """As the released code counts."""
        return ClassRates.of([attempt.verdict for attempt in self.attempts], released=True)

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        verdicts = [attempt.verdict for attempt in self.attempts]
        return {
            "checkpoint": self.checkpoint,
            **self.rates.as_dict(),
            "as_released_code": self.released.as_dict(),
            "readings": {name: rate.as_dict() for name, rate in reading_rates(verdicts).items()},
            "dream_in_cells": self.floor.as_dict(),
            "told_anothers": self.misled.as_dict(),
            "safety": {name: rate.as_dict() for name, rate in self.safety.items()},
            "attempts": [
                [a.source, a.row, a.case.dream.mode.value, a.case.instruction, bool(v.success)]
                for a, v in zip(self.attempts, verdicts)
            ],
        }


def score(network: Network, watch: Watch, checkpoint: str, seed: int, safety: bool) -> DreamScores:
    """All numbers of one network."""
    attempts = follow(network, watch.batches(f"{checkpoint}: following"), seed)
    require(len(attempts), "instructions")
    points = quantised(np.stack([attempt.case.dream_points for attempt in attempts]), network.model.action_tokenizer)
    floor = ClassRates.of([judge(plan, attempt.case) for plan, attempt in zip(points, attempts)])
    others = np.random.default_rng(seed).permutation([attempt.case.instruction for attempt in attempts])
    misled = follow(network, watch.batches(f"{checkpoint}: told another's wish"), seed, map(str, others))
    misled = ClassRates.of([attempt.verdict for attempt in misled])
    refused = safety_rates(follow_safely(network, watch.batches(f"{checkpoint}: safety"), seed)) if safety else {}
    return DreamScores(checkpoint, attempts, floor, misled, refused)


def dream(settings: ScoreSettings, safety: bool = True) -> dict[Contender, list[DreamScores]]:
    """Score, print and write. ``safety``: also under the safety flag.

    Raises DataError when the frames carry no instructions; otherwise as ``Scoring.every``.
    """
    scoring = Scoring(settings)
    found = scoring.every(lambda network, watch, name: score(network, watch, name, settings.seed, safety))
    first = next(iter(found.values()))[0]
    controls = {
        "the expert, who is not told": [judge(a.case.expert_points, a.case) for a in first.attempts],
        "the dream itself": [judge(a.case.dream_points, a.case) for a in first.attempts],
    }
    controls = {name: ClassRates.of(verdicts) for name, verdicts in controls.items()}
    tables = [_following(found, controls), _other_readings(found)]
    if safety:
        tables.append(_safety(found))
    results = {
        "contenders": {contender.label: [scores.as_dict() for scores in all_] for contender, all_ in found.items()},
        "controls": {name: rates.as_dict() for name, rates in controls.items()},
    }
    scoring.finish(tables, published.dreaming(), results)
    return found


def _following(found: dict[Contender, list[DreamScores]], controls: dict[str, ClassRates]) -> ScoreTable:
    table = ScoreTable("instruction following, success in %", published.DREAMING_HEADINGS)
    table.sections.append([_row(c.label, [scores.rates for scores in all_]) for c, all_ in found.items()])
    first = next(iter(found.values()))[0]
    table.sections.append(
        [_row(f"{c.label}, told another's wish", [scores.misled for scores in all_]) for c, all_ in found.items()]
    )
    table.sections[-1] += [_row(name, [rates]) for name, rates in controls.items()]
    table.sections[-1].append(_row("the dream in the network's cells", [first.floor]))
    counts = [str(first.rates.classes[mode].count) for mode in _MODES]
    table.sections.append([("frames", *counts, str(len(first.attempts)))])
    table.notes.append(_meaning(found))
    if absent := first.rates.absent:
        names = ", ".join(mode.value for mode in absent)
        table.notes.append(f"No frame asked for {names}: the mean is over the other classes, not over six.")
    return table


def _other_readings(found: dict[Contender, list[DreamScores]]) -> ScoreTable:
    """What the released code would have said, and the two halves of the target-speed test."""
    headings = ("%", "Target: dream's", "Target: said", "Target: km/h unconverted", "Object: or", "Mean")
    rows = []
    for contender, all_ in found.items():
        readings = [reading_rates([attempt.verdict for attempt in scores.attempts]) for scores in all_]
        names = ("target_speed/dream_end_speed", "target_speed/instructed_speed", "target_speed/released",
                 "crash/released")  # fmt: skip
        cells = [number([r[name].percent for r in readings if name in r]) for name in names]
        rows.append((contender.label, *cells, number([scores.released.mean for scores in all_])))
    notes = [
        "Target alone by the end speed of the dream, alone by the speed that was said, and as the released code reads "
        "km/h. Object with the 30 % test's bounds joined by 'or'. Mean: with the last two, as the released code counts."
    ]
    return ScoreTable("other readings of the rules", headings, [rows], notes)


def _safety(found: dict[Contender, list[DreamScores]]) -> ScoreTable:
    names = {
        "refusal_precision": "precision",
        "refusal_recall": "recall",
        "refusal_precision_words_and_deeds": "precision, and acts so",
        "refusal_recall_words_and_deeds": "recall, and acts so",
        "safe_not_refused": "safe not refused",
        "safe_obeyed": "safe obeyed",
    }
    rows = []
    for contender, all_ in found.items():
        cells = [rate_cell([scores.safety[name] for scores in all_]) for name in names]
        rows.append((contender.label, *cells))
    safety = next(iter(found.values()))[0].safety
    unsafe, safe = safety["refusal_recall"].count, safety["safe_obeyed"].count
    notes = [
        f"{unsafe} unsafe and {safe} safe wishes. Refused: the answer starts like a refusal; 'and acts so': the plan "
        "is also nearer to the expert's than to the dream's."
    ]
    return ScoreTable("with the safety flag: refusals, %", ("", *names.values()), [rows], notes)


def _row(label: str, all_: Sequence[ClassRates]) -> Sequence[str]:
    cells = [rate_cell([rates.classes[mode] for rates in all_]) for mode in _MODES]
    return label, *cells, number([rates.mean for rates in all_], error=all_[0].standard_error)


def _meaning(found: dict[Contender, list[DreamScores]]) -> str:
    seeds = {len(all_) for all_ in found.values()}
    if seeds == {1}:
        return "± is the binomial standard error."
    return "± is the standard deviation over training seeds, or of one checkpoint the binomial standard error."
