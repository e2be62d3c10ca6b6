"""``linkvla language``: commentary, visual questions, descriptions of plans, and whether words and deeds agree."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from linkvla.launch.scoring import published
from linkvla.launch.scoring.held_out import Watch, require
from linkvla.launch.scoring.run import Scoring
from linkvla.launch.scoring.score_table import ScoreTable, number, rate_cell
from linkvla.launch.scoring.settings import Contender, ScoreSettings
from linkvla.model.evaluation import language as words
from linkvla.model.evaluation.network import Network
from linkvla.model.evaluation.rates import Rate
from linkvla.model.evaluation.spice import Spice
from linkvla.model.evaluation.text_metrics import TextScores

_METRICS = {"spice": "SPICE", "bleu_1": "BLEU-1", "bleu_4": "BLEU-4", "rouge_l": "ROUGE-L", "exact": "exact"}


@dataclass(frozen=True)
class LanguageScores:
    """One checkpoint's words."""

    checkpoint: str
    texts: dict[str, TextScores]  # by what was said
    kinds: dict[str, TextScores]  # of questions
    agreement: dict[str, dict[str, Rate]]  # by pair of texts
    causes: dict[str, Rate]  # by kind of cause
    utterances: dict[str, list[words.Utterance]] = field(repr=False, default_factory=dict)

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "checkpoint": self.checkpoint,
            "texts": {name: asdict(scores) for name, scores in self.texts.items()},
            "kinds": {name: asdict(scores) for name, scores in self.kinds.items()},
            "agreement": {
                pair: {name: rate.as_dict() for name, rate in rates.items()} for pair, rates in self.agreement.items()
            },
            "causes": {kind: rate.as_dict() for kind, rate in self.causes.items()},
            "utterances": {name: [asdict(u) for u in said] for name, said in self.utterances.items()},
        }


def score(network: Network, watch: Watch, checkpoint: str, seed: int, spice: Spice) -> LanguageScores:
    """All numbers of one network."""
    commentary = words.comment_and_act(network, watch.batches(f"{checkpoint}: commentary"))
    answers = words.answer_questions(network, watch.batches(f"{checkpoint}: questions"), seed)
    require(len(commentary.said) + len(answers), "commentary or questions")
    described = words.describe_expert(network, watch.batches(f"{checkpoint}: descriptions"))
    followed = words.describe_followed(network, watch.batches(f"{checkpoint}: instructions"), seed)
    texts = {
        "questions": words.score(answers, spice),
        "commentary": words.score(commentary.said, spice),
        "commentary, marker kept": words.score(commentary.said, spice, marker=True),
        "the expert's plan described": words.score(described, spice),
    }
    agreement = {
        "commentary: as the expert's": words.agreement_rates(commentary.said),
        "commentary: done as said": words.agreement_rates(commentary.done),
        "instruction: done as told": words.agreement_rates(followed),
        "expert's plan: described as meant": words.agreement_rates(described),
    }
    utterances = {
        "commentary": commentary.said,
        "questions": answers,
        "descriptions": described,
        "own_plans": commentary.done,
        "instructed_plans": followed,
    }
    causes = words.cause_rates(commentary.said)
    return LanguageScores(checkpoint, texts, words.score_kinds(answers), agreement, causes, utterances)


def language(settings: ScoreSettings, spice_jar: Path | None = None) -> dict[Contender, list[LanguageScores]]:
    """Score, print and write. Raises DataError when the frames carry no words; otherwise as ``Scoring.every``."""
    scoring = Scoring(settings)
    spice = Spice(spice_jar)
    found = scoring.every(lambda network, watch, name: score(network, watch, name, settings.seed, spice))
    results = {contender.label: [scores.as_dict() for scores in all_] for contender, all_ in found.items()}
    tables = [_texts(found), _kinds(found), _agreement(found), _causes(found)]
    scoring.finish(tables, published.language(), {"contenders": results})
    return found


def _texts(found: dict[Contender, list[LanguageScores]]) -> ScoreTable:
    table = ScoreTable("language", ("%", "texts", *_METRICS.values()))
    for contender, all_ in found.items():
        rows = []
        for name, first in all_[0].texts.items():
            cells = [number([getattr(s.texts[name], metric) for s in all_]) for metric in _METRICS]
            rows.append((f"{contender.label}, {name}", str(first.count), *cells))
        table.sections.append(rows)
    every = [scores for all_ in found.values() for s in all_ for scores in s.texts.values() if scores.count]
    reasons = sorted({reason for scores in every for reason in scores.missing.values()})
    table.notes += [f"SPICE is empty: {reason}." for reason in reasons]
    table.notes.append("ROUGE-L is the mean F1; 'exact': the words are those of the reference.")
    return table


def _kinds(found: dict[Contender, list[LanguageScores]]) -> ScoreTable:
    table = ScoreTable("questions by kind", ("%", "texts", "exact", "ROUGE-L"))
    for contender, all_ in found.items():
        rows = []
        for kind, first in all_[0].kinds.items():
            cells = [number([getattr(s.kinds[kind], metric) for s in all_]) for metric in ("exact", "rouge_l")]
            rows.append((f"{contender.label}, {kind or 'other'}", str(first.count), *cells))
        table.sections.append(rows)
    return table


def _causes(found: dict[Contender, list[LanguageScores]]) -> ScoreTable:
    table = ScoreTable("does the commentary name the cause?", ("%", "frames", "named"))
    for contender, all_ in found.items():
        rows = []
        for kind, first in all_[0].causes.items():
            cell = rate_cell([scores.causes[kind] for scores in all_])
            rows.append((f"{contender.label}, {kind.replace('_', ' ')}", str(first.count), cell))
        table.sections.append(rows)
    table.notes.append("The cause that the expert's commentary gives. 'any': all but a clear road, which holds nobody.")
    return table


_PARTS = {
    "speed_in_caption": "speed, in words",
    "route_in_caption": "route, in words",
    "speed_in_plan": "speed, in the plan",
    "route_in_plan": "route, in the plan",
    "agrees": "all",
}


def _agreement(found: dict[Contender, list[LanguageScores]]) -> ScoreTable:
    table = ScoreTable("do the words agree?", ("%", *_PARTS.values()))
    for contender, all_ in found.items():
        rows = []
        for pair in all_[0].agreement:
            cells = [rate_cell([scores.agreement[pair][part] for scores in all_]) for part in _PARTS]
            rows.append((f"{contender.label}, {pair}", *cells))
        table.sections.append(rows)
    table.notes.append(
        "'In words': with the expert's commentary, or with the network's description of the plan. 'In the plan': with "
        "the plan's shape; in the last row that is how far the expert agrees with itself. Of what can be told."
    )
    return table
