"""SimLingo's language files of a frame as ``Annotations``: commentary, questions (DriveLM-CARLA) and dreams."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from linkvla.model.data.sample import Dream, DreamMode, Question
from linkvla.model.interface.errors import DataError
from linkvla.model.interface.types import PATH_POINTS, SPEED_WAYPOINT_INTERVAL, SPEED_WAYPOINTS
from linkvla.model.prompts import without_marker

EXPERT = "org"  # stands for the expert's own points in a dreamer file
CLOCK = "first_waypoint_time"  # key of ``info`` in our own dreamer files
RELEASED_CLOCK = 0.05  # s: SimLingo's dreamt waypoints are every fifth tick, beginning with the first
_TRIVIAL = re.compile(r"(there (is|are) no|no\b|it is not possible)", re.IGNORECASE)
_PLACEHOLDER = re.compile(r"<[A-Z_]+>")


class Paraphrases:
    """SimLingo's folder of paraphrases (``augmented_templates``), where the user has it; never part of this package."""

    def __init__(self, commentary: Mapping[str, Sequence[str]], dreams: Mapping[str, Sequence[str]]) -> None:
        self._commentary = commentary
        self._dreams = {texts[0]: texts for texts in dreams.values() if texts}

    @classmethod
    def open(cls, folder: Path) -> Paraphrases:
        """Reads ``commentary_augmented.json`` and ``dreamer.json``. Raises DataError when one cannot be read."""
        tables = []
        for name in ("commentary_augmented.json", "dreamer.json"):
            try:
                table = json.loads((folder / name).read_text(encoding="utf-8"))
                tables.append({str(key): [str(text) for text in texts] for key, texts in table.items()})
            except (OSError, ValueError, AttributeError, TypeError) as error:
                raise DataError(f"{folder / name} is no table of paraphrases: {error}") from None
        return cls(*tables)

    def commentary(self, values: Mapping[str, Any], rng: np.random.Generator) -> str:
        """Another wording of a commentary file's sentence; empty where there is none."""
        texts = self._commentary.get(str(values.get("commentary_template")), ())
        return _filled(texts[rng.integers(len(texts))], values.get("placeholder") or {}) if texts else ""

    def instruction(self, template: str, values: Mapping[str, Any], rng: np.random.Generator) -> str:
        """Another wording of an instruction; empty where there is none."""
        texts = self._dreams.get(template, ())
        return _filled(texts[rng.integers(len(texts))], values) if texts else ""


def read_commentary(
    values: Any, path: str, paraphrases: Paraphrases | None, share: float, rng: np.random.Generator | None
) -> str:
    """The sentence of a commentary file; with ``rng`` and paraphrases, another wording in ``share`` of the cases."""
    try:
        text = str(values["commentary"])
    except (KeyError, TypeError):
        raise DataError(f"{path} lacks 'commentary'; expected an object with the expert's sentence") from None
    if rng is not None and paraphrases is not None and rng.random() < share:
        text = paraphrases.commentary(values, rng) or text
    return without_marker(text.replace("..", "."))


def read_questions(
    values: Any, path: str, rng: np.random.Generator | None, trivial_share: float
) -> tuple[Question, ...]:
    """The questions of a frame; with ``rng``, those whose answer is that there is nothing stay in ``trivial_share``."""
    try:
        questions = tuple(
            Question(str(item["Q"]), str(item["A"]), str(item.get("kind") or section))
            for section, items in values["QA"].items()
            for item in items
        )
    except (KeyError, TypeError, AttributeError) as error:
        raise DataError(f"{path} is no file of questions ({error!r}); expected QA -> section -> [{{Q, A}}]") from None
    if rng is None:
        return questions
    kept = tuple(item for item in questions if not _TRIVIAL.match(item.answer) or rng.random() < trivial_share)
    return kept or questions


