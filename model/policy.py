"""LinkVLAPolicy: an observation in, a plan out; in words too, where that is wanted."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import torch

from linkvla.model import prompts
from linkvla.model.checkpoint_folder import load_checkpoint
from linkvla.model.data.view import CameraRig
from linkvla.model.decoding import check_candidates, opening
from linkvla.model.decoding.decoded import Outcome
from linkvla.model.decoding.language import Answers, generate, text_log_probability
from linkvla.model.decoding.prefix import Prefix
from linkvla.model.decoding.recall import Recall
from linkvla.model.interface.errors import CheckpointError, ConfigurationError
from linkvla.model.interface.types import PATH_POINTS, Observation, Plan
from linkvla.model.language.agreement import check
from linkvla.model.modeling_linkvla import LinkVLAForDriving
from linkvla.model.processing_linkvla import LinkVLAProcessor
from linkvla.model.prompts import Turn
from linkvla.model.runner import Runner, fastest_runner
from linkvla.model.speaking import Speaker


def check_device(device: str) -> None:
    """Raises ConfigurationError for a device that is not there, or that nobody knows; takes no memory of any."""
    try:
        wanted = torch.device(device)
    except RuntimeError:
        raise ConfigurationError(f"device {device!r} is unknown; use cpu, cuda or cuda:N") from None
    count = torch.cuda.device_count()
    if wanted.type == "cuda" and (wanted.index or 0) >= count:
        raise ConfigurationError(f"device {device!r} is not available here (GPUs: {count}); use device 'cpu'")


class LinkVLAPolicy:
    """A frozen LinkVLA: one camera frame, one plan.

    What it remembers of earlier frames decides when it speaks (``speaking.Speaker``) and how fast: what it said is the
    draft of what it says next. It changes neither words nor plans.

    Args:
        speak_every: on every so manyth frame, from the first, a commentary comes before the actions (chain of thought);
            0 never speaks. The frames between are driven without words. Instructions are no matter of this.
        speak_on_change: a commentary when the situation has changed, instead of every so manyth frame.
        hypotheses: pairs of end points that are refined, for the most probable plan to be taken.
        navigation: what the prompt says of the way, instead of what the checkpoint's configuration says; one of
            ``prompts.NAVIGATION_STYLES``.
        check_every: have every so manyth plan that came with words, or from an instruction, captioned and compared with
            them, from the first; 0 never does. The ``Agreement`` and the caption are in the diagnostics.
        runner: what runs the network: the engine, where it can, unless something else is said (``LibraryRunner``).

    Raises ConfigurationError for numbers that make no sense, or hypotheses with a head that has none.
    """

    def __init__(
        self,
        model: LinkVLAForDriving,
        processor: LinkVLAProcessor,
        *,
        speak_every: int = 0,
        speak_on_change: bool = False,
        hypotheses: int = 1,
        navigation: str | None = None,
        check_every: int = 0,
        runner: Callable[[LinkVLAForDriving, LinkVLAProcessor], Runner] = fastest_runner,
    ) -> None:
        for name, number in (("speak_every", speak_every), ("check_every", check_every)):
            if number < 0:
                raise ConfigurationError(f"{name} must be 0 (never) or a number of frames, got {number}")
        if speak_every and speak_on_change:
            raise ConfigurationError(f"speak on change or on every {speak_every} frames, not both; leave one out")
        if navigation not in (None, *prompts.NAVIGATION_STYLES):
            allowed = ", ".join(prompts.NAVIGATION_STYLES)
            raise ConfigurationError(f"navigation must be one of {allowed}, got {navigation!r}")
        check_candidates(model.config.action_head, hypotheses)
        self.model = model.eval()
        self.processor = processor
        self.speak_every = speak_every
        self.speak_on_change = speak_on_change
        self.hypotheses = hypotheses
        self.navigation = navigation
        self.check_every = check_every
        self._make_runner = runner
        self._made: Runner | None = None
        self._speakers: list[Speaker] = []  # one per place in a batch
        self._worded = 0

    @classmethod
    def from_pretrained(
        cls,
        folder_or_name: Path | str,
        device: str = "cpu",
        dtype: torch.dtype | None = None,
        threads: int | None = None,
        **options: int | bool | str | None,
    ) -> LinkVLAPolicy:
        """Load a checkpoint folder or a shipped name, all or nothing.

        ``dtype`` is float32 by default, bfloat16 halves the memory. ``threads`` sets torch's thread count for the
        process. ``options`` are the constructor's. Raises CheckpointError, or ConfigurationError for a device that is
        not there.
        """
        if threads is not None:
            if threads < 1:
                raise ConfigurationError(f"threads must be at least 1, got {threads}")
            torch.set_num_threads(threads)
        check_device(device)
        model, processor = load_checkpoint(folder_or_name, dtype=dtype or torch.float32)
        return cls(model.to(device), processor, **options)

    @property
    def camera(self) -> CameraRig:
        """The camera that the checkpoint was trained with; mount the same one."""
        return self.processor.config.camera_rig

    def move_to(self, device: str) -> None:
        """Move the weights; memory of a GPU that nothing uses any more is given back to other processes.

        Raises ConfigurationError for a device that is not there.
        """
        check_device(device)
        if self.model.device == torch.device(device):
            return
        self._made = None  # it holds the weights where they were
        self.model.to(device)
        if torch.cuda.is_available():
            torch.cuda.empty_cache()

    def reset(self) -> None:
        """Forget the past; call it at the start of every route."""
        self._speakers = []
        self._worded = 0
        if self._made is not None:
            self._made.forget()

    def predict(self, observation: Observation) -> Plan:
        """Plan for one frame."""
        return self.predict_batch([observation])[0]

    @torch.inference_mode()
    def predict_batch(self, observations: Sequence[Observation]) -> list[Plan]:
        """Plans for one frame of several cars; each equals what ``predict`` gives for it, up to rounding.

        Points are float64, metres, ego frame; the path starts at the origin, by its definition. ``Plan.language`` is
        what the network said: the commentary, or its answer to an instruction that it may refuse; empty where it was
        not asked. An instruction that it may not refuse comes with the answer that it is followed.

        A place in the batch stands for a car: its words are guessed from those of the frame before.

        Diagnostics: milliseconds of each stage, for the whole batch (``prepare_ms``, ``see_ms``, ``language_ms`` and
        ``caption_ms`` where there are words, ``decode_ms``); ``tokens``, generated, and where there are words
        ``drafted``, the tokens that were guessed, ``accepted``, those that were guessed right, and ``passes``, through
        the language model until all of the batch had been said; ``end_point_probability``, the mass
        that the best cell of each end point has, and ``end_point_cells``, the best few as (x, y, probability),
        where the head has cells; ``hypothesis``, the rank of the pair of end points that was taken, where there were
        several; ``caption`` and ``agreement``, see the constructor.
        """
        if not observations:
            return []
        while len(self._speakers) < len(observations):
            self._speakers.append(Speaker(self.speak_every, self.speak_on_change))
        speaks = map(Speaker.begin_frame, self._speakers, observations)
        turns = list(map(self._turn, observations, speaks))
        plans: dict[int, Plan] = {}
        for is_open in (False, True):
            rows = [n for n, turn in enumerate(turns) if (not turn.answer) is is_open]
            if rows:
                chosen = ([one[n] for n in rows] for one in (observations, turns, self._speakers))
                plans.update(zip(rows, self._plan(*chosen, is_open)))
        for n, speaker in enumerate(self._speakers[: len(observations)]):
            speaker.end_frame(plans[n])
        return [plans[n] for n in range(len(observations))]

    def caption(self, observation: Observation, plan: Plan) -> str:
        """What the network takes a plan to mean: the understanding direction, [V, A] to L."""
        return self.captions([observation], [plan])[0]

    @torch.inference_mode()
    def captions(
        self, observations: Sequence[Observation], plans: Sequence[Plan], recalls: Sequence[Recall] | None = None
    ) -> list[str]:
        """``caption`` for several plans at once. ``recalls``, see ``generate``, make it faster and change nothing."""
        turns = [self._description(observation, plan) for observation, plan in zip(observations, plans)]
        prefix = self._begin(self._picture(observations), observations, turns, open_answer=True)
        return generate(self.model, self.processor.tokenizer, prefix, closing="", recalls=recalls).texts

    def score_text(self, observation: Observation, plan: Plan, text: str) -> float:
        """Mean log-probability per token, end of turn included, of a text as the caption of a plan."""
        return self.score_texts([observation], [plan], [text])[0]

    def score_texts(
        self, observations: Sequence[Observation], plans: Sequence[Plan], texts: Sequence[str]
    ) -> list[float]:
        """``score_text`` for several texts at once."""
        turns = [self._description(*about) for about in zip(observations, plans, texts)]
        batch = self.processor.observe(observations, turns).to(self.model.device, self.model.dtype)
        return text_log_probability(self.model, batch).tolist()

    def _turn(self, observation: Observation, speaks: bool) -> Turn:
        """What is asked; the answer is empty where the network is to give it."""
        if speaks:
            query = self.processor.query(observation, self.navigation)
            return dataclasses.replace(
                prompts.commentary_turn(query.speed, self.processor.navigation(query)), answer=""
            )
        turn = self.processor.turn(observation, self.navigation)
        may_refuse = observation.instruction is not None and observation.refuse_unsafe
        return dataclasses.replace(turn, answer="") if may_refuse else turn

    def _description(self, observation: Observation, plan: Plan, text: str = "") -> Turn:
        points = np.concatenate([plan.path_in_ego, plan.speed_waypoints_in_ego])
        cells = self.model.action_tokenizer.encode(torch.from_numpy(points)).numpy()
        query = self.processor.query(observation, self.navigation)
        navigation = self.processor.navigation(query)
        return prompts.description_turn(query.speed, navigation, cells, prompts.without_markup(text))

    @property
    def _runner(self) -> Runner:
        if self._made is None:  # as late as this, since weights often move before the first frame
            self._made = self._make_runner(self.model, self.processor)
        return self._made

    def _picture(self, observations: Sequence[Observation]) -> np.ndarray:
        return self._runner.picture([observation.image for observation in observations])

    def _begin(
        self, picture: np.ndarray, observations: Sequence[Observation], turns: Sequence[Turn], open_answer: bool
    ) -> Prefix:
        points = np.stack([observation.target_points_in_ego for observation in observations])
        return self._runner.begin(picture, self.processor.tokens(turns, open_answer), points)

    def _plan(
        self,
        observations: Sequence[Observation],
        turns: Sequence[Turn],
        speakers: Sequence[Speaker],
        open_answer: bool,
    ) -> list[Plan]:
        """Plans for turns that are all open, or all complete."""
        watch = _Stopwatch(self.model.device)
        picture = self._picture(observations)
        watch.lap("prepare_ms")
        prefix = self._begin(picture, observations, turns, open_answer)
        watch.lap("see_ms")
        answers = None
        if open_answer:
            answers = generate(
                self.model,
                self.processor.tokenizer,
                prefix,
                recalls=[speaker.answers for speaker in speakers],
                opening=opening(self.model, prefix),
            )
            watch.lap("language_ms")
        outcome = self._runner.act(prefix, self.hypotheses)
        watch.lap("decode_ms")
        plans = _plans(outcome, answers)
        if self.check_every and self._compare(observations, plans, speakers):
            watch.lap("caption_ms")
        for plan in plans:
            plan.diagnostics.update(watch.laps())
        return plans

    def _compare(self, observations: Sequence[Observation], plans: Sequence[Plan], speakers: Sequence[Speaker]) -> bool:
        """Put caption and agreement into the diagnostics of the plans that came with words; whether it was their turn.

        Captions cost as much as commentaries, so plans without words do not count and are not captioned.
        """
        said = [_promise(observation, plan) for observation, plan in zip(observations, plans)]
        rows = [n for n, words in enumerate(said) if words]
        if not rows:
            return False
        self._worded += 1
        if (self._worded - 1) % self.check_every:
            return False
        recalls = [speakers[n].captions for n in rows]
        captions = self.captions([observations[n] for n in rows], [plans[n] for n in rows], recalls)
        for n, caption in zip(rows, captions):
            agreement = check(said[n], caption, plans[n], observations[n].speed)
            plans[n].diagnostics.update(caption=caption, agreement=agreement)
        return True


class _Stopwatch:
    """Milliseconds of each stage. On a GPU, which works behind, marks go along with the work; nothing waits for it."""

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self._marks = [("", self._now())]

    def lap(self, stage: str) -> None:
        """The stage is done, or queued."""
        self._marks.append((stage, self._now()))

    def laps(self) -> dict[str, float]:
        """All stages. Waits for the last one."""
        if self._device.type == "cuda":
            self._marks[-1][1].synchronize()
            return {name: last.elapsed_time(mark) for (_, last), (name, mark) in pairwise(self._marks)}
        return {name: 1e3 * (mark - last) for (_, last), (name, mark) in pairwise(self._marks)}

    def _now(self) -> Any:
        if self._device.type != "cuda":
            return time.perf_counter()
        mark = torch.cuda.Event(enable_timing=True)
        mark.record(torch.cuda.current_stream(self._device))
        return mark


def _plans(outcome: Outcome, answers: Answers | None) -> list[Plan]:
    if not bool(torch.isfinite(outcome.points).all()):
        raise CheckpointError("the network's points are not finite: its weights, or their precision, are broken")
    plans = []
    for n, row in enumerate(outcome.points.double().numpy()):
        path = row[:PATH_POINTS].copy()
        path[0] = 0.0
        diagnostics: dict = {"tokens": answers.tokens[n] if answers else 0}
        if answers:
            diagnostics.update(drafted=answers.drafted[n], accepted=answers.accepted[n], passes=answers.passes)
        if outcome.likely is not None:
            diagnostics["end_point_probability"] = outcome.certainty[n].tolist()
            diagnostics["end_point_cells"] = outcome.likely[n].tolist()
        if outcome.hypothesis is not None:
            diagnostics["hypothesis"] = int(outcome.hypothesis[n])
        language = prompts.without_marker(answers.texts[n]) if answers else ""
        plans.append(Plan(path, np.ascontiguousarray(row[PATH_POINTS:]), language, diagnostics))
    return plans


def _promise(observation: Observation, plan: Plan) -> str:
    """The words that a plan is to keep: the instruction unless it was refused, else the commentary; "" for none."""
    if observation.instruction is None:
        return plan.language
    return observation.instruction if plan.language in ("", prompts.OBEYED) else ""
