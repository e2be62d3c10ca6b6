"""Commentary: what the car does and why, in one short sentence and perhaps a note (SimLingo's label, our words).

route action + speed action + reason, then a note about a junction or a pedestrian. There is one plain way to say it,
which is what a network is taught to say: of a choice of wordings it would learn the choice, and where the next word is
taken greedily, causes with many wordings lose against those with few. Paraphrases are for what is said to it. No torch.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from enum import Enum

from linkvla.model.language.phrases import ROUTE_PHRASES, SPEED_PHRASES, RouteIntent, SpeedIntent


class CauseKind(str, Enum):
    """What decides the speed."""

    CLEAR = "clear"  # nothing does
    VEHICLE = "vehicle"
    BLOCKING_VEHICLE = "blocking_vehicle"  # stands across the lane
    WALKER = "walker"
    OBSTACLE = "obstacle"
    RED_LIGHT = "red_light"
    YELLOW_LIGHT = "yellow_light"
    GREEN_LIGHT = "green_light"
    STOP_SIGN = "stop_sign"
    STOP_SIGN_OBEYED = "stop_sign_obeyed"
    CRUISE = "cruise"  # faster than need be
    BEND = "bend"
    JUNCTION = "junction"


@dataclass(frozen=True)
class Thing:
    """Something that the camera sees."""

    noun: str  # car, van, truck, bus, motorcycle, bicycle, pedestrian, cone, barrier, box
    colour: str = ""  # empty where it has none worth saying
    side: str = ""  # "left" or "right" of the lane; empty: on it
    distance: float | None = None  # m from the front bumper
    moving: bool = False

    @property
    def name(self) -> str:
        """``red car``; a person is not red, the coat is."""
        if self.noun == "pedestrian" and self.colour:
            return f"pedestrian in {self.colour}"
        return f"{self.colour} {self.noun}".strip()

    @property
    def where(self) -> str:
        """``on the left`` or ``ahead``."""
        return f"on the {self.side}" if self.side else "ahead"


@dataclass(frozen=True)
class Rationale:
    """What the expert does and the one thing that makes it do so."""

    route: RouteIntent
    speed: SpeedIntent
    cause: CauseKind | None = CauseKind.CLEAR  # None: it cannot be seen, and so it is not said
    thing: Thing | None = None  # for causes that are road users; else only its distance and side are used
    in_junction: bool = False
    junction_close: bool = False
    walker_side: str | None = None  # a pedestrian worth a note: "left", "right", "" (ahead); None: none

    @property
    def held_back(self) -> bool:
        """Whether the cause speaks against what is done: the car moves on towards something that will stop it."""
        if self.speed not in (SpeedIntent.START, SpeedIntent.ACCELERATE):
            return False
        moving = self.cause is CauseKind.VEHICLE and self.thing is not None and self.thing.moving
        return not moving and self.cause not in (
            None, CauseKind.CLEAR, CauseKind.GREEN_LIGHT, CauseKind.STOP_SIGN_OBEYED, CauseKind.JUNCTION,
        )  # fmt: skip

    @property
    def distance(self) -> float | None:
        """m to the cause, where that is known."""
        return self.thing.distance if self.thing else None


# The first of each is the plain one
_REASONS = {
    CauseKind.CLEAR: ("nothing is in the way", "the road ahead is clear", "the way is free"),
    CauseKind.WALKER: ("a pedestrian is on the road{away}", "a pedestrian stands in the lane{away}"),
    CauseKind.OBSTACLE: ("a {name} blocks the lane{away}", "a {name} lies in the way{away}"),
    CauseKind.BLOCKING_VEHICLE: ("a {name} stands across the lane{away}", "a {name} blocks the road{away}"),
    CauseKind.RED_LIGHT: ("the light{away} is red", "the traffic light{away_or_ahead} is red"),
    CauseKind.YELLOW_LIGHT: ("the light{away} is yellow", "the traffic light{away_or_ahead} is yellow"),
    CauseKind.GREEN_LIGHT: ("the light{away} is green", "the traffic light{away_or_ahead} is green"),
    CauseKind.STOP_SIGN: ("there is a stop sign{away_or_ahead}", "a stop sign stands{away_or_ahead}"),
    CauseKind.STOP_SIGN_OBEYED: ("the stop at the sign is made", "the way past the stop sign is free"),
    CauseKind.CRUISE: ("we are a bit too fast", "this is fast enough"),
    CauseKind.BEND: ("the road bends{to_side}", "a bend{to_side} is coming", "there is a bend{to_side}"),
    CauseKind.JUNCTION: ("the junction is near", "a junction is coming"),
}
_STANDING_LEAD = ("a {name} is standing{away_or_ahead}", "the {name} ahead stands still{away}")
_MOVING_LEAD = ("a {name} is driving{away_or_ahead}", "the {name} ahead is moving{away}")
_CONNECTORS = (" because ", " since ", ", as ")
_RESERVATIONS = (", but ", " although ")  # the car speeds up, yet not as it would on a free road
_IN_JUNCTION = ("We are in a junction.", "This is a junction.")
_JUNCTION_CLOSE = ("A junction is close.", "The junction is near.")
_WALKER_NOTES = ("Mind the pedestrian {where}.", "Watch the pedestrian {where}.")


@dataclass(frozen=True)
class _Wording:
    """Chooses words: the first that are offered, or by chance."""

    rng: random.Random | None = None

    def pick(self, options: tuple[str, ...]) -> str:
        return options[0] if self.rng is None else self.rng.choice(options)

    def perhaps(self, share: float) -> bool:
        return self.rng is not None and self.rng.random() < share

    def name(self, thing: Thing) -> str:
        return thing.noun if self.rng is None else thing.name


_PLAIN = _Wording()


def commentary(rationale: Rationale) -> str:
    """One to two short sentences, plainly. ``phrases.route_intent`` and ``speed_intent`` read the two actions back."""
    return _sentences(rationale, _PLAIN)


def paraphrase(rationale: Rationale, rng: random.Random) -> str:
    """The same in other words, in either order, at times with colours and distances."""
    return _sentences(rationale, _Wording(rng))


def reason(rationale: Rationale, rng: random.Random) -> str:
    """The cause, which must not be None, as a bare clause, with its distance in half of the cases."""
    return _reason(rationale, _Wording(rng))


def _sentences(rationale: Rationale, wording: _Wording) -> str:
    actions = [wording.pick(ROUTE_PHRASES[rationale.route]), wording.pick(SPEED_PHRASES[rationale.speed])]
    if wording.perhaps(0.3):
        actions.reverse()
    said = " and ".join(actions)
    if rationale.cause is not None:
        said += wording.pick(_RESERVATIONS if rationale.held_back else _CONNECTORS) + _reason(rationale, wording)
    return " ".join([said[0].upper() + said[1:] + ".", *_notes(rationale, wording)])


def _reason(rationale: Rationale, wording: _Wording) -> str:
    cause, thing = rationale.cause, rationale.thing
    if cause is CauseKind.VEHICLE:
        template = wording.pick(_MOVING_LEAD if thing is not None and thing.moving else _STANDING_LEAD)
    else:
        template = wording.pick(_REASONS[cause])
    known = rationale.distance is not None and wording.perhaps(0.5)
    away = f" {spoken_distance(rationale.distance)} away" if known else ""
    return template.format(
        name=wording.name(thing) if thing else "vehicle",
        away=away,
        away_or_ahead=away or " ahead",
        to_side=f" to the {thing.side}" if thing and thing.side else "",
    )


def spoken_distance(metres: float) -> str:
    """``7 m``; beyond ten metres in steps of five, as nobody sees better."""
    rounded = max(1, round(metres)) if metres < 10 else 5 * round(metres / 5)
    return f"{rounded} m"


def _notes(rationale: Rationale, wording: _Wording) -> list[str]:
    notes = []
    if rationale.cause is not CauseKind.JUNCTION and (rationale.in_junction or rationale.junction_close):
        notes.append(wording.pick(_IN_JUNCTION if rationale.in_junction else _JUNCTION_CLOSE))
    if rationale.walker_side is not None and rationale.cause is not CauseKind.WALKER:
        notes.append(wording.pick(_WALKER_NOTES).format(where=Thing("pedestrian", side=rationale.walker_side).where))
    return notes
