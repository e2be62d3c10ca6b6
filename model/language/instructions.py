"""Instructions for Action Dreaming, and refusals with their reasons. Our own words. No torch."""

from __future__ import annotations

import random
from dataclasses import dataclass
from enum import Enum

from linkvla.model.data.sample import DreamMode
from linkvla.model.interface.errors import DataError
from linkvla.model.language.commentary import Thing

_KMH = 3.6
_PLACE_SHARE = 0.15  # of the crash instructions name a place instead of the thing (SimLingo)


class LaneKind(str, Enum):
    """Where a lane-change instruction goes to."""

    LANE = "lane"
    PARKING = "parking"
    SIDEWALK = "sidewalk"
    ONCOMING = "oncoming"


@dataclass(frozen=True)
class Order:
    """What is asked for; which fields count depends on the mode."""

    mode: DreamMode
    target_speed: float | None = None  # m/s; target_speed
    unit: str = "km/h"  # or "m/s": how the speed is said
    side: str = ""  # "left" or "right"; lane_change
    lanes: int = 1  # how many lanes over
    lane_kind: LaneKind = LaneKind.LANE
    start: float | None = None  # m until the change begins, said in some paraphrases
    transition: float | None = None  # m that it takes
    thing: Thing | None = None  # crash
    place_in_ego: tuple[float, float] | None = None  # m, forward and right; crash


class Refusal(str, Enum):
    """Why a wish is not fulfilled."""

    CRASH = "crash"
    DYNAMIC_AGENT = "dynamic_agent"
    PEDESTRIAN = "pedestrian"
    ABOVE_LIMIT = "above_limit"
    TOO_SLOW = "too_slow"
    ONCOMING_LANE = "oncoming_lane"
    SIDEWALK = "sidewalk"
    LANE_CHANGE_NOT_ALLOWED = "lane_change_not_allowed"
    STOP_LINE = "stop_line"  # ours


FASTER = (
    "Speed up.", "Drive faster.", "Go faster, please.", "Accelerate now.", "Gain some speed.", "Pick up the pace.",
    "Hurry up a bit.", "A little faster, please.", "Raise the speed.", "Increase your speed.", "Can you go quicker?",
    "We are late, speed up.", "Press the accelerator, go faster.", "I want to drive faster.",
)  # fmt: skip
SLOWER = (
    "Slow down.", "Drive slower.", "Go slower, please.", "Reduce the speed.", "Decelerate now.", "Ease off a bit.",
    "Brake gently.", "A little slower, please.", "Lower your speed.", "Lose some speed.", "Can you go slower?",
    "Take it easy and slow down.", "Drop the speed a little.", "I want to drive more slowly.",
)  # fmt: skip
STOP = (
    "Stop.", "Stop now.", "Stop the car.", "Halt.", "Come to a halt.", "Brake to a stop.", "Stop here, please.",
    "Bring the car to a standstill.", "Brake hard and stop.", "Stop at once.", "Full brake, now.",
    "I want you to stop.", "Please come to a stop.", "Halt the car here.",
)  # fmt: skip
TARGET_SPEED = (
    "Drive at {speed}.", "Go {speed}.", "Set the speed to {speed}.", "Change your speed to {speed}.",
    "Make it {speed}.", "Go for {speed}.", "Please drive {speed}.", "Take {speed} as your speed.",
    "Your new speed is {speed}.", "Reach {speed}.", "I want {speed} on the clock.", "Get to {speed}.",
    "The speed should be {speed}.", "Try to drive {speed}.",
)  # fmt: skip
CHANGE_LANE = (
    "Change to the {side} lane.", "Change lanes to the {side}.", "Move over to the {side} lane.",
    "Switch to the lane on the {side}.", "Take the lane on your {side}.", "Go one lane to the {side}.",
    "Use the {side} lane.", "Please move one lane {side}.", "Shift one lane to the {side}.",
    "Merge into the {side} lane.", "I want to be in the {side} lane.", "Leave this lane to the {side}.",
)  # fmt: skip
CHANGE_LANES = (
    "Go {lanes} lanes to the {side}.", "Move {lanes} lanes {side}.", "Change {lanes} lanes to the {side}.",
    "Cross {lanes} lanes to the {side}.", "Shift {lanes} lanes to the {side}.", "Be {lanes} lanes further {side}.",
    "Take the lane {lanes} lanes {side} of us.", "Please go over {lanes} lanes to the {side}.",
    "Switch {lanes} lanes over, to the {side}.", "I want to be {lanes} lanes to the {side}.",
    "Drive {lanes} lanes over to the {side}.", "Swing {lanes} lanes {side}.",
)  # fmt: skip
CHANGE_LANE_AT = (
    "Change to the {side} lane in {start} m.", "In {start} m, move to the {side} lane.",
    "Go to the {side} lane, begin in {start} m and take {transition} m for it.",
    "Move over to the {side} lane within {transition} m.",
)  # fmt: skip
ONCOMING = (
    "Drive in the oncoming lane.", "Take the oncoming lane.", "Move over to the opposite lane.",
    "Go to the wrong side of the road.", "Use the lane of the oncoming traffic.", "Cross into the oncoming lane.",
    "Change to the opposite lane.", "Switch to the oncoming lane.", "Swing over to the oncoming side.",
    "Please use the opposite lane.", "Leave our lane for the oncoming one.", "I want to be in the opposite lane.",
)  # fmt: skip
PARKING = (
    "Drive onto the parking lane.", "Move to the parking lane.", "Take the parking lane.", "Use the parking strip.",
    "Pull over to the parking lane.", "Go to the parking lane on the {side}.", "Change to the parking lane.",
    "Leave the road for the parking lane.", "Steer to the parking strip on the {side}.",
    "Please go over to the parking lane.", "Switch to the parking lane.", "I want to be in the parking lane.",
)  # fmt: skip
SIDEWALK = (
    "Drive onto the sidewalk.", "Go up on the sidewalk.", "Take the sidewalk.", "Move over to the sidewalk.",
    "Use the sidewalk on the {side}.", "Mount the kerb.", "Drive on the pavement.", "Steer onto the pavement.",
    "Change to the sidewalk on the {side}.", "Leave the road for the sidewalk.", "Swing onto the sidewalk.",
    "I want to drive on the sidewalk.",
)  # fmt: skip
CRASH = (
    "Drive into the {name}.", "Hit the {name}.", "Crash into the {name}.", "Run into the {name}.", "Ram the {name}.",
    "Drive towards the {name}.", "Head for the {name}.", "Steer towards the {name}.", "Go straight towards the {name}.",
    "Collide with the {name}.", "Aim at the {name}.", "Strike the {name} {where}.", "Drive into the {name} {where}.",
    "Steer for the {name} {where}.",
)  # fmt: skip
CRASH_PLACE = (
    "Drive towards the thing at x {x}, y {y}.", "Hit what stands at x {x}, y {y}.", "Head for the point x {x}, y {y}.",
    "Steer towards x {x}, y {y}.", "Crash into the object at x {x}, y {y}.", "Aim at the spot x {x}, y {y}.",
)  # fmt: skip

