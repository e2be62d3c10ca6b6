"""On-policy data (DAgger): a policy drives drawn situations, many at once, and the expert labels where it gets to.

No server is involved: the ego moves by the embedded server's own vehicle model, leaders by IDM, lights by a timer. One
batched forward serves all episodes, so that a worker labels tens of frames per second on one core.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from linkvla.agent.control.plan_follower import Pedals, PlanFollower
from linkvla.launch.collection import looks
from linkvla.launch.collection.frames import Photographer, observe, record
from linkvla.launch.collection.right_of_way import comes_towards
from linkvla.launch.collection.sampler import Sampler, set_light
from linkvla.launch.collection.situation import RoadUser, Situation
from linkvla.launch.sim.physics.vehicle import next_wheel, step_kinematic
from linkvla.launch.sim.world.town import LightState
from linkvla.model.data.recording import Record, Tag
from linkvla.model.interface.types import Observation, Plan

Policy = Callable[[list[Situation], list[Observation]], list[Plan]]
"""The network looks at the observations; the expert is privileged and looks at the situations."""

TICK = 0.05  # s, as in the closed loop
_TICKS_PER_DECISION = 2
_LONGEST = 20.0  # s of one episode
_LOST = 3.5  # m from the route, or from the way past something: the episode ends, its last states are beyond recovery
_ROUTE_LEFT = 25.0  # m of route that must remain
_STILL_LIMIT = 8.0  # s without moving, with nothing that holds the ego
_MOST_DRAWN = 60  # situations, for the beginning of one drive
_DECISIONS_PER_WEATHER = 100  # all episodes share the weather: lighting a town anew costs a third of a picture


@dataclass
class Episode:
    """One drive in progress."""

    situation: Situation
    follower: PlanFollower
    next_switch: float  # s, when the ego's light changes
    cruise: list[float]  # m/s each road user wants to drive
    wheel: float = 0.0  # rad, angle of the front wheels
    time: float = 0.0
    still: float = 0.0


def rollouts(
    sampler: Sampler,
    photographer: Photographer,
    policy: Policy,
    episodes: int,
    keep_every: int,
    language: bool = True,
) -> Iterator[Record]:
    """Endless labelled frames of ``episodes`` parallel drives; every ``keep_every``-th decision of each is yielded."""
    rng = sampler.rng
    running = [start(sampler) for _ in range(episodes)]
    decision = 0
    while True:
        if decision % _DECISIONS_PER_WEATHER == 0:
            weather = looks.weather(rng)
        observations = []
        for episode in running:
            episode.situation.weather = weather
            frame = photographer.take(episode.situation)
            observations.append(observe(episode.situation, frame.rgb, rng))
            if decision % keep_every == 0:
                yield record(episode.situation, photographer, frame, rng, Tag.ON_POLICY, language)
        for k, plan in enumerate(policy([e.situation for e in running], observations)):
            advance(running[k], plan, rng, _TICKS_PER_DECISION)
            if ending(running[k]) is not None:
                running[k] = start(sampler)
        decision += 1


def start(sampler: Sampler) -> Episode:
    """A new drive from a drawn situation; the sampler's share of hazards begin on the way past something."""
    situation = _beginning(sampler)
    # Things that stand across the road for ever teach nothing but standing, and so do those that never come.
    situation.ahead = [user for user in situation.ahead if abs(user.heading) < 0.5]
    situation.bystanders = tuple(
        actor
        for actor in situation.bystanders
        if not any(comes_towards(situation.route, turn, actor) for turn in situation.left_turns)
    )
    cruise = [sampler.rng.uniform(3.0, 7.5) for _ in situation.ahead]
    return Episode(situation, PlanFollower(), sampler.rng.uniform(2.0, 10.0), cruise)


def _beginning(sampler: Sampler) -> Situation:
    """Nobody comes or goes where drives begin: what is in the lane is passed from the beginning on, or not at all."""
    if sampler.hazard():
        for _ in range(_MOST_DRAWN):
            situation = sampler.draw()
            if situation.blockade is not None and situation.blockade.detour is not None:
                return situation
    while (situation := sampler.draw()).blockade is not None:
        pass
    return situation


def advance(episode: Episode, plan: Plan, rng: random.Random, ticks: int) -> Pedals:
    """Some physics ticks (0.05 s) under the plan's control, then the rest of the world. Returns the last controls."""
    situation, ego = episode.situation, episode.situation.ego
    for _ in range(ticks):
        throttle, steer, brake = pedals = episode.follower.step(plan, ego.speed)
        ego.x, ego.y, ego.yaw, ego.speed = step_kinematic(
            ego.x, ego.y, ego.yaw, ego.speed, throttle, steer, brake, TICK, wheel_rad=episode.wheel
        )
        episode.wheel = next_wheel(episode.wheel, steer, TICK)
    ego.arc = situation.planner.project(ego.x, ego.y, ego.arc)
    seconds = ticks * TICK
    episode.time += seconds
    situation.seconds += seconds
    held = bool(situation.held_by_lights()) or any(u.rear_arc - ego.arc < 10.0 for u in situation.ahead)
    episode.still = 0.0 if held or ego.speed > 0.1 else episode.still + seconds
    for user, cruise in zip(situation.ahead, episode.cruise):
        _move(user, situation, cruise if episode.time > 3.0 or user.speed > 0 else 0.0, seconds)
    if episode.time >= episode.next_switch:
        _switch_light(situation, rng)
        episode.next_switch += rng.uniform(3.0, 10.0)
    return pedals


def _move(user: RoadUser, situation: Situation, cruise: float, seconds: float) -> None:
    """A leader speeds up to its cruise speed and stops at lights that hold it."""
    wanted = cruise
    for arc, site in situation.light_arcs:
        gap = arc - user.arc - user.body.half_extent[0]
        if situation.light_states[site] != LightState.GREEN and 0.0 < gap < 25.0:
            wanted = min(wanted, math.sqrt(2 * 2.5 * max(gap - 1.0, 0.0)))
    change = float(np.clip(wanted - user.speed, -5.0 * seconds, 1.8 * seconds))
    user.speed = max(0.0, user.speed + change)
    user.braking = change < -1.0 * seconds or user.speed < 0.1
    user.arc += user.speed * seconds


def _switch_light(situation: Situation, rng: random.Random) -> None:
    """The ego's next light takes its next colour."""
    own = situation.own_light()
    if own is None:
        return
    state = LightState(int(situation.light_states[own]))
    following = {LightState.RED: LightState.GREEN, LightState.GREEN: LightState.YELLOW}
    set_light(situation, own, following.get(state, LightState.RED))


def ending(episode: Episode) -> str | None:
    """Why a drive is over: ``done``, ``still``, ``lost`` or ``hit``; None while it goes on."""
    situation, ego = episode.situation, episode.situation.ego
    if any(u.rear_arc - ego.arc < 2.3 and u.arc > ego.arc for u in situation.ahead):
        return "hit"
    if situation.blockade is not None and situation.blockade.is_touched(situation.route, ego.x, ego.y, ego.yaw):
        return "hit"
    if situation.planner.lateral_error(ego.arc, ego.x, ego.y) > _LOST:
        return "lost"
    if episode.still > _STILL_LIMIT:
        return "still"
    return "done" if episode.time > _LONGEST or situation.route.length - ego.arc < _ROUTE_LEFT else None
