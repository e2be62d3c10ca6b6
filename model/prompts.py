"""The words around the image: navigation phrases, prompts and the chat template. No torch.

Wording and layout are SimLingo's, which LinkVLA keeps, so that other weights of the same family can be used. The one
prompt of our own is that of the understanding direction, which no public code shows.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from linkvla.model.interface.errors import ConfigurationError
from linkvla.model.interface.types import Command

IMAGE_START, IMAGE_CONTEXT, IMAGE_END = "<img>", "<IMG_CONTEXT>", "</img>"
TURN_START, TURN_END = "<|im_start|>", "<|im_end|>"
TARGET_POINT = "<TARGET_POINT>"
PADDING = "<|pad|>"
PADDINGS = (PADDING, "<|endoftext|>")  # what tokenizers pad with: our own, and Qwen's

SPECIAL_TOKENS = (PADDING, TURN_START, TURN_END, IMAGE_START, IMAGE_END, IMAGE_CONTEXT, TARGET_POINT)

NAVIGATION_STYLES = ("target_point", "command", "both", "none")

PHRASES = {
    Command.LEFT: "go left at the next intersection",
    Command.RIGHT: "go right at the next intersection",
    Command.STRAIGHT: "go straight at the next intersection",
    Command.LANE_FOLLOW: "follow the road",
    Command.CHANGE_LANE_LEFT: "do a lane change to the left",
    Command.CHANGE_LANE_RIGHT: "do a lane change to the right",
}

REQUEST = "Predict the waypoints."
COMMENTARY_REQUEST = "What should the ego do next?"
DESCRIPTION_REQUEST = "These are the planned actions. What do they mean?"
ANSWER = "Waypoints:"
OBEYED = "Following the given instruction."
FOLLOW_FLAG, SAFETY_FLAG = "<INSTRUCTION_FOLLOWING>", "<SAFETY>"


@dataclass(frozen=True)
class Turn:
    """One question and its answer.

    ``actions``: (30,) int cells, 20 path points and 10 speed waypoints, put between image and text: the understanding
    direction [V, A, L]. They are inserted as ids, by arithmetic; no text can spell one.
    """

    user: str
    answer: str = ANSWER
    actions: np.ndarray | None = None


def command_text(command: int, next_command: int, distance: float) -> str:
    """``Command: go left at the next intersection in 23 meter then follow the road.``

    ``distance`` in metres, cut to whole metres; lane following names none. Equal phrases are said once.
    """
    phrase, following = PHRASES[Command(command)], PHRASES[Command(next_command)]
    where = "" if command == Command.LANE_FOLLOW else f" in {max(int(distance), 0)} meter"
    then = "" if phrase == following else f" then {following}"
    return f"Command: {phrase}{where}{then}."


def navigation_text(style: str, command: int, next_command: int, distance: float) -> str:
    """The navigation part of the prompt. Raises ConfigurationError for an unknown style."""
    if style not in NAVIGATION_STYLES:
        raise ConfigurationError(f"navigation style must be one of {', '.join(NAVIGATION_STYLES)}, got {style!r}")
    parts = []
    if style in ("target_point", "both"):
        parts.append(f"Target waypoint: {TARGET_POINT}{TARGET_POINT}.")
    if style in ("command", "both"):
        parts.append(command_text(command, next_command, distance))
    return " ".join(parts)


def drive_turn(speed: float, navigation: str) -> Turn:
    """Waypoints at once. ``speed`` in m/s, said to one decimal; the same in all turns below."""
    return Turn(_joined(_speed_text(speed), navigation, REQUEST))


def commentary_turn(speed: float, navigation: str, commentary: str = "") -> Turn:
    """Words before waypoints (chain of thought)."""
    return Turn(_joined(_speed_text(speed), navigation, COMMENTARY_REQUEST), _joined(commentary, ANSWER))


def commented_turn(speed: float, navigation: str, commentary: str) -> Turn:
    """Waypoints for a commentary that is given."""
    return Turn(_joined(_speed_text(speed), navigation or "Command:", without_markup(commentary), REQUEST))


def question_turn(speed: float, navigation: str, question: str, answer: str = "") -> Turn:
    """A visual question."""
    return Turn(_joined(_speed_text(speed), navigation, f"Q: {without_markup(question)}"), _joined("A:", answer))


def instruction_turn(speed: float, navigation: str, instruction: str, *, safety: bool, answer: str = OBEYED) -> Turn:
    """Waypoints for an instruction (Action Dreaming).

    ``safety``: unsafe wishes are to be refused. ``answer``: what is said before the waypoints: obedience, or the
    refusal with its reason.
    """
    flag = SAFETY_FLAG if safety else FOLLOW_FLAG
    return Turn(_joined(flag, _speed_text(speed), navigation, without_markup(instruction)), _joined(answer, ANSWER))


def description_turn(speed: float, navigation: str, actions: np.ndarray, text: str = "") -> Turn:
    """The understanding direction: words for given actions (LinkVLA equation 4)."""
    return Turn(_joined(_speed_text(speed), navigation, DESCRIPTION_REQUEST), text, np.asarray(actions))


def without_markup(text: str) -> str:
    """Free text with every special token taken out, so that a user's words cannot pose as image, slot or turn."""
    before = None
    while before != text:  # taking one out may join another
        before = text
        for token in (*SPECIAL_TOKENS, *PADDINGS):
            text = text.replace(token, "")
    return text


def without_marker(text: str) -> str:
    """An answer without the word at its end that announces the waypoints."""
    return text.strip().removesuffix(ANSWER).strip()


def chat(turn: Turn, image_tokens: int) -> tuple[str, str, str]:
    """One turn in InternVL's template without a system turn: (up to the image, up to the answer, the answer).

    The actions of an understanding turn go between the first two; the action block of a driving turn follows the last.
    """
    image = IMAGE_START + IMAGE_CONTEXT * image_tokens + IMAGE_END
    return (
        f"{TURN_START}user\n{image}\n",
        f"{turn.user}{TURN_END}{TURN_START}assistant\n",
        f"{turn.answer}{TURN_END}",
    )


def _speed_text(speed: float) -> str:
    return f"Current speed: {max(speed, 0.0):.1f} m/s."


def _joined(*parts: str) -> str:
    return " ".join(part for part in parts if part)
