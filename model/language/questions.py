"""Visual questions about a frame, with their answers. Our own words. No torch.

``KINDS`` names the kinds of question; scores are reported per kind. A question whose answer is a bare "there is none"
is kept rarely (SimLingo keeps a fifth), as most frames show none of most things.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass

from linkvla.model.data.sample import Question
from linkvla.model.language.commentary import CauseKind, Rationale, Thing, reason, spoken_distance
from linkvla.model.language.phrases import ROUTE_PHRASES, SPEED_PHRASES, RouteIntent, SpeedIntent

NEGATIVES_KEPT = 0.2


@dataclass(frozen=True)
class Facts:
    """What is true about a frame and can be seen in it."""

    speed: float  # m/s
    rationale: Rationale
    light: str = ""  # colour of the ego's own light: red, yellow, green; empty: none to be seen
    light_holds: bool = False
    stop_sign_distance: float | None = None  # m; None: no stop sign to be seen on the ego's way
    lead: Thing | None = None  # the nearest vehicle in the ego's lane
    lead_brakes: bool = False  # its brake lamps are lit
    walkers: tuple[Thing, ...] = ()  # nearest first
    vehicles: tuple[Thing, ...] = ()  # all that are seen, nearest first, the lead among them
    junction_distance: float | None = None  # m; 0 inside, None: none near
    direction: RouteIntent = RouteIntent.FOLLOW  # where the route goes at that junction
    bend: str = ""  # "left" or "right", where the road bends
    lanes: int = 1  # in our direction; not asked about inside junctions, nor what follows
    lane: int = 1  # ours, from the left, 1..lanes
    may_change_left: bool = False
    may_change_right: bool = False
    wet: bool = False
    sky: str = "clear"  # clear, cloudy, overcast, foggy

    @property
    def in_junction(self) -> bool:
        """Whether the ego is in a junction."""
        return self.junction_distance == 0.0


@dataclass(frozen=True)
class _Asked:
    """One answered question before its wording is drawn."""

    questions: tuple[str, ...]
    answers: tuple[str, ...]
    negative: bool = False  # the answer is that there is nothing


def questions(facts: Facts, rng: random.Random) -> tuple[Question, ...]:
    """All questions that make sense for the frame, one wording each, in a fixed order of kinds."""
    out = []
    for kind, ask in _ASKERS.items():
        asked = ask(facts, rng)
        if asked is None or (asked.negative and rng.random() >= NEGATIVES_KEPT):
            continue
        answer = rng.choice(asked.answers)
        others = tuple(other for other in asked.answers if other != answer)
        out.append(Question(rng.choice(asked.questions), answer, kind, others))
    return tuple(out)


def _light(facts: Facts, _) -> _Asked:
    asked = (
        "What colour is the traffic light?",
        "Which colour does our light show?",
        "What does the light ahead show?",
    )
    if not facts.light:
        return _Asked(asked, ("There is no traffic light for us.",), negative=True)
    return _Asked(asked, (f"It is {facts.light}.", f"The light is {facts.light}."))


def _light_holds(facts: Facts, _) -> _Asked | None:
    if not facts.light:
        return None
    asked = ("Does the traffic light hold us?", "Must we stop for the light?", "Do we have to wait for the light?")
    if facts.light_holds:
        return _Asked(asked, (f"Yes, it is {facts.light}.", f"Yes, the light is {facts.light}."))
    return _Asked(asked, (f"No, it is {facts.light}.", f"No, the light is {facts.light}."))


def _stop_sign(facts: Facts, _) -> _Asked:
    asked = ("Is there a stop sign ahead?", "Do you see a stop sign for us?")
    if facts.stop_sign_distance is None:
        return _Asked(asked, ("No, there is none.", "No stop sign for us."), negative=True)
    away = spoken_distance(facts.stop_sign_distance)
    return _Asked(asked, (f"Yes, {away} away.", f"Yes, a stop sign {away} ahead."))


def _lead(facts: Facts, _) -> _Asked:
    asked = ("Is there a vehicle in front of us?", "What is ahead in our lane?", "Which vehicle is in front?")
    if facts.lead is None:
        return _Asked(asked, ("Our lane ahead is empty.", "There is none in our lane."), negative=True)
    return _Asked(asked, (f"A {facts.lead.name}.", f"There is a {facts.lead.name} ahead."))


def _lead_motion(facts: Facts, _) -> _Asked | None:
    if facts.lead is None:
        return None
    asked = ("Is the vehicle ahead moving?", "What does the vehicle ahead do?", "Does the vehicle in front drive?")
    if facts.lead.moving:
        return _Asked(asked, ("It is moving.", f"The {facts.lead.noun} is driving."))
    return _Asked(asked, ("It stands still.", f"The {facts.lead.noun} is standing."))


def _lead_colour(facts: Facts, _) -> _Asked | None:
    if facts.lead is None or not facts.lead.colour:
        return None
    colour, noun = facts.lead.colour, facts.lead.noun
    return _Asked(
        (f"What colour is the {noun} ahead?", f"Which colour has the {noun} in front?"), (f"It is {colour}.",)
    )


def _lead_distance(facts: Facts, _) -> _Asked | None:
    if facts.lead is None or facts.lead.distance is None:
        return None
    away = spoken_distance(facts.lead.distance)
    asked = (f"How far is the {facts.lead.noun} ahead?", "How large is the gap to the vehicle ahead?")
    return _Asked(asked, (f"About {away}.", f"It is {away} away."))


def _lead_brakes(facts: Facts, _) -> _Asked | None:
    if facts.lead is None:
        return None
    asked = ("Are the brake lights of the vehicle ahead on?", "Does the vehicle ahead show brake lights?")
    if facts.lead_brakes:
        return _Asked(asked, ("Yes, they are on.", "Yes, its brake lights are lit."))
    return _Asked(asked, ("No, they are off.", "No brake lights are lit."))


def _pedestrian(facts: Facts, _) -> _Asked:
    asked = ("Is there a pedestrian?", "Do you see a pedestrian?", "Where is the nearest pedestrian?")
    if not facts.walkers:
        return _Asked(asked, ("There is none.", "I see no pedestrian."), negative=True)
    return _Asked(asked, (f"There is one {facts.walkers[0].where}.", f"A pedestrian is {facts.walkers[0].where}."))


def _pedestrian_in_way(facts: Facts, _) -> _Asked | None:
    if not facts.walkers:
        return None
    asked = ("Is a pedestrian in our way?", "Do we have to stop for a pedestrian?")
    if any(not walker.side for walker in facts.walkers):
        return _Asked(asked, ("Yes, a pedestrian is in our lane.",))
    return _Asked(asked, ("No, our lane is free of people.",))


def _junction(facts: Facts, _) -> _Asked:
    asked = ("Is there a junction ahead?", "How far is the next junction?")
    if facts.junction_distance is None:
        return _Asked(asked, ("No junction is near.",), negative=True)
    if facts.in_junction:
        return _Asked(asked, ("We are in one.", "We are in a junction."))
    away = spoken_distance(facts.junction_distance)
    return _Asked(asked, (f"There is one {away} ahead.", f"The junction is {away} away."))


def _direction(facts: Facts, _) -> _Asked | None:
    if facts.junction_distance is None or facts.direction is RouteIntent.FOLLOW:
        return None
    asked = ("Where do we go at the junction?", "Which way do we take at the junction?")
    words = {
        RouteIntent.TURN_LEFT: ("We turn left.", "To the left."),
        RouteIntent.TURN_RIGHT: ("We turn right.", "To the right."),
        RouteIntent.GO_STRAIGHT: ("We go straight on.", "Straight on."),
    }
    return _Asked(asked, words[facts.direction])


def _bend(facts: Facts, _) -> _Asked | None:
    asked = ("Does the road bend?", "Is there a bend ahead?")
    if facts.junction_distance is not None:
        return None
    if not facts.bend:
        return _Asked(asked, ("No, the road is straight.",), negative=True)
    return _Asked(asked, (f"Yes, to the {facts.bend}.", f"It bends to the {facts.bend}."))


def _vehicles(facts: Facts, _) -> _Asked:
    count = len(facts.vehicles)
    asked = ("How many vehicles do you see?", "How many vehicles are there?")
    if count == 0:
        return _Asked(asked, ("I see none.", "There are no vehicles."), negative=True)
    return _Asked(asked, ("One.", "There is one.") if count == 1 else (f"{count}.", f"There are {count}."))


def _vehicle_at_side(facts: Facts, rng: random.Random) -> _Asked:
    side = rng.choice(("left", "right"))
    asked = (f"What vehicle is on the {side}?", f"Is there a vehicle on the {side}?")
    found = next((thing for thing in facts.vehicles if thing.side == side), None)
    if found is None:
        return _Asked(asked, (f"There is none on the {side}.",), negative=True)
    return _Asked(asked, (f"A {found.name}.", f"There is a {found.name}."))


def _action(facts: Facts, rng: random.Random) -> _Asked:
    asked = ("What should we do now?", "What do you do next?", "What is the right action?")
    actions = (ROUTE_PHRASES[facts.rationale.route], SPEED_PHRASES[facts.rationale.speed])
    said = " and ".join(rng.choice(phrases) for phrases in actions)
    return _Asked(asked, (said[0].upper() + said[1:] + ".",))


_WHY = {
    SpeedIntent.REMAIN_STOPPED: ("Why do we stand?", "Why do we wait?"),
    SpeedIntent.STOP: ("Why do we stop?", "Why do we have to stop?"),
    SpeedIntent.DECELERATE: ("Why do we slow down?", "Why do we brake?"),
    SpeedIntent.MAINTAIN: ("Why do we keep the speed?",),
    SpeedIntent.ACCELERATE: ("Why do we speed up?", "Why do we go faster?"),
    SpeedIntent.START: ("Why do we set off?", "Why may we drive?"),
}


def _why(facts: Facts, rng: random.Random) -> _Asked | None:
    if facts.rationale.cause is None or facts.rationale.held_back:
        return None
    return _Asked(_WHY[facts.rationale.speed], (f"Because {reason(facts.rationale, rng)}.",))


_SPEED_ANSWERS = {
    SpeedIntent.REMAIN_STOPPED: ("Neither, we stay where we are.",),
    SpeedIntent.STOP: ("Slower, we have to stop.",),
    SpeedIntent.DECELERATE: ("Slower.", "We should slow down."),
    SpeedIntent.MAINTAIN: ("Neither, the speed is right.", "We keep the speed."),
    SpeedIntent.ACCELERATE: ("Faster.", "We can speed up."),
    SpeedIntent.START: ("Faster, we can set off.",),
}


def _speed_choice(facts: Facts, _) -> _Asked:
    asked = ("Should we go faster or slower?", "Faster or slower now?")
    return _Asked(asked, _SPEED_ANSWERS[facts.rationale.speed])


def _must_stop(facts: Facts, _) -> _Asked:
    asked = ("Must we stop now?", "Do we have to stop now?")
    held = facts.rationale.speed in (SpeedIntent.STOP, SpeedIntent.REMAIN_STOPPED)
    return _Asked(asked, ("Yes, we must.", "Yes.") if held else ("No, we can drive.", "No."))


def _obstacle(facts: Facts, _) -> _Asked:
    asked = ("Is our lane free?", "Does anything block our lane?")
    rationale = facts.rationale
    blockers = (CauseKind.OBSTACLE, CauseKind.BLOCKING_VEHICLE, CauseKind.WALKER)
    if rationale.cause in blockers and rationale.thing is not None:
        return _Asked(asked, (f"A {rationale.thing.name} is in the way.", f"A {rationale.thing.name} blocks it."))
    if facts.lead is not None:
        return _Asked(asked, (f"A {facts.lead.name} is ahead of us.",))
    return _Asked(asked, ("Our lane is free.", "Nothing blocks our lane."), negative=True)


def _lanes(facts: Facts, _) -> _Asked | None:
    if facts.in_junction:
        return None
    asked = ("How many lanes go our way?", "How many lanes are there in our direction?")
    return _Asked(asked, ("One.", "Only one.") if facts.lanes == 1 else (f"{facts.lanes}.", f"{facts.lanes} lanes."))


def _lane_position(facts: Facts, _) -> _Asked | None:
    if facts.lanes < 2 or facts.in_junction:
        return None
    place = "left" if facts.lane == 1 else "right" if facts.lane == facts.lanes else "middle"
    return _Asked(
        ("Which lane are we in?", "In which lane do we drive?"), (f"In the {place} lane.", f"The {place} one.")
    )


def _lane_change(facts: Facts, rng: random.Random) -> _Asked | None:
    if facts.in_junction:
        return None
    side = rng.choice(("left", "right"))
    allowed = facts.may_change_left if side == "left" else facts.may_change_right
    asked = (f"May we change to the {side} lane?", f"Is a lane change to the {side} allowed?")
    if allowed:
        return _Asked(asked, ("Yes, we may.", "Yes, it is allowed."))
    return _Asked(asked, ("No, we may not.", "No, it is not allowed."), negative=facts.lanes == 1)


def _weather(facts: Facts, _) -> _Asked:
    return _Asked(("What is the weather like?", "How is the sky?"), (f"It is {facts.sky}.",))


def _wetness(facts: Facts, _) -> _Asked:
    asked = ("Is the road wet?", "Is the road dry?", "Is the road wet or dry?")
    return _Asked(asked, ("It is wet.", "The road is wet.") if facts.wet else ("It is dry.", "The road is dry."))


def _standing(facts: Facts, _) -> _Asked:
    asked = ("Are we moving?", "Do we stand or drive?")
    return _Asked(asked, ("We stand.",) if facts.speed < 0.2 else ("We are driving.",))


_ASKERS: dict[str, Callable[[Facts, random.Random], _Asked | None]] = {
    "light": _light,
    "light_holds": _light_holds,
    "stop_sign": _stop_sign,
    "lead": _lead,
    "lead_motion": _lead_motion,
    "lead_colour": _lead_colour,
    "lead_distance": _lead_distance,
    "lead_brakes": _lead_brakes,
    "pedestrian": _pedestrian,
    "pedestrian_in_way": _pedestrian_in_way,
    "junction": _junction,
    "direction": _direction,
    "bend": _bend,
    "vehicles": _vehicles,
    "vehicle_at_side": _vehicle_at_side,
    "action": _action,
    "why": _why,
    "speed_choice": _speed_choice,
    "must_stop": _must_stop,
    "obstacle": _obstacle,
    "lanes": _lanes,
    "lane_position": _lane_position,
    "lane_change": _lane_change,
    "weather": _weather,
    "wetness": _wetness,
    "standing": _standing,
}

KINDS = tuple(_ASKERS)
