"""Mercator both ways, the reference from plan pairs, and the ego frame."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from linkvla.agent.localization.geodesy import GeoReference
from linkvla.agent.localization.state_estimator import EgoState
from linkvla.model.interface.errors import RouteError

references = st.builds(GeoReference, st.floats(-65, 65), st.floats(-179, 179))
points = st.tuples(st.floats(-9000, 9000), st.floats(-9000, 9000))


@given(references, points)
def test_round_trip(reference, point):
    assert reference.to_world(reference.to_geographic(np.array(point))) == pytest.approx(point, abs=1e-6)


def test_axes():
    reference = GeoReference(49.0, 8.0)
    assert np.allclose(reference.to_world(np.array([49.0, 8.0])), 0.0, atol=1e-6)
    assert reference.to_geographic(np.array([100.0, 0.0]))[1] > 8.0
    assert reference.to_geographic(np.array([0.0, 100.0]))[0] < 49.0  # y grows to the south


@settings(max_examples=30, deadline=None)
@given(references, st.lists(points, min_size=1, max_size=8))
def test_reference_is_found_from_plan_pairs(reference, world):
    geographic = reference.to_geographic(np.array(world))
    found = GeoReference.from_pairs(geographic, world)
    assert np.abs(found.to_world(geographic) - world).max() < 0.02


def test_contradicting_plans_are_refused():
    with pytest.raises(RouteError, match="disagree"):
        GeoReference.from_pairs([(49.0, 8.0), (49.01, 8.0)], [(0.0, 0.0), (500.0, 700.0)])


def test_reference_of_a_map():
    text = "<geoReference><![CDATA[+proj=tmerc +lat_0=4.9e1 +lon_0=-8 +k=1]]></geoReference>"
    assert GeoReference.from_opendrive(text) == GeoReference(49.0, -8.0)
    assert GeoReference.from_opendrive("<OpenDRIVE/>") == GeoReference(42.0, 2.0)


def test_ego_frame_has_y_to_the_right():
    ahead, right = EgoState(10.0, 5.0, math.pi / 2, 0.0).to_ego(np.array([[10.0, 8.0], [8.0, 5.0]]))
    assert ahead == pytest.approx([3.0, 0.0], abs=1e-9)
    assert right == pytest.approx([0.0, 2.0], abs=1e-9)


@given(st.floats(-4, 4), points)
def test_ego_frame_both_ways(yaw, place):
    state, there = EgoState(10.0, 5.0, yaw, 0.0), np.array([place])
    assert state.to_world(state.to_ego(there)) == pytest.approx(there, abs=1e-6)
