"""From a frame to a lesson: what is asked, what is answered, and where the car should go (SimLingo section 3.4).

    driving            prompt -> actions
    commentary         prompt -> words, then actions (chain of thought)
    commentary given   words in the prompt -> actions
    question           a question -> its answer, then actions
    dreaming           an instruction -> obedience or refusal, then actions

Every lesson of these supervises actions. Where the actions have words of their own, a coin turns the lesson round:
picture and actions -> words, the understanding direction (LinkVLA section 3.2). The words are then the commentary, or
the instruction that was followed; they are nowhere in that prompt.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

import numpy as np
import torch

from linkvla.model import prompts
from linkvla.model.data.sample import Dream, DreamMode, Sample
from linkvla.model.prompts import Turn
from linkvla.model.tokenizer.action_tokenizer import ActionTokenizer
from linkvla.model.training.recipe import Recipe

_PRECISE = (DreamMode.TARGET_SPEED, DreamMode.CRASH)


class Task(str, Enum):
    """Kinds of lessons, in the order of ``Recipe.task_shares``."""

    DRIVING = "driving"
    COMMENTARY = "commentary"
    COMMENTARY_GIVEN = "commentary_given"
    QUESTION = "question"
    DREAMING = "dreaming"


class Order(str, Enum):
    """Which side is learnt; V, A, L are picture, actions, words."""

    GENERATE = "generate"  # [V, L, A]
    UNDERSTAND = "understand"  # [V, A, L]


@dataclass(frozen=True)
class Lesson:
    """One sample of a batch."""

    task: Task
    order: Order
    turn: Turn
    points: np.ndarray  # (30, 2) float32, metres, ego frame: path, then speed waypoints
    target_points: np.ndarray  # (2, 2) float32, metres, ego frame


@dataclass(frozen=True)
class _Prompt:
    """What every prompt of a frame says."""

    speed: float
    navigation: str


def draw_lesson(sample: Sample, recipe: Recipe, rng: np.random.Generator, style: str, grid: ActionTokenizer) -> Lesson:
    """One lesson from a frame.

    ``style``: what prompts say about the way, where the recipe's shares do not decide otherwise. ``grid`` turns the
    actions of an understanding lesson into cells.
    """
    prompt = _prompt(sample, recipe, rng, style)
    task = _task(sample, recipe, rng)
    turn, points, words = _generation(task, sample, prompt, recipe, rng)
    order = Order.GENERATE
    if words and rng.random() < recipe.understanding_coin:
        order = Order.UNDERSTAND
        cells = grid.encode(torch.from_numpy(points)).numpy()
        turn = prompts.description_turn(prompt.speed, prompt.navigation, cells, words)
    return Lesson(task, order, turn, points, sample.target_points_in_ego)


def _prompt(sample: Sample, recipe: Recipe, rng: np.random.Generator, style: str) -> _Prompt:
    jitter = rng.uniform(-recipe.speed_jitter, recipe.speed_jitter) * (rng.random() < recipe.speed_jitter_share)
    drawn = rng.random()
    if drawn < recipe.command_only_share:
        style = "command"
    elif drawn < recipe.command_only_share + recipe.target_point_only_share:
        style = "target_point"
    navigation = prompts.navigation_text(style, sample.command, sample.next_command, sample.distance_to_command)
    return _Prompt(max(sample.speed + jitter, 0.0), navigation)


def _task(sample: Sample, recipe: Recipe, rng: np.random.Generator) -> Task:
    """A task by its share; driving where the frame lacks the words for it."""
    drawn = np.searchsorted(np.cumsum(recipe.task_shares), rng.random(), side="right")
    task = list(Task)[min(int(drawn), len(Task) - 1)]
    language = sample.annotations
    has_words = {
        Task.DRIVING: True,
        Task.COMMENTARY: bool(language.commentary),
        Task.COMMENTARY_GIVEN: bool(language.commentary),
        Task.QUESTION: bool(language.questions),
        Task.DREAMING: bool(language.dreams),
    }
    return task if has_words[task] else Task.DRIVING


def _generation(
    task: Task, sample: Sample, prompt: _Prompt, recipe: Recipe, rng: np.random.Generator
) -> tuple[Turn, np.ndarray, str]:
    """Turn, points, and the words that the actions have; "" where there are none."""
    if task is Task.DREAMING:
        return _dreaming(sample, prompt, recipe, rng)
    speed, navigation, points = prompt.speed, prompt.navigation, sample.points_in_ego
    words = sample.annotations.commentary
    if task is Task.COMMENTARY:
        return prompts.commentary_turn(speed, navigation, words), points, words
    if task is Task.COMMENTARY_GIVEN:
        kept = navigation if rng.random() < recipe.given_navigation_share else ""
        return prompts.commented_turn(speed, kept, sample.annotations.paraphrase or words), points, words
    if task is Task.QUESTION:
        asked = sample.annotations.questions[rng.integers(len(sample.annotations.questions))]
        return prompts.question_turn(speed, navigation, asked.question, asked.answer), points, ""
    return prompts.drive_turn(speed, navigation), points, ""


def _dreaming(
    sample: Sample, prompt: _Prompt, recipe: Recipe, rng: np.random.Generator
) -> tuple[Turn, np.ndarray, str]:
    """An instruction. Under the safety flag an unsafe one is refused: the expert's points, and the reason."""
    dream = _dream(sample.annotations.dreams, recipe, rng)
    instruction = dream.instructions[rng.integers(len(dream.instructions))]
    navigation = prompt.navigation if rng.random() < recipe.dream_navigation_share else ""
    # An unsafe wish without a refusal in the data can only be taught as one that is to be followed.
    safety = rng.random() < recipe.safety_share and (dream.safe or bool(dream.refusal))
    if safety and not dream.safe:
        turn = prompts.instruction_turn(prompt.speed, navigation, instruction, safety=True, answer=dream.refusal)
        return turn, sample.points_in_ego, ""
    turn = prompts.instruction_turn(prompt.speed, navigation, instruction, safety=safety)
    points = np.concatenate([dream.path_in_ego, dream.speed_waypoints_in_ego])
    return turn, points, "" if safety else instruction


def _dream(dreams: tuple[Dream, ...], recipe: Recipe, rng: np.random.Generator) -> Dream:
    """One dream; the modes by their weights, for a frame has many ways to change lanes and one to stop."""
    modes = list(dict.fromkeys(dream.mode for dream in dreams))
    weights = np.array([recipe.precise_dream_weight if mode in _PRECISE else 1.0 for mode in modes])
    mode = modes[rng.choice(len(modes), p=weights / weights.sum())]
    among = [dream for dream in dreams if dream.mode is mode]
    return among[rng.integers(len(among))]
