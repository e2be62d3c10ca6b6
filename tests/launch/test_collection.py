"""Teaching data: situations drawn at random, their labels, and the recordings made of them."""

import math
import random

import numpy as np
import pytest

from linkvla.agent.navigation.road_graph import downsample
from linkvla.agent.navigation.route_planner import RoutePlanner
from linkvla.launch.collection import CollectSettings, collect
from linkvla.launch.collection.frames import Photographer, record, weigh
from linkvla.launch.collection.rollouts import rollouts
from linkvla.launch.collection.sampler import Sampler, set_light
from linkvla.launch.collection.stage import Stage
from linkvla.launch.sim.world.town import LightState
from linkvla.model.data.recording import AUXILIARY_CLASSES, Recording, Tag
from linkvla.model.data.view import CameraRig
from linkvla.model.interface.errors import ConfigurationError


@pytest.fixture(scope="module")
def stage():
    return Stage.open("Aspen")


@pytest.fixture
def sampler(stage):
    return Sampler(stage, random.Random(11))


def end_of(plan):
    """Distance of the last speed waypoint, m."""
    return float(np.hypot(*plan.speed_waypoints_in_ego[-1]))


def at_own_light(sampler):
    """A situation with a light 5 to 25 m ahead, nobody in between, and the arc and index of that light."""
    while True:
        situation = sampler.draw()
        situation.ahead = []
        near = [(arc, site) for arc, site in situation.light_arcs if 5.0 < situation.gap_to(arc) < 25.0]
        if near:
            return situation, near[0][1]


def test_the_same_seed_draws_the_same_situations(stage):
    first, second = (Sampler(stage, random.Random(4)) for _ in range(2))
    for _ in range(5):
        a, b = first.draw(), second.draw()
        assert a.ego == b.ego
        assert np.array_equal(a.light_states, b.light_states)
        assert [actor.pose for actor in a.snapshot().actors] == [actor.pose for actor in b.snapshot().actors]


def test_red_holds_and_green_frees(sampler):
    situation, site = at_own_light(sampler)
    situation.ego.speed = 0.0
    set_light(situation, site, LightState.RED)
    held = end_of(situation.plan())
    assert Tag.RED_LIGHT in situation.tag(situation.plan())
    set_light(situation, site, LightState.GREEN)
    assert end_of(situation.plan()) > held
    assert Tag.RED_LIGHT not in situation.tag(situation.plan())


def test_a_green_light_closes_the_rest_of_its_junction(sampler):
    situation, site = at_own_light(sampler)
    set_light(situation, site, LightState.GREEN)
    sites = situation.stage.town.traffic_lights
    for other, state in zip(sites, situation.light_states):
        if other.junction_id == sites[site].junction_id:
            same = other.controller == sites[site].controller
            assert state == (LightState.GREEN if same else LightState.RED)


def test_no_plan_runs_into_what_stands_ahead(sampler):
    for _ in range(150):
        situation = sampler.draw()
        gaps = [u.rear_arc - situation.ego.arc - 2.45 for u in situation.ahead if u.speed == 0.0]
        steps = np.diff(situation.plan().speed_waypoints_in_ego, axis=0, prepend=np.zeros((1, 2)))
        if gaps and min(gaps) > 1.0:
            assert np.hypot(*steps.T).sum() < min(gaps) + 0.3


def test_the_ego_stops_for_who_walks_towards_its_lane(sampler):
    walking = 0
    for _ in range(300):
        situation = sampler.draw()
        for user in situation.ahead:
            if user.body.shape != "walker" or abs(user.lateral) < 2.0:
                continue
            walking += 1
            assert user.stride and user.lateral * math.sin(user.heading) < 0.0  # towards the lane
            assert end_of(situation.plan()) < max(situation.gap_to(user.rear_arc), 0.5) + 1.0
    assert walking >= 5


def test_guidance_is_what_the_agents_planner_says_after_driving_there(sampler):
    for _ in range(10):
        route = (situation := sampler.draw()).route
        kept = downsample(route, 50.0)
        planner = RoutePlanner(np.stack([route.x[kept], route.y[kept]], axis=1), route.command[kept])
        for arc in np.arange(0.0, situation.ego.arc, 1.0):
            planner.step(route.at(arc)[:2])
        x, y, _, yaw, _ = route.at(situation.ego.arc)
        driven = planner.step(np.array([x, y]))
        drawn = situation.sparse_plan.guidance(situation.ego.arc, x, y, yaw)
        if abs(drawn.distance_to_command - 7.5) < 1.5:
            continue  # on the verge of passing the point, metres of rounding decide
        assert (drawn.command, drawn.next_command) == (driven.command, driven.next_command)
        assert drawn.distance_to_command == pytest.approx(driven.distance, abs=0.1)


