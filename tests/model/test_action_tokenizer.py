"""The log grid: round trips, soft labels, sub-cell decoding, borders."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from linkvla.model.interface.errors import ConfigurationError, ObservationError
from linkvla.model.tokenizer.action_tokenizer import ActionTokenizer

GRID = ActionTokenizer()
x_metres = st.floats(0.0, 48.0)
y_metres = st.floats(-29.0, 29.0)


def point(x, y):
    return torch.tensor([x, y], dtype=torch.float64)


def test_the_papers_grid_has_56_by_101_cells():
    assert (GRID.nodes_x, GRID.nodes_y, GRID.size) == (56, 101, 5656)
    finer = ActionTokenizer(k=10.0)
    assert (finer.nodes_x, finer.nodes_y) == (63, 115)


def test_every_cell_survives_decoding_and_encoding():
    cells = torch.arange(GRID.size)
    assert torch.equal(GRID.encode(GRID.decode(cells)), cells)


def test_standing_still_is_exact():
    origin = torch.zeros(1, 2)
    assert torch.equal(GRID.decode(GRID.encode(origin)), origin)


@given(x_metres, y_metres)
def test_round_trip_stays_within_half_a_cell(x, y):
    decoded = GRID.decode(GRID.encode(point(x, y)))
    error = (GRID.warp(decoded.double()) - GRID.warp(point(x, y))).abs()
    assert bool((error <= 0.5 + 1e-4).all())


@given(x_metres, y_metres)
def test_left_and_right_mirror(x, y):
    right, left = GRID.decode(GRID.encode(point(x, y))), GRID.decode(GRID.encode(point(x, -y)))
    cells = GRID.warp(right) - GRID.warp(left) * torch.tensor([1.0, -1.0])
    assert float(cells.abs().max()) <= 1.0 + 1e-3  # ties round to even on either side


@given(x_metres, x_metres)
def test_farther_points_never_get_smaller_cells(a, b):
    near, far = sorted((a, b))
    assert int(GRID.encode(point(near, 0.0))) <= int(GRID.encode(point(far, 0.0)))


@given(st.floats(50.0, 500.0), st.floats(-1.0, 1.0))
def test_points_beyond_the_grid_keep_their_direction(x, slope):
    decoded = GRID.decode(GRID.encode(point(x, slope * x))).double()
    assert abs(float(decoded[1] / decoded[0]) - slope) < 0.11


def test_points_behind_are_clamped_to_the_bumper():
    assert float(GRID.decode(GRID.encode(point(-3.0, 1.0)))[0]) == 0.0


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_non_finite_points_are_refused(bad):
    with pytest.raises(ObservationError):
        GRID.encode(torch.tensor([[1.0, bad]]))


@given(st.floats(0.0, 48.0), y_metres)
def test_soft_decoding_of_an_ideal_prediction_is_sub_cell(x, y):
    target = point(x, y).float()[None]
    read = GRID.expectation(GRID.soft_labels(target).clamp(min=1e-30).log())
    assert float((GRID.warp(read) - GRID.warp(target)).abs().max()) < 0.12


@given(st.floats(50.0, 60.0))
def test_soft_decoding_reads_past_the_border(x):
    target = torch.tensor([[x, 0.0]])
    read = GRID.expectation(GRID.soft_labels(target).clamp(min=1e-30).log())
    assert abs(float(read[0, 0]) - x) < 0.5


def test_labels_are_distributions_with_the_mode_at_the_nearest_cell():
    points = torch.tensor([[0.0, 0.0], [10.3, -2.2], [47.0, 28.0]])
    for centre in ("cell", "continuous"):
        grid = ActionTokenizer(centre=centre)
        labels = grid.soft_labels(points)
        torch.testing.assert_close(labels.sum(-1), torch.ones(3))
        assert torch.equal(labels.argmax(-1), grid.encode(points))


def test_targets_out_of_reach_are_marked():
    _, _, valid = GRID.label_marginals(torch.tensor([[60.0, 0.0], [70.0, 0.0], [-0.05, 0.0], [-1.0, 0.0], [5.0, 45.0]]))
    assert valid.tolist() == [True, False, True, False, False]


def test_bad_settings_are_refused():
    with pytest.raises(ConfigurationError, match="step"):
        ActionTokenizer(step=0.0)
    with pytest.raises(ConfigurationError, match="continuous"):
        ActionTokenizer(centre="middle")