def read_dreams(
    values: Any,
    path: str,
    expert: tuple[np.ndarray, np.ndarray],
    *,
    move_clock: bool,
    paraphrases: Paraphrases | None = None,
    share: float = 0.0,
    rng: np.random.Generator | None = None,
) -> tuple[Dream, ...]:
    """The dreams of a frame, of the six kinds that are taught and scored.

    Args:
        values: the file's JSON: kind -> list of options. Other kinds (``faster_factor``, ``slower_factor``, ``route``)
            are left out: SimLingo neither teaches nor scores the first two, and the last asks for what is never safe.
        path: for messages.
        expert: the frame's own path (20, 2) and speed waypoints (10, 2), for options that say ``org``.
        move_clock: bring waypoints that were stored for t = 0.05, 0.30, ... s to t = 0.25, 0.50, ... s.
        paraphrases, share, rng: as ``read_commentary``; a paraphrase is added to the instructions.
    """
    try:
        options = [(DreamMode(mode), item) for mode, items in values.items() if mode in _MODES for item in items]
        return tuple(
            _dream(mode, item, expert, move_clock, _instructions(item, paraphrases, share, rng))
            for mode, item in options
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise DataError(f"{path} is no dreamer file ({error!r}); expected mode -> list of options") from None


def on_our_clock(waypoints: np.ndarray, first: float) -> np.ndarray:
    """(10, 2) float32 at t = 0.25..2.50 s from points at ``first``, ``first`` + 0.25, ... s; the ego starts at (0, 0).

    Between points the speed is taken as constant, and past the last one as well.
    """
    steps = np.arange(len(waypoints))
    times = np.concatenate([[0.0], first + SPEED_WAYPOINT_INTERVAL * steps])
    points = np.concatenate([np.zeros((1, 2)), np.asarray(waypoints, np.float64)])
    wanted = SPEED_WAYPOINT_INTERVAL * (steps + 1)
    out = np.stack([np.interp(wanted, times, points[:, k]) for k in range(2)], axis=1)
    velocity = (points[-1] - points[-2]) / (times[-1] - times[-2])
    beyond = np.maximum(wanted - times[-1], 0.0)
    return (out + beyond[:, None] * velocity).astype(np.float32)


_MODES = {mode.value for mode in DreamMode}


def _dream(
    mode: DreamMode, item: dict, expert: tuple[np.ndarray, np.ndarray], move: bool, texts: tuple[str, ...]
) -> Dream:
    info = item.get("info") or {}
    path = expert[0] if item["route"] == EXPERT else np.asarray(item["route"], np.float32)
    if item["waypoints"] == EXPERT:
        waypoints = expert[1]
    else:
        waypoints, first = np.asarray(item["waypoints"], np.float32), float(info.get(CLOCK, RELEASED_CLOCK))
        if waypoints.shape == (SPEED_WAYPOINTS, 2) and move and first != SPEED_WAYPOINT_INTERVAL:
            waypoints = on_our_clock(waypoints, first)
    if path.shape != (PATH_POINTS, 2) or waypoints.shape != (SPEED_WAYPOINTS, 2):
        raise ValueError(f"a dream needs (20, 2) and (10, 2) points, got {path.shape} and {waypoints.shape}")
    if not (np.all(np.isfinite(path)) and np.all(np.isfinite(waypoints))):
        raise ValueError("a dream's points must be finite")
    safe = bool(item["safe_to_execute"])
    return Dream(
        mode=mode,
        instructions=texts,
        path_in_ego=path,
        speed_waypoints_in_ego=waypoints,
        safe=safe,
        refusal="" if safe else without_marker(str(item.get("dreamer_answer_safety", ""))),
        target_speed=float(info["target_speed"]) if mode is DreamMode.TARGET_SPEED else None,
    )


def _instructions(item: dict, paraphrases: Paraphrases | None, share: float, rng) -> tuple[str, ...]:
    """All wordings of one option; SimLingo stores a list or, by mistake, a bare string."""
    texts, placeholders = item["dreamer_instruction"], item.get("templates_placeholders") or []
    texts = [texts] if isinstance(texts, str) else [str(text) for text in texts]
    known = {str(key): value for values in placeholders for key, value in values.items()}
    out = [_filled(text, known) or text for text in texts]
    if paraphrases is not None and rng is not None and rng.random() < share:
        for template, values in zip(item.get("instructions_templates") or [], placeholders):
            if other := paraphrases.instruction(str(template), values, rng):
                out.append(other)
    if not out:
        raise ValueError("a dream needs an instruction")
    return tuple(out)


def _filled(template: str, values: Mapping[str, Any]) -> str:
    """A template with its placeholders replaced; empty when one is left over."""
    for key, value in values.items():
        template = template.replace(str(key), str(value))
    return "" if _PLACEHOLDER.search(template) else template
