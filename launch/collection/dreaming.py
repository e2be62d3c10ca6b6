"""Action Dreaming: what the car would do if it were told to, for every frame, without simulating it.

The modes are SimLingo's six that are scored. Others keep their speed and direction (non-reactive); the ego is rolled
out with the embedded server's vehicle model. Differences on purpose: waypoints are at t = 0.25..2.50 s like the
expert's (SimLingo's files begin at 0.05 s); ``slower`` brakes evenly to a share of the speed, where SimLingo's random
pedal mostly comes to a stop at town speeds; a wish that scoring could not tell from the present course is left out.
"""

from __future__ import annotations

import math
import random
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from linkvla.launch.collection.dream_driving import (
    HALT,
    HOLD,
    POINTS,
    PRESS,
    RAMP,
    drive,
    first_contacts,
    offset_paths,
    reach,
    strays,
)
from linkvla.launch.collection.dream_safety import Surroundings, verdict
from linkvla.launch.collection.lanes import Lanes, SideLane
from linkvla.launch.collection.rationale import junction_distance
from linkvla.launch.collection.sight import Sight
from linkvla.launch.collection.situation import Situation
from linkvla.model.data.sample import Dream, DreamMode
from linkvla.model.evaluation.instruction_following import CHANGED, stops
from linkvla.model.evaluation.trajectory import speed_slope
from linkvla.model.interface.types import PATH_POINTS, SPEED_WAYPOINT_INTERVAL, Plan
from linkvla.model.language.instructions import Order, instructions, refusal

_FASTEST_WISH = 35.0  # m/s
_SLOWEST_WISH = 1.0  # m/s
_KMH = 3.6
_NEAR_CHANGES = (0.6, 1.4)  # of the present speed
_THROTTLES = ((0.5, 0.7), (0.7, 0.85), (0.85, 1.0))
_SLOWER_TO = (0.2, 0.65)  # of the present speed
_CLEARLY = 1.5  # times the change of speed that counts as a success
_CRASH_FROM, _CRASH_TO, _CRASH_STATIC_TO, _CRASH_ASIDE = 3.0, 40.0, 20.0, 7.0  # m
_CRASH_BEND = 7.0  # m before and after the object
_CRASH_HASTE = 0.5  # m/s more than distance over time
_MOST_CRASHES = 2  # per frame
_NO_CHANGE_BEFORE_JUNCTION = 10.0  # m
_SHORTEST_CHANGE = 4.0  # m
_CHANGE_SPEED = (3.0, 6.0)  # m/s, at least, of a car that changes lanes from standing
_MOST_ASIDE = 5.0  # m from the expert's path
_MOST_STRAY = 1.0  # m from the own path: more is not driveable
_LEAST_SHIFT = 1.0  # m beside the expert's path at its end, for a lane change to show


@dataclass(frozen=True)
class _Wish:
    """An order and how to drive it."""

    order: Order
    foot: int
    value: float
    offset: np.ndarray | None = None  # (POINTS,) m to the right of the expert's path


def dreams(
    situation: Situation, sight: Sight, plan: Plan, lanes: Lanes, rng: random.Random, paraphrases: int = 2
) -> tuple[Dream, ...]:
    """All alternatives of a frame, each with its instructions and whether it is safe."""
    base = _base(situation, plan)
    wishes = [*_speed_wishes(situation, rng), *_crashes(situation, sight, rng), *_changes(situation, lanes, rng)]
    offsets = np.zeros((len(wishes), POINTS))
    for row, wish in zip(offsets, wishes):
        if wish.offset is not None:
            row[:] = wish.offset
    paths = offset_paths(base, offsets)
    feet, values = np.array([w.foot for w in wishes]), np.array([w.value for w in wishes], np.float64)
    rolled = drive(paths, situation.ego.speed, feet, values)
    stray = strays(paths, rolled)
    around = Surroundings.of(situation, sight, lanes, plan.final_speed)
    touched = first_contacts(rolled, around.boxes)
    out = []
    for k, wish in enumerate(wishes):
        mode = wish.order.mode
        if stray[k] > _MOST_STRAY or not _shows(mode, paths[k], rolled[k], situation.ego.speed, plan):
            continue
        refused = verdict(wish.order, float(rolled[k, -1, 4]), int(touched[k]), around)
        out.append(
            Dream(
                mode=mode,
                instructions=instructions(wish.order, rng, paraphrases),
                path_in_ego=paths[k, :PATH_POINTS].astype(np.float32),
                speed_waypoints_in_ego=rolled[k, :, :2].astype(np.float32),
                safe=refused is None,
                refusal="" if refused is None else refusal(refused, rng),
                target_speed=wish.order.target_speed,
            )
        )
    return tuple(out)


def _base(situation: Situation, plan: Plan) -> np.ndarray:
    """(POINTS, 2) the expert's path and what follows it, 1 m apart, ego frame."""
    ego = situation.ego
    cosine, sine = math.cos(ego.yaw), math.sin(ego.yaw)
    x, y = plan.path_in_ego[-1]
    end = situation.planner.project(ego.x + cosine * x - sine * y, ego.y + sine * x + cosine * y, ego.arc + PATH_POINTS)
    further = situation.route_in_ego(end + np.arange(1.0, POINTS - PATH_POINTS + 1.0))
    return np.concatenate([np.asarray(plan.path_in_ego, np.float64), further])


