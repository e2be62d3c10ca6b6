"""Pictures drawn by several threads: the same bytes, every band once, nobody waited for in vain."""

from __future__ import annotations

import threading
from dataclasses import replace

import numpy as np
import pytest

from linkvla.launch.sim.render.bands import BandCrew
from linkvla.launch.sim.render.camera import Camera, CameraRenderer
from linkvla.launch.sim.render.scene import TownScene
from linkvla.launch.sim.render.snapshot import RenderActor, SceneSnapshot
from linkvla.launch.sim.world.pose import Pose
from linkvla.launch.sim.world.town_loader import load_town
from linkvla.launch.sim.world.weather import Weather

WAIT_S = 20.0


class _LastBandFirst:
    """A crew of one that draws in an order of its own."""

    def draw(self, work):
        for band in (4, 2, 0, 3, 1):
            work(band, 5)


@pytest.fixture(scope="module")
def scene():
    return TownScene.build(load_town("Maple", ()))


@pytest.mark.parametrize(
    "weather",
    [
        Weather(),
        Weather(sun_altitude_angle=-20.0, cloudiness=60.0),
        Weather(precipitation=80.0, precipitation_deposits=80.0, wetness=90.0, fog_density=40.0),
    ],
    ids=["day", "night", "rain"],
)
def test_pictures_are_the_same_however_the_rows_are_shared_out(scene, weather):
    start = load_town("Maple", ()).spawn_points[0]
    ahead = [start.compose(Pose(x=distance, y=side)) for distance, side in ((9.0, 0.5), (25.0, -3.0))]
    cars = tuple(RenderActor("car", pose, (2.4, 1.0, 0.75), (0.7, 0.2, 0.1), brake=True) for pose in ahead)
    snapshot = SceneSnapshot(cars, np.zeros(1, np.uint8), replace(weather), seconds=3.0)
    camera, eye = Camera(203, 117, 100.0), start.compose(Pose(z=1.7, pitch=4.0, roll=3.0))
    alone, shared = CameraRenderer(scene), CameraRenderer(scene, _LastBandFirst())
    for turn in range(2):
        pose = eye.compose(Pose(yaw=40.0 * turn))
        expected, found = (renderer.render(snapshot, camera, pose) for renderer in (alone, shared))
        assert len(np.unique(expected.material)) > 5
        for name in ("rgb", "material", "inverse_depth"):
            assert np.array_equal(getattr(expected, name), getattr(found, name)), name


def test_every_band_is_drawn_once_and_by_as_many_threads_as_there_are():
    crew, meet, seen = BandCrew(3), threading.Barrier(3), []

    def work(band, bands):
        meet.wait(WAIT_S)  # broken if fewer than three are at work
        seen.append((band, bands, threading.get_ident()))

    crew.draw(work)
    assert sorted(seen)[0][:2] == (0, 3)
    assert {band for band, _, _ in seen} == {0, 1, 2}
    assert len({who for _, _, who in seen}) == len(seen) == 3


def test_who_draws_while_all_threads_are_taken_draws_alone():
    crew, counts = BandCrew(2), []
    inside = threading.Barrier(2)

    def outer(band, bands):
        inside.wait(WAIT_S)
        if band == 0:
            crew.draw(lambda number, total: counts.append((number, total)))
        inside.wait(WAIT_S)

    crew.draw(outer)
    assert counts == [(0, 1)]


@pytest.mark.parametrize("broken", [0, 1])
def test_what_goes_wrong_in_a_band_comes_out_after_the_others_have_ended(broken):
    crew, meet, ended = BandCrew(2), threading.Barrier(2), []

    def work(band, bands):
        meet.wait(WAIT_S)
        if band == broken:
            raise ValueError(f"band {band}")
        ended.append(band)

    with pytest.raises(ValueError, match=f"band {broken}"):
        crew.draw(work)
    assert ended == [1 - broken]


def test_a_helper_that_comes_too_late_is_not_waited_for():
    crew, release = BandCrew(2), threading.Event()
    crew._helpers.submit(release.wait, WAIT_S)  # the only helper is held up elsewhere
    try:
        seen = []
        crew.draw(lambda band, bands: seen.append((band, bands)))
        assert seen == [(0, 2), (1, 2)]
    finally:
        release.set()


def test_what_helpers_do_happens_inside_the_given_context():
    entered, meet = [], threading.Barrier(2)

    class Note:
        def __enter__(self):
            entered.append(threading.get_ident())

        def __exit__(self, *error):
            return False

    crew = BandCrew(2, Note)
    crew.draw(lambda band, bands: meet.wait(WAIT_S))
    assert len(entered) == 1
    assert entered[0] != threading.get_ident()
