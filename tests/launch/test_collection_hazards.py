"""Drawn hazards: a blocked lane with a way past it, and cars that come towards an ego that turns left."""

from __future__ import annotations

import math
import random
from collections import Counter

import numpy as np
import pytest

from linkvla.agent.control.plan_follower import PlanFollower
from linkvla.agent.expert.planner import EGO_HALF_LENGTH
from linkvla.agent.expert.road_users import EGO_HALF_WIDTH
from linkvla.launch.collection.right_of_way import comes_towards, turn_at
from linkvla.launch.collection.rollouts import Episode, advance, ending, start
from linkvla.launch.collection.sampler import Sampler
from linkvla.launch.collection.stage import Stage
from linkvla.launch.evaluation.scenarios.obstacles import HAZARD, POLICE
from linkvla.launch.sim.render.vehicle_lamps import lit_lamps


@pytest.fixture(scope="module")
def drawn():
    """Many situations of one town with as many hazards as there is room for."""
    sampler = Sampler(Stage.open("Birch"), random.Random(7), line_share=0.2, hazard_share=1.0)
    return [sampler.draw() for _ in range(400)]


@pytest.fixture(scope="module")
def blocked(drawn):
    return [situation for situation in drawn if situation.blockade is not None]


def farthest_aside(situation) -> float:
    """Metres between the line past the blockade and the route, at most."""
    line, route = situation.blockade.line, situation.route
    return float(np.hypot(line.x - route.x, line.y - route.y).max())


def test_lanes_are_blocked_where_there_is_room(drawn, blocked):
    assert 0.1 < len(blocked) / len(drawn) < 0.9
    assert any(len(situation.blockade.things) > 3 for situation in blocked), "road works are made of many things"


def test_the_way_past_clears_what_stands_in_the_lane(blocked):
    # Who waits for a chance may lean away from oncoming cars, which is no way past yet.
    passed = [s for s in blocked if farthest_aside(s) > 0.5 and s.blockade.hold is None]
    assert len(passed) > 20
    for situation in passed:
        line = np.stack([situation.blockade.line.x, situation.blockade.line.y], axis=1)
        for thing, actor in zip(situation.blockade.things, situation.blockade.drawn(situation.route)):
            gap = np.hypot(*(line - (actor.pose.x, actor.pose.y)).T).min()
            if thing.speed == 0.0:
                assert gap > min(thing.body.half_extent[:2]) + 0.8 * EGO_HALF_WIDTH


def test_the_expert_waits_where_somebody_comes_and_goes_where_nobody_does(blocked):
    waiting = [s for s in blocked if s.held_by_blockade() and s.gap_to(s.held_by_blockade()[0]) < 4.0]
    free = [s for s in blocked if not s.held_by_blockade() and farthest_aside(s) > 0.5 and not s.leaders()]
    assert waiting and free
    assert max(float(np.hypot(*s.plan().speed_waypoints_in_ego[-1])) for s in waiting) < 8.0
    going = [s for s in free if not s.held_by_lights() + s.held_by_signs()]
    assert min(float(np.hypot(*s.plan().speed_waypoints_in_ego[-1])) for s in going) > 3.0


def test_what_blocks_the_lane_shines_as_in_the_scenarios(blocked):
    lamps = {thing.lamps for s in blocked for thing in s.blockade.things if thing.lamps}
    assert lamps == {int(POLICE), int(HAZARD)}


def test_blinkers_of_what_blocks_the_lane_are_dark_half_of_the_time(blocked):
    times = [s.snapshot().seconds for s in blocked]
    lit = ["left" in lit_lamps(int(HAZARD), False, False, seconds) for seconds in times]
    assert 0.25 < np.mean(lit) < 0.75


@pytest.fixture(scope="module")
def under_way():
    """Situations with an ego on its way past something, not beside it yet."""
    sampler = Sampler(Stage.open("Larch"), random.Random(8), line_share=0.2, hazard_share=1.0)
    drawn = (sampler.draw() for _ in range(1600))
    return [s for s in drawn if s.blockade is not None and s.blockade.is_ahead(s.ego.arc)]


