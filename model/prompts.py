"""The words around the image: navigation phrases, prompts and the chat template. No torch.

Wording and layout are SimLingo's, which LinkVLA keeps, so that other weights of the same family can be used.
"""

from __future__ import annotations

from linkvla.model.interface.errors import ConfigurationError
from linkvla.model.interface.types import Command

IMAGE_START, IMAGE_CONTEXT, IMAGE_END = "<img>", "<IMG_CONTEXT>", "</img>"
TURN_START, TURN_END = "<|im_start|>", "<|im_end|>"
TARGET_POINT = "<TARGET_POINT>"
PADDING = "<|pad|>"

SPECIAL_TOKENS = (PADDING, TURN_START, TURN_END, IMAGE_START, IMAGE_END, IMAGE_CONTEXT, TARGET_POINT)

NAVIGATION_STYLES = ("target_point", "command", "both")

PHRASES = {
    Command.LEFT: "go left at the next intersection",
    Command.RIGHT: "go right at the next intersection",
    Command.STRAIGHT: "go straight at the next intersection",
    Command.LANE_FOLLOW: "follow the road",
    Command.CHANGE_LANE_LEFT: "do a lane change to the left",
    Command.CHANGE_LANE_RIGHT: "do a lane change to the right",
}

REQUEST = "Predict the waypoints."
ANSWER = "Waypoints:"


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
    if style != "command":
        parts.append(f"Target waypoint: {TARGET_POINT}{TARGET_POINT}.")
    if style != "target_point":
        parts.append(command_text(command, next_command, distance))
    return " ".join(parts)


def drive_text(speed: float, navigation: str) -> str:
    """The user's text of a driving prompt; ``speed`` in m/s, said to one decimal."""
    return f"Current speed: {max(speed, 0.0):.1f} m/s. {navigation} {REQUEST}"


def without_markup(text: str) -> str:
    """Free text with every special token taken out, so that a user's words cannot pose as image, slot or turn."""
    for token in SPECIAL_TOKENS:
        text = text.replace(token, "")
    return text


def chat(user_text: str, image_tokens: int, answer: str = ANSWER) -> str:
    """One turn in InternVL's template without a system turn, image first; the action block follows the answer."""
    image = IMAGE_START + IMAGE_CONTEXT * image_tokens + IMAGE_END
    return f"{TURN_START}user\n{image}\n{user_text}{TURN_END}{TURN_START}assistant\n{answer}{TURN_END}"
