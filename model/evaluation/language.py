"""Words: commentary before acting, visual questions, descriptions of plans, and whether words and deeds agree.

Every sentence is generated greedily. Commentary ends with the word that announces the waypoints, and so do its labels;
shared by all, it flatters every score, so that it is taken off before scoring. ``score(marker=True)`` puts it back,
which is how the released code scores.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from linkvla.model import prompts
from linkvla.model.data.sample import Sample
from linkvla.model.evaluation.dreaming import follow
from linkvla.model.evaluation.frames import SEED, Frame
from linkvla.model.evaluation.network import Network, Speaker
from linkvla.model.evaluation.rates import Rate
from linkvla.model.evaluation.spice import Spice
from linkvla.model.evaluation.text_metrics import TextScores, score_texts
from linkvla.model.interface.types import PATH_POINTS, Plan
from linkvla.model.language.agreement import Agreement, check
from linkvla.model.language.causes import spoken_cause
from linkvla.model.language.commentary import CauseKind
from linkvla.model.prompts import without_marker

_ANSWER_PREFIX = "A:"


@dataclass(frozen=True)
class Utterance:
    """Something said about a frame, and what should have been said. Without markers.

    ``agreement``: how the words go with other words and with a plan, where that was asked.
    """

    source: int
    row: int
    said: str
    reference: str
    question: str = ""
    kind: str = ""  # of the question
    accepted: tuple[str, ...] = ()  # wordings as good as the reference
    agreement: Agreement | None = None


@dataclass(frozen=True)
class Commentary:
    """What a network says before it acts, and whether it then does so."""

    said: list[Utterance]  # against the expert's commentary; agreement: with that, and with the expert's plan
    done: list[Utterance]  # its own plan described, against what it had announced; agreement: with its own plan


def comment_and_act(network: Network, batches: Iterable[Sequence[Frame]]) -> Commentary:
    """Commentary, the plan that follows it, and what the network calls that plan.

    Frames without commentary are passed over.
    """
    result = Commentary([], [])
    for frames in _with_commentary(batches):
        samples = [frame.sample for frame in frames]
        turns = [prompts.commentary_turn(sample.speed, network.navigation(sample)) for sample in samples]
        announced = network.answer(samples, turns)
        plans = network.plan(samples, [replace(turn, answer=text) for turn, text in zip(turns, announced)])
        captions = describe(network, samples, plans)
        for frame, text, points, caption in zip(frames, announced, plans, captions):
            words, expected, speed = without_marker(text), frame.sample.annotations.commentary, frame.sample.speed
            like_expert = check(words, expected, as_plan(frame.sample.points_in_ego), speed)
            as_said = check(words, caption, as_plan(points), speed)
            result.said.append(Utterance(frame.source, frame.row, words, expected, agreement=like_expert))
            result.done.append(Utterance(frame.source, frame.row, caption, words, agreement=as_said))
    return result


def answer_questions(speaker: Speaker, batches: Iterable[Sequence[Frame]], seed: int = SEED) -> list[Utterance]:
    """One of each frame's questions, drawn evenly; frames without any are passed over."""
    utterances = []
    for frames in _those(batches, lambda frame: bool(frame.sample.annotations.questions)):
        samples = [frame.sample for frame in frames]
        asked = []
        for frame in frames:
            choices = frame.sample.annotations.questions
            asked.append(choices[frame.chooser(seed).integers(len(choices))])
        turns = [
            prompts.question_turn(sample.speed, speaker.navigation(sample), question.question)
            for sample, question in zip(samples, asked)
        ]
        utterances += [
            Utterance(
                frame.source,
                frame.row,
                answer_text(text),
                question.answer,
                question.question,
                question.kind,
                question.accepted,
            )
            for frame, question, text in zip(frames, asked, speaker.answer(samples, turns))
        ]
    return utterances


def describe_expert(network: Network, batches: Iterable[Sequence[Frame]]) -> list[Utterance]:
    """The understanding direction: what the network calls the expert's plan, against the commentary.

    Agreement: of the commentary with that, and with the expert's plan (which says how far the check itself can go).
    """
    utterances = []
    for frames in _with_commentary(batches):
        samples = [frame.sample for frame in frames]
        captions = describe(network, samples, [sample.points_in_ego for sample in samples])
        for frame, sample, caption in zip(frames, samples, captions):
            expected = sample.annotations.commentary
            agreement = check(expected, caption, as_plan(sample.points_in_ego), sample.speed)
            utterances.append(Utterance(frame.source, frame.row, caption, expected, agreement=agreement))
    return utterances