def _shows(mode: DreamMode, path: np.ndarray, rolled: np.ndarray, speed: float, plan: Plan) -> bool:
    """Whether the drive does what was asked for clearly enough for scoring, and stays near the expert's path."""
    own, expert = path[:PATH_POINTS], plan.path_in_ego
    aside = np.sqrt(((own[:, None] - expert[None]) ** 2).sum(-1).min(1))
    if aside.max() > _MOST_ASIDE:
        return False
    points = rolled[:, :2]
    if mode is DreamMode.FASTER:
        return speed_slope(points) > max(_CLEARLY * CHANGED * speed, 0.1)
    if mode is DreamMode.SLOWER:
        return speed_slope(points) < -_CLEARLY * CHANGED * speed
    if mode is DreamMode.STOP:
        return stops(points)
    if mode is DreamMode.LANE_CHANGE:
        return float(np.hypot(*(own[-1] - expert[-1]))) > _LEAST_SHIFT
    return True


def _speed_wishes(situation: Situation, rng: random.Random) -> Iterator[_Wish]:
    speed = situation.ego.speed
    yield _Wish(Order(DreamMode.STOP), HALT, 0.0)
    yield _Wish(Order(DreamMode.FASTER), PRESS, rng.uniform(*rng.choice(_THROTTLES)))
    if speed > 0.5:
        yield _Wish(Order(DreamMode.SLOWER), RAMP, speed * rng.uniform(*_SLOWER_TO))
    fastest = min(_FASTEST_WISH, reach(round(speed, 1))[2])
    if rng.random() < 0.6 or speed < 2.0:
        target = rng.uniform(_SLOWEST_WISH, fastest)
    else:
        target = min(speed * rng.uniform(*_NEAR_CHANGES), fastest)
    unit = rng.choice(("km/h", "m/s"))
    factor = _KMH if unit == "km/h" else 1.0  # whole numbers are said, so whole numbers are meant
    target = max(round(target * factor), 1) / factor
    yield _Wish(Order(DreamMode.TARGET_SPEED, target_speed=target, unit=unit), HOLD, target)


def _crashes(situation: Situation, sight: Sight, rng: random.Random) -> Iterator[_Wish]:
    """Towards things that can be seen and reached, the path bent from 7 m before to 7 m after them."""
    slowest, fastest, _ = reach(round(situation.ego.speed, 1))
    options = []
    for n in sight.neighbours:
        distance = n.arc - situation.ego.arc
        farthest = _CRASH_TO if n.is_walker or n.is_vehicle else _CRASH_STATIC_TO
        if not n.seen or not _CRASH_FROM <= distance <= farthest or abs(n.lateral) > _CRASH_ASIDE or n.x < _CRASH_FROM:
            continue
        # A moving thing is met where it will be.
        along = distance + n.speed * SPEED_WAYPOINT_INTERVAL * np.arange(1, len(slowest) + 1)
        steps = np.flatnonzero((slowest <= along) & (along <= fastest))
        if len(steps):
            step = int(rng.choice(list(steps)))
            options.append((n, float(along[step]), (step + 1) * SPEED_WAYPOINT_INTERVAL))
    places = np.arange(float(POINTS))
    for n, along, seconds in rng.sample(options, min(len(options), _MOST_CRASHES)):
        bent = n.lateral * np.interp(places, [along - _CRASH_BEND, along, along + _CRASH_BEND], [0.0, 1.0, 0.0])
        bent[0] = 0.0
        order = Order(DreamMode.CRASH, thing=n.thing(), place_in_ego=(n.x, n.y))
        yield _Wish(order, HOLD, along / seconds + _CRASH_HASTE, bent)


def _changes(situation: Situation, lanes: Lanes, rng: random.Random) -> Iterator[_Wish]:
    """To every lane beside the ego's; none in or shortly before a junction."""
    junction = junction_distance(situation)
    if junction is not None and junction < _NO_CHANGE_BEFORE_JUNCTION:
        return
    for lane in lanes.beside:
        yield _change(situation.ego.speed, lane, rng)


def _change(speed: float, lane: SideLane, rng: random.Random) -> _Wish:
    start = rng.uniform(0.0, max((2 * speed - 1) / 2, 5.0))
    shortest = max(speed / 2, _SHORTEST_CHANGE)
    transition = rng.uniform(shortest, max(2 * speed - 1 - start, 5.0, shortest))
    share = np.clip((np.arange(float(POINTS)) - start) / transition, 0.0, 1.0)
    order = Order(
        DreamMode.LANE_CHANGE, side=lane.side, lanes=lane.lanes, lane_kind=lane.kind, start=start, transition=transition
    )
    return _Wish(order, HOLD, max(speed, rng.uniform(*_CHANGE_SPEED)), lane.offset * share**2 * (3.0 - 2.0 * share))
