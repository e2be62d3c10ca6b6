"""The shipped network, open loop, in the held-out town: does it see, and does it know where to go?"""

import itertools
import random

import numpy as np
import pytest

from linkvla.agent.expert.planner import EGO_HALF_LENGTH
from linkvla.launch.collection.frames import Photographer, observe
from linkvla.launch.collection.sampler import Sampler, set_light
from linkvla.launch.collection.stage import Stage
from linkvla.launch.sim.world.town import LightState
from linkvla.model.policy import LinkVLAPolicy


@pytest.fixture(scope="module")
def policy():
    return LinkVLAPolicy.from_pretrained("linkvla-nano", threads=1)


@pytest.fixture(scope="module")
def stage():
    return Stage.open("Maple")


def predict(policy, situation, rng, black=False):
    frame = Photographer(policy.camera).take(situation)
    image = np.zeros_like(frame.rgb) if black else frame.rgb
    return policy.predict(observe(situation, image, rng))


def reach(plan):
    """Distance of the last speed waypoint, m."""
    return float(np.hypot(*plan.speed_waypoints_in_ego[-1]))


def test_it_finds_the_lane_and_needs_the_camera_for_it(policy, stage):
    sampler = Sampler(stage, random.Random(21))
    seen, blind = [], []
    drawn = (sampler.draw() for _ in itertools.count())
    # These weights are of before egos were drawn in other lanes than their routes.
    for situation in itertools.islice((one for one in drawn if not one.astray), 40):
        label = situation.plan().path_in_ego
        for errors, black in ((seen, False), (blind, True)):
            path = predict(policy, situation, random.Random(5), black).path_in_ego
            errors.append(np.hypot(*(path - label).T).mean())
    assert np.mean(seen) < 0.5
    assert np.mean(seen) < 0.7 * np.mean(blind)


def test_it_stops_behind_standing_cars_and_sets_off_without_them(policy, stage):
    sampler, stops, starts = Sampler(stage, random.Random(22)), [], []
    while len(stops) < 15:
        situation = sampler.draw()
        ego = situation.ego
        standing = [u for u in situation.ahead if u.speed == 0.0 and u.braking and u.body.shape != "walker"]
        if not standing or standing[0].rear_arc - ego.arc - EGO_HALF_LENGTH > 4.0 or situation.held_by_lights():
            continue
        ego.speed = 0.0
        stops.append(reach(predict(policy, situation, random.Random(5))))
        situation.ahead = []
        starts.append(reach(predict(policy, situation, random.Random(5))))
    assert np.mean(np.array(stops) < 2.0) >= 0.8
    assert np.median(starts) > 2 * np.median(stops) + 1.0


def test_red_and_green_make_a_difference(policy, stage):
    sampler, red, green = Sampler(stage, random.Random(23), line_share=1.0), [], []
    while len(red) < 20:
        situation = sampler.draw()
        near = [site for arc, site in situation.light_arcs if 0.3 < situation.gap_to(arc) < 4.0]
        if not near:
            continue
        situation.ahead, situation.ego.speed = [], 0.0
        for reaches, state in ((red, LightState.RED), (green, LightState.GREEN)):
            set_light(situation, near[0], state)
            reaches.append(reach(predict(policy, situation, random.Random(5))))
    farther = np.mean(np.array(green)[:, None] > np.array(red)[None])  # the area under the ROC curve
    assert farther > 0.8