def describe_followed(network: Network, batches: Iterable[Sequence[Frame]], seed: int = SEED) -> list[Utterance]:
    """What the network calls the plan that it makes for an instruction, against the instruction.

    Frames without instructions are passed over.
    """
    utterances = []
    for frames in batches:
        samples = {(frame.source, frame.row): frame.sample for frame in frames}
        attempts = follow(network, [frames], seed)
        if not attempts:
            continue
        told = [samples[attempt.source, attempt.row] for attempt in attempts]
        captions = describe(network, told, [attempt.points for attempt in attempts])
        for attempt, caption in zip(attempts, captions):
            case = attempt.case
            agreement = check(case.instruction, caption, as_plan(attempt.points), case.speed)
            utterances.append(
                Utterance(attempt.source, attempt.row, caption, case.instruction, agreement=agreement),
            )
    return utterances


def describe(network: Network, samples: Sequence[Sample], plans: Sequence[np.ndarray]) -> list[str]:
    """What the network calls plans (n, 30, 2) on some samples."""
    turns = [
        prompts.description_turn(sample.speed, network.navigation(sample), network.cells(plan))
        for sample, plan in zip(samples, plans)
    ]
    return [without_marker(text) for text in network.answer(samples, turns)]


def as_plan(points: np.ndarray) -> Plan:
    """Thirty points (30, 2) as a plan."""
    return Plan(points[:PATH_POINTS].astype(np.float64), points[PATH_POINTS:].astype(np.float64))


def answer_text(text: str) -> str:
    """An answer without the letter in front and the marker behind."""
    return without_marker(text.strip().removeprefix(_ANSWER_PREFIX))


def score(utterances: Sequence[Utterance], spice: Spice | None = None, *, marker: bool = False) -> TextScores:
    """Scores of what was said against what should have been said; ``marker``: both ending with the marker."""
    ending = f" {prompts.ANSWER}" if marker else ""
    said, references = [u.said + ending for u in utterances], [u.reference + ending for u in utterances]
    accepted = [[wording + ending for wording in u.accepted] for u in utterances]
    return score_texts(said, references, spice, accepted)


def score_kinds(utterances: Sequence[Utterance]) -> dict[str, TextScores]:
    """Scores per kind of question."""
    kinds = sorted({utterance.kind for utterance in utterances})
    return {kind: score([u for u in utterances if u.kind == kind]) for kind in kinds}


def agreement_rates(utterances: Sequence[Utterance]) -> dict[str, Rate]:
    """How often each comparison holds, of those that can be made (see ``agreement.check``), and all that can."""
    checked = [utterance.agreement for utterance in utterances if utterance.agreement]
    names = ("route_in_caption", "speed_in_caption", "route_in_plan", "speed_in_plan", "agrees")
    found = {name: [getattr(agreement, name) for agreement in checked] for name in names}
    return {name: Rate.of([value for value in values if value is not None]) for name, values in found.items()}


def cause_rates(commentaries: Sequence[Utterance]) -> dict[str, Rate]:
    """How often a commentary gives the cause that its reference gives: per kind of cause, and ``any`` over all of them.

    A free road is a kind, but no cause of anything, and not among ``any``. References without a cause are passed over.
    """
    found: dict[str, list[bool]] = {"any": []}
    for utterance in commentaries:
        cause = spoken_cause(utterance.reference)
        if cause is None:
            continue
        named = spoken_cause(utterance.said) is cause
        found.setdefault(cause.value, []).append(named)
        if cause is not CauseKind.CLEAR:
            found["any"].append(named)
    return {kind: Rate.of(found[kind]) for kind in ("any", *(kind.value for kind in CauseKind)) if kind in found}


def _those(batches: Iterable[Sequence[Frame]], wanted: Callable[[Frame], bool]) -> Iterator[list[Frame]]:
    for frames in batches:
        if kept := [frame for frame in frames if wanted(frame)]:
            yield kept


def _with_commentary(batches: Iterable[Sequence[Frame]]) -> Iterator[list[Frame]]:
    return _those(batches, lambda frame: bool(frame.sample.annotations.commentary))