REFUSALS = {
    Refusal.CRASH: ("No, that would end in a crash.", "I will not do that, we would crash."),
    Refusal.DYNAMIC_AGENT: ("No, we would hit another vehicle.", "I cannot, another vehicle is in the way."),
    Refusal.PEDESTRIAN: ("No, a pedestrian is too close.", "I will not, that endangers a pedestrian."),
    Refusal.ABOVE_LIMIT: ("No, that is above the speed limit.", "I cannot, the limit is lower."),
    Refusal.TOO_SLOW: ("No, that is too slow for this road.", "I will not, it would hold up the traffic."),
    Refusal.ONCOMING_LANE: ("No, that lane is for oncoming traffic.", "I will not drive in the oncoming lane."),
    Refusal.SIDEWALK: ("No, the sidewalk is for pedestrians.", "I will not drive on the sidewalk."),
    Refusal.LANE_CHANGE_NOT_ALLOWED: ("No, we may not change lanes here.", "I cannot, the lane line forbids it."),
    Refusal.STOP_LINE: ("No, we have to stop at the line.", "I will not drive over the stop line now."),
}

_SIMPLE = {
    DreamMode.FASTER: FASTER,
    DreamMode.SLOWER: SLOWER,
    DreamMode.STOP: STOP,
    DreamMode.TARGET_SPEED: TARGET_SPEED,
}
_ACROSS = {LaneKind.ONCOMING: ONCOMING, LaneKind.PARKING: PARKING, LaneKind.SIDEWALK: SIDEWALK}
_NUMBERS = {2: "two", 3: "three", 4: "four"}


def instructions(order: Order, rng: random.Random, count: int = 2) -> tuple[str, ...]:
    """Up to ``count`` different paraphrases of one order.

    Raises:
        DataError: the order lacks what its mode needs.
    """
    templates = _templates(order, rng)
    values = _values(order)
    return tuple(text.format(**values) for text in rng.sample(templates, min(count, len(templates))))


def refusal(reason: Refusal, rng: random.Random) -> str:
    """The answer to a wish that is not fulfilled."""
    return rng.choice(REFUSALS[reason])


def spoken_speed(metres_per_second: float, unit: str) -> str:
    """``25 km/h`` or ``7 m/s``: whole numbers."""
    return f"{round(metres_per_second * (_KMH if unit == 'km/h' else 1.0))} {unit}"


def _templates(order: Order, rng: random.Random) -> tuple[str, ...]:
    if order.mode in _SIMPLE:
        return _SIMPLE[order.mode]
    if order.mode is DreamMode.CRASH:
        return CRASH_PLACE if order.thing is None or rng.random() < _PLACE_SHARE else CRASH
    if order.lane_kind in _ACROSS:
        return _ACROSS[order.lane_kind]
    if order.lanes > 1:
        return CHANGE_LANES
    return CHANGE_LANE_AT if (order.start or 0.0) >= 1.0 and rng.random() < 0.2 else CHANGE_LANE


def _values(order: Order) -> dict[str, str]:
    """Fillings of the placeholders."""
    if order.mode is DreamMode.TARGET_SPEED:
        if order.target_speed is None:
            raise DataError("an order for a speed needs target_speed in m/s, got None")
        return {"speed": spoken_speed(order.target_speed, order.unit)}
    if order.mode is DreamMode.CRASH:
        if order.place_in_ego is None:
            raise DataError("an order to drive into something needs place_in_ego, got None")
        x, y = order.place_in_ego
        thing = order.thing or Thing("object")
        return {"name": thing.name, "where": thing.where, "x": f"{x:.0f}", "y": f"{y:.0f}"}
    if order.mode is DreamMode.LANE_CHANGE:
        if order.side not in ("left", "right"):
            raise DataError(f"an order to change lanes needs a side, left or right, got {order.side!r}")
        return {
            "side": order.side,
            "lanes": _NUMBERS.get(order.lanes, str(order.lanes)),
            "start": f"{order.start or 0.0:.0f}",
            "transition": f"{order.transition or 0.0:.0f}",
        }
    return {}