def test_an_ego_in_another_lane_is_led_back_and_nothing_is_said_of_it(sampler):
    drawn = [situation for situation in (sampler.draw() for _ in range(400)) if situation.astray]
    assert 5 < len(drawn) < 120
    for situation in drawn:
        ego, route, path = situation.ego, situation.route, situation.plan().path_in_ego
        assert not situation.has_words and not route.is_junction[route.index_at(ego.arc)]
        assert 1.0 < abs(situation.planner.lateral_error(ego.arc, ego.x, ego.y)) < 5.0
        ahead = situation.route_in_ego(ego.arc + np.arange(0.0, 25.0, 0.25))
        assert np.hypot(*(ahead - path[-1]).T).min() < 0.3


def test_a_record_shows_what_its_tag_says(sampler):
    photographer, rng = Photographer(CameraRig()), random.Random(0)
    situation, site = at_own_light(sampler)
    set_light(situation, site, LightState.RED)
    situation.bystanders = ()
    row = record(situation, photographer, photographer.take(situation), rng)
    assert row.view.shape == (128, 256, 3)
    assert row.presence.shape == (16, 32, len(AUXILIARY_CLASSES))
    assert row.presence[..., AUXILIARY_CLASSES.index("road")].sum() > 0
    assert row.presence[..., AUXILIARY_CLASSES.index("red_lamp")].sum() > 0
    assert np.all(np.isfinite(row.inverse_depth))
    assert row.town == "Aspen"


def test_stops_weigh_more_than_cruising(sampler):
    situation, site = at_own_light(sampler)
    situation.ego.speed = 0.0
    set_light(situation, site, LightState.GREEN)
    plan = situation.plan()
    standing = type(plan)(plan.path_in_ego * 0.0, plan.speed_waypoints_in_ego * 0.0)
    assert weigh(standing, 0.0) > weigh(plan, 3.0)


def test_the_expert_stays_on_its_route_when_it_drives(stage):
    sampler, photographer = Sampler(stage, random.Random(2)), Photographer(CameraRig())
    drive = rollouts(sampler, photographer, lambda situations, _: [s.plan() for s in situations], 2, keep_every=5)
    rows = [next(drive) for _ in range(24)]
    assert all(row.tag & Tag.ON_POLICY for row in rows)
    late = [abs(row.path_in_ego[3, 1]) for row in rows[16:]]
    assert max(late) < 2.0
    assert all(math.isfinite(row.speed) for row in rows)


def test_collect_writes_recordings_that_open(tmp_path):
    settings = CollectSettings(out=tmp_path / "rec", frames=6, towns=("Aspen",), workers=1, seed=3)
    (part,) = collect(settings)
    recording = Recording.open(part)
    assert len(recording) == 6
    assert recording.manifest["notes"]["policy"] == "random"
    assert collect(settings) == [part]  # finished parts are kept, not recorded again


def test_larger_tiles_show_the_same_in_more_pixels(tmp_path):
    options = {"frames": 3, "towns": ("Aspen",), "workers": 1, "seed": 3, "language": False}
    small, large = (
        Recording.open(collect(CollectSettings(out=tmp_path / str(tile), tile=tile, **options))[0])
        for tile in (64, 192)
    )
    assert small["view"].shape == (3, 64, 128, 3) and large["view"].shape == (3, 192, 384, 3)
    assert small["presence"].shape[1:3] == (8, 16) and large["presence"].shape[1:3] == (24, 48)
    shrunk = large["view"].reshape(3, 64, 3, 128, 3, 3).mean((2, 4))
    assert np.abs(shrunk - small["view"]).mean() < 1.0
    with pytest.raises(ConfigurationError, match="tile 64, not 192"):
        collect(CollectSettings(out=tmp_path / "64", tile=192, **options))


def test_settings_that_cannot_work_are_refused(tmp_path):
    for tile in (16, 100, 512):
        with pytest.raises(ConfigurationError, match="tile"):
            CollectSettings(out=tmp_path, tile=tile)
    with pytest.raises(ConfigurationError, match="at least one town"):
        CollectSettings(out=tmp_path, towns=())
    with pytest.raises(ConfigurationError, match="at least one frame"):
        CollectSettings(out=tmp_path, frames=0)


def test_the_weather_reaches_as_far_as_the_benchmarks(sampler):
    """Of Bench2Drive's 220 routes a quarter are driven by night, three quarters in rain, three of ten in thick fog."""
    drawn = [sampler.draw() for _ in range(300)]
    skies = [situation.weather for situation in drawn]
    assert np.mean([sky.sun_altitude_angle < 0.0 for sky in skies]) > 0.15
    assert np.mean([sky.precipitation > 0.0 for sky in skies]) > 0.4
    assert np.mean([sky.fog_density > 40.0 for sky in skies]) > 0.1
    assert np.ptp([sky.wind_intensity for sky in skies]) > 80.0
    lamps = [situation.snapshot().street_lights for situation in drawn]
    assert all((light is not None) == (sky.sun_altitude_angle < 0.0) for light, sky in zip(lamps, skies))
    assert any(light is not None and light.active.any() for light in lamps)
