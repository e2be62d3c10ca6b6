"""Touching boxes: symmetric, consistent with rectangles that can be checked by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from linkvla.launch.sim.physics.collision import BOX_SIZE, contacts, footprint_box, overlaps

NONE = np.empty((0, BOX_SIZE))
boxes = st.builds(
    lambda x, y, yaw, half_x, half_y: np.array([x, y, yaw, half_x, half_y, 0.0, 1.5]),
    st.floats(-4.0, 4.0),
    st.floats(-4.0, 4.0),
    st.floats(-3.2, 3.2),
    st.floats(0.2, 3.0),
    st.floats(0.2, 2.0),
)


def box(x: float, y: float, yaw: float = 0.0, half_x: float = 2.0, half_y: float = 1.0, low: float = 0.0) -> np.ndarray:
    return np.array([x, y, yaw, half_x, half_y, low, low + 1.5])


def test_depth_and_normal_of_two_cars():
    found = contacts(np.array([box(0.0, 0.0), box(3.5, 0.2)]), NONE)
    assert found.tolist() == [[0.0, 1.0, pytest.approx(-1.0), pytest.approx(0.0, abs=1e-9), pytest.approx(0.5)]]


@pytest.mark.parametrize("other", [box(4.1, 0.0), box(0.0, 2.1), box(3.0, 2.2, -math.pi / 4), box(0.0, 0.0, low=2.0)])
def test_boxes_apart(other):
    assert len(contacts(np.array([box(0.0, 0.0), other]), NONE)) == 0


@given(first=boxes, second=boxes)
def test_symmetric(first, second):
    one, other = contacts(np.array([first, second]), NONE), contacts(np.array([second, first]), NONE)
    assert len(one) == len(other)
    if len(one):
        assert one[0, 4] == pytest.approx(other[0, 4])
        assert len(contacts(np.array([first]), second[None])) == 1


@given(first=boxes, second=boxes)
def test_moving_by_the_depth_separates(first, second):
    found = contacts(np.array([first, second]), NONE)
    if len(found):
        first = first.copy()
        first[:2] += found[0, 2:4] * (found[0, 4] + 1e-6)
        assert len(contacts(np.array([first, second]), NONE)) == 0


@given(first=boxes, second=boxes, angle=st.floats(-3.0, 3.0))
def test_turning_the_world_changes_nothing(first, second, angle):
    def turned(row: np.ndarray) -> np.ndarray:
        cos, sin = math.cos(angle), math.sin(angle)
        return np.array([row[0] * cos - row[1] * sin, row[0] * sin + row[1] * cos, row[2] + angle, *row[3:]])

    before = contacts(np.array([first, second]), NONE)
    after = contacts(np.array([turned(first), turned(second)]), NONE)
    depth_before = before[0, 4] if len(before) else 0.0
    depth_after = after[0, 4] if len(after) else 0.0
    assert depth_before == pytest.approx(depth_after, abs=1e-9)


def test_overlaps_names_the_rows():
    others = np.array([box(10.0, 0.0), box(1.0, 0.0), box(0.0, 1.0)])
    assert overlaps(box(0.0, 0.0), others).tolist() == [1, 2]
    assert overlaps(box(0.0, 0.0), NONE).tolist() == []


@given(st.floats(-3.0, 3.0), st.floats(1.0, 9.0), st.floats(1.0, 9.0))
def test_footprint_box_of_a_turned_rectangle(yaw, half_x, half_y):
    cos, sin = math.cos(yaw), math.sin(yaw)
    local = np.array([[half_x, half_y], [-half_x, half_y], [-half_x, -half_y], [half_x, -half_y]])
    row = footprint_box(local @ np.array([[cos, sin], [-sin, cos]]) + [7.0, -3.0], 1.0, 5.0)
    assert row[:2] == pytest.approx([7.0, -3.0])
    assert sorted(row[3:5]) == pytest.approx(sorted((half_x, half_y)))
    assert row[5:].tolist() == [1.0, 6.0]
