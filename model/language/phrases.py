"""What an action is called in words, and how to find it in words again. No torch.

One action has two halves: where the car goes (``RouteIntent``) and how its speed changes (``SpeedIntent``).
Commentary and instructions are built from the phrases below; ``route_intent`` and ``speed_intent`` read them back from
those texts, and from free wording that uses the same verbs. Comparing words with words needs nothing more.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum

_KMH = 3.6  # km/h per m/s


class RouteIntent(str, Enum):
    """Where the car goes. The last four are for instructions only: the expert never does them."""

    FOLLOW = "follow"
    RECENTRE = "recentre"
    TURN_LEFT = "turn_left"
    TURN_RIGHT = "turn_right"
    GO_STRAIGHT = "go_straight"
    LANE_CHANGE_LEFT = "lane_change_left"
    LANE_CHANGE_RIGHT = "lane_change_right"
    PARKING = "parking"
    SIDEWALK = "sidewalk"
    ONCOMING = "oncoming"
    OBJECT = "object"


class SpeedIntent(str, Enum):
    """How the speed changes. ``TARGET`` names a speed (see ``spoken_speed``), which instructions do."""

    REMAIN_STOPPED = "remain_stopped"
    STOP = "stop"
    DECELERATE = "decelerate"
    MAINTAIN = "maintain"
    ACCELERATE = "accelerate"
    START = "start"
    TARGET = "target"


ROUTE_PHRASES: dict[RouteIntent, tuple[str, ...]] = {
    RouteIntent.FOLLOW: ("follow the road", "follow the lane", "stay in the lane", "keep to the lane"),
    RouteIntent.RECENTRE: ("steer back to the lane centre", "return to the lane centre", "move back into the lane"),
    RouteIntent.TURN_LEFT: ("turn left", "take the left turn", "turn to the left"),
    RouteIntent.TURN_RIGHT: ("turn right", "take the right turn", "turn to the right"),
    RouteIntent.GO_STRAIGHT: ("go straight on", "drive straight on", "go straight across"),
    RouteIntent.LANE_CHANGE_LEFT: ("change to the left lane", "move over to the left lane", "change lanes to the left"),
    RouteIntent.LANE_CHANGE_RIGHT: (
        "change to the right lane",
        "move over to the right lane",
        "change lanes to the right",
    ),
}
"""What the expert may do, as the first half of a commentary."""

SPEED_PHRASES: dict[SpeedIntent, tuple[str, ...]] = {
    SpeedIntent.REMAIN_STOPPED: ("stay stopped", "remain standing", "keep waiting", "keep standing still"),
    SpeedIntent.STOP: ("stop", "brake to a stop", "come to a halt", "brake and halt"),
    SpeedIntent.DECELERATE: ("slow down", "reduce the speed", "brake gently", "ease off"),
    SpeedIntent.MAINTAIN: ("keep the speed", "hold the speed", "maintain the speed", "stay at this speed"),
    SpeedIntent.ACCELERATE: ("speed up", "accelerate", "gain speed", "go faster"),
    SpeedIntent.START: ("set off", "start driving", "pull away", "get going"),
}
"""The second half of a commentary."""


@dataclass(frozen=True)
class SpokenSpeed:
    """A speed as somebody said it."""

    value: float
    unit: str  # "km/h" or "m/s"

    @property
    def metres_per_second(self) -> float:
        """The same in m/s."""
        return self.value / _KMH if self.unit == "km/h" else self.value


REASON_WORDS = "because|since|as|due to|but|although"
"""What a reason begins with, as a regular expression."""

_ASIDE = re.compile(rf"\b(?:{REASON_WORDS}|mind|watch)\b[^.;!?]*")  # reasons and notes: about others, not us
_SIGN = r"(?! (?:sign|line|light))"

# The first pattern that is found decides, so that the special stands before the general.
_ROUTE_PATTERNS = (
    (RouteIntent.OBJECT, r"\b(?:hit|ram|crash|collide|run into|drive into|strike|aim|head for|steer for|towards)\b"),
    (RouteIntent.SIDEWALK, r"\b(?:sidewalk|pavement|kerb|footpath)\b"),
    (RouteIntent.ONCOMING, r"\b(?:oncoming|opposite|wrong side)\b"),
    (RouteIntent.PARKING, r"\bpark(?:ing)?\b"),
    (RouteIntent.RECENTRE, r"\b(?:back (?:to|into)|return to)\b.*\blane\b"),
    (RouteIntent.LANE_CHANGE_LEFT, r"\blanes?\b.*\bleft\b|\bleft\b.*\blanes?\b|\bover\b.*\bleft\b"),
    (RouteIntent.LANE_CHANGE_RIGHT, r"\blanes?\b.*\bright\b|\bright\b.*\blanes?\b|\bover\b.*\bright\b"),
    (RouteIntent.TURN_LEFT, r"\bleft\b"),
    (RouteIntent.TURN_RIGHT, r"\bright\b"),
    (RouteIntent.GO_STRAIGHT, r"\bstraight\b"),
    (RouteIntent.FOLLOW, r"\b(?:follow|stay in|keep to|keep in|stay on)\b.*\b(?:road|lane|route)\b"),
)  # fmt: skip

_SPEED_PATTERNS = (
    (
        SpeedIntent.REMAIN_STOPPED,
        r"\b(?:stay|remain|keep|hold)(?:ing)? (?:stopped|standing|waiting|still|at a standstill|where)\b",
    ),
    (SpeedIntent.STOP, rf"\b(?:stop|halt|standstill|come to rest|full brake|brake hard|zero){_SIGN}\b"),
    (SpeedIntent.START, r"\b(?:set off|start(?: driving| moving)?|pull away|get going|move off|drive off)\b"),
    (SpeedIntent.DECELERATE, r"\b(?:slow|slower|slowly|brake|decelerate|ease off|lose|less|drop|lower)\b|\breduce\b"),
    (SpeedIntent.ACCELERATE, r"\b(?:speed up|accelerate|faster|gain|pick up|more|hurry|quicker|raise|increase)\b"),
    (SpeedIntent.MAINTAIN, r"\b(?:keep|hold|maintain|stay at)\b.*\b(?:speed|pace)\b"),
)

_ROUTE_READERS = tuple((intent, re.compile(pattern)) for intent, pattern in _ROUTE_PATTERNS)
_SPEED_READERS = tuple((intent, re.compile(pattern)) for intent, pattern in _SPEED_PATTERNS)
_SPOKEN_SPEED = re.compile(r"(\d+(?:\.\d+)?) ?(km/h|kmh|kph|m/s)")


def route_intent(text: str) -> RouteIntent | None:
    """Where a commentary, instruction or description sends the car; None when it does not say."""
    return _first(_ROUTE_READERS, text)


def speed_intent(text: str) -> SpeedIntent | None:
    """What a commentary, instruction or description does to the speed; None when it does not say."""
    return SpeedIntent.TARGET if spoken_speed(text) else _first(_SPEED_READERS, text)


def spoken_speed(text: str) -> SpokenSpeed | None:
    """The first speed with a unit that a text names, such as ``25 km/h``; None when there is none."""
    found = _SPOKEN_SPEED.search(text.lower())
    if found is None:
        return None
    return SpokenSpeed(float(found[1]), "m/s" if found[2] == "m/s" else "km/h")


def _first(readers, text: str):
    said = _ASIDE.sub("", text.lower())
    return next((intent for intent, pattern in readers if pattern.search(said)), None)