def test_an_ego_that_is_late_on_its_way_past_is_clear_of_everything_and_slows_down(under_way):
    late = []
    for situation in under_way:
        blockade, ego = situation.blockade, situation.ego
        nearest = min(thing.other(0).first for thing in blockade.things)
        assert ego.arc + EGO_HALF_LENGTH < nearest
        assert not blockade.is_touched(situation.route, ego.x, ego.y, ego.yaw)
        if situation.held_by_blockade():
            late.append(situation.planner.lateral_error(ego.arc, ego.x, ego.y))
            reached = float(situation.plan().speed_waypoints_in_ego[-1, 0])
            creeping = 3.5  # m in 2.5 s, with the wheel turned
            assert reached + EGO_HALF_LENGTH < max(nearest - ego.arc, creeping + EGO_HALF_LENGTH) + 0.5 * ego.speed
    assert len(late) > 5 and min(late) > 0.5 and max(late) > 2.0


def test_the_expert_gets_past_from_where_it_is_late(under_way):
    ends = []
    for situation in under_way:
        late, room = situation.held_by_blockade(), situation.blockade.detour.first - situation.ego.arc
        if not (late and room > 5.0) or situation.held_by_lights() or situation.held_by_signs() or situation.ahead:
            continue
        episode = Episode(situation, PlanFollower(), math.inf, [])
        while ending(episode) is None and situation.ego.arc < situation.blockade.detour.last:
            advance(episode, situation.plan(), random.Random(0), 2)
        ends.append(ending(episode))
    assert len(ends) > 5
    assert set(ends) == {None}, "none touches anything or stands for ever"


def test_some_have_not_noticed_what_stands_in_their_lane_and_come_up_to_it_at_speed(under_way):
    off = [abs(s.route.lateral(s.ego.arc, s.ego.x, s.ego.y)) for s in under_way]
    gaps = [s.blockade.detour.first - s.ego.arc for s in under_way]
    unaware = [a < 0.5 and s.ego.speed > 5.0 and gap < 20.0 for a, s, gap in zip(off, under_way, gaps)]
    assert 0.1 < np.mean(unaware) < 0.5


def test_the_labelled_path_leads_aside(blocked):
    bends = []
    for situation in blocked:
        line, arc = situation.blockade.line, situation.ego.arc
        ahead = np.hypot(*(line.at(arc + 15.0)[:2] - situation.route.at(arc + 15.0)[:2]))
        if ahead > 1.5:
            end = situation.plan().path_in_ego[15]
            along_route = situation.route_in_ego(np.array([arc + 15.0]))[0]
            bends.append(float(np.hypot(*(end - along_route))))
    assert len(bends) > 10 and np.median(bends) > 1.0


def test_cars_that_come_towards_a_left_turn_are_waited_for(drawn):
    waits = goes = 0
    for situation in drawn:
        turn = turn_at(situation.left_turns, situation.ego.arc)
        if turn is None or situation.blockade is not None or situation.ahead:
            continue
        coming = [actor for actor in situation.bystanders if comes_towards(situation.route, turn, actor)]
        if situation.leaders():
            assert coming
            waits += 1
        goes += not coming
    assert waits > 3 and goes > 3


def test_without_hazards_none_are_drawn():
    sampler = Sampler(Stage.open("Birch"), random.Random(7), line_share=0.2)
    assert all(sampler.draw().blockade is None for _ in range(50))


def test_whoever_drives_from_a_drawn_situation_can_pass_what_is_in_the_lane():
    sampler = Sampler(Stage.open("Birch"), random.Random(3), line_share=0.0, hazard_share=1.0)
    ends = Counter()
    while ends.total() < 12:
        episode = start(sampler)
        situation = episode.situation
        if situation.blockade is None or not situation.blockade.is_ahead(situation.ego.arc):
            continue
        assert situation.blockade.detour is not None, "nobody would ever come or go"
        while ending(episode) is None:
            advance(episode, situation.plan(), sampler.rng, 2)
        ends["past" if situation.ego.arc > situation.blockade.detour.last else ending(episode)] += 1
    assert ends["past"] >= 9, ends


def test_a_drive_ends_where_it_touches_what_is_in_the_lane():
    sampler = Sampler(Stage.open("Birch"), random.Random(3), line_share=0.0, hazard_share=1.0)
    episode = next(e for e in iter(lambda: start(sampler), None) if e.situation.blockade is not None)
    situation = episode.situation
    thing = situation.blockade.things[0]
    assert ending(episode) is None
    pose = thing.drawn(situation.route).pose
    situation.ego.x, situation.ego.y, situation.ego.arc = pose.x, pose.y, thing.arc
    assert ending(episode) == "hit"
