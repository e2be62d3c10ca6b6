"""Text that shows a tokenizer how the labels read: every template, with the usual fillings. Deterministic."""

from __future__ import annotations

import random
from collections.abc import Iterator
from itertools import product

from linkvla.model.data.sample import DreamMode
from linkvla.model.language.commentary import CauseKind, Rationale, Thing, paraphrase
from linkvla.model.language.instructions import REFUSALS, LaneKind, Order, instructions
from linkvla.model.language.phrases import ROUTE_PHRASES, SPEED_PHRASES, RouteIntent
from linkvla.model.language.questions import Facts, questions

VEHICLES = ("car", "van", "truck", "bus", "motorcycle", "bicycle")
OBSTACLES = ("cone", "barrier", "box")
COLOURS = ("red", "blue", "white", "black", "grey", "yellow", "green", "brown")

_ALL = 100  # more than any mode has templates
_SIDES = ("left", "right", "")
_SKIES = ("clear", "cloudy", "overcast", "foggy")


def language_corpus() -> list[str]:
    """A few thousand lines: commentary, questions and answers, instructions, refusals."""
    rng = random.Random("corpus")
    lines = [paraphrase(rationale, rng) for rationale in _rationales(rng)]
    for facts in _facts(rng):
        lines += [text for item in questions(facts, rng) for text in (item.question, item.answer)]
    lines += [text for order in _orders(rng) for text in instructions(order, rng, _ALL)]
    lines += [text for answers in REFUSALS.values() for text in answers]
    return list(dict.fromkeys(lines))


def _thing(rng: random.Random, nouns: tuple[str, ...] = VEHICLES) -> Thing:
    return Thing(rng.choice(nouns), rng.choice(COLOURS), rng.choice(_SIDES), rng.uniform(1, 40), rng.random() < 0.5)


def _cause_thing(cause: CauseKind, rng: random.Random) -> Thing:
    nouns = {CauseKind.WALKER: ("pedestrian",), CauseKind.OBSTACLE: OBSTACLES}.get(cause, VEHICLES)
    return _thing(rng, nouns)


def _rationales(rng: random.Random) -> Iterator[Rationale]:
    for route, speed, cause in product(ROUTE_PHRASES, SPEED_PHRASES, CauseKind):
        for _ in range(3):
            yield Rationale(
                route, speed, cause, _cause_thing(cause, rng), rng.random() < 0.2, rng.random() < 0.2,
                rng.choice((None, None, *_SIDES)),
            )  # fmt: skip


def _facts(rng: random.Random) -> Iterator[Facts]:
    directions = (RouteIntent.TURN_LEFT, RouteIntent.TURN_RIGHT, RouteIntent.GO_STRAIGHT)
    for rationale in rng.sample(list(_rationales(rng)), 300):
        lanes = rng.randint(1, 3)
        vehicles = tuple(_thing(rng) for _ in range(rng.randint(0, 7)))
        yield Facts(
            speed=rng.choice((0.0, 5.0)),
            rationale=rationale,
            light=rng.choice(("red", "yellow", "green", "")),
            light_holds=rng.random() < 0.5,
            stop_sign_distance=rng.choice((None, rng.uniform(1, 40))),
            lead=vehicles[0] if vehicles else None,
            lead_brakes=rng.random() < 0.5,
            walkers=tuple(_thing(rng, ("pedestrian",)) for _ in range(rng.randint(0, 2))),
            vehicles=vehicles,
            junction_distance=rng.choice((None, 0.0, rng.uniform(1, 30))),
            direction=rng.choice(directions),
            bend=rng.choice(_SIDES),
            lanes=lanes,
            lane=rng.randint(1, lanes),
            may_change_left=rng.random() < 0.5,
            may_change_right=rng.random() < 0.5,
            wet=rng.random() < 0.5,
            sky=rng.choice(_SKIES),
        )


def _orders(rng: random.Random) -> Iterator[Order]:
    for mode in (DreamMode.FASTER, DreamMode.SLOWER, DreamMode.STOP):
        yield Order(mode)
    for value, unit in product(range(2, 36, 3), ("km/h", "m/s")):
        yield Order(DreamMode.TARGET_SPEED, target_speed=float(value), unit=unit)
    for side, kind, lanes in product(("left", "right"), LaneKind, (1, 2, 3)):
        yield Order(DreamMode.LANE_CHANGE, side=side, lane_kind=kind, lanes=lanes)
        yield Order(
            DreamMode.LANE_CHANGE, side=side, lane_kind=kind, start=rng.uniform(1, 9), transition=rng.uniform(5, 20)
        )
    for noun in (*VEHICLES, *OBSTACLES, "pedestrian", "stop sign"):
        for _ in range(2):
            place = (rng.uniform(3, 40), rng.uniform(-7, 7))
            yield Order(DreamMode.CRASH, thing=_thing(rng, (noun,)), place_in_ego=place)
            yield Order(DreamMode.CRASH, place_in_ego=place)
