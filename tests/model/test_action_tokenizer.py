"""The log grid: round trips, soft labels, sub-cell decoding, borders."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from linkvla.model.interface.errors import ConfigurationError, ObservationError
from linkvla.model.tokenizer.action_tokenizer import ActionTokenizer, RangeCounts

GRID = ActionTokenizer(centre="continuous")
PAPER = ActionTokenizer()


def metres(low, high):
    """Training turns subnormal numbers off for the whole process; they are no lengths anyway."""
    return st.floats(low, high, allow_subnormal=False)


x_metres = metres(0.0, 48.0)
y_metres = metres(-29.0, 29.0)


def point(x, y):
    return torch.tensor([x, y], dtype=torch.float64)


def test_the_papers_grid_has_56_by_101_cells():
    assert (GRID.nodes_x, GRID.nodes_y, GRID.size) == (56, 101, 5656)
    finer = ActionTokenizer(k=10.0)
    assert (finer.nodes_x, finer.nodes_y, finer.size) == (63, 115, 7245)
    assert (PAPER.k, PAPER.step, PAPER.sigma, PAPER.radius, PAPER.centre) == (5.0, 0.1, 1.2, 10, "cell")


def test_any_shape_goes_in():
    points = torch.tensor([7.0, -2.0])
    for shape in ((), (3,), (2, 0), (2, 3, 4)):
        many = points.expand(*shape, 2)
        cells = GRID.encode(many)
        assert cells.shape == shape and cells.dtype == torch.int64
        assert GRID.decode(cells).shape == (*shape, 2)
        assert GRID.soft_labels(many).shape == (*shape, GRID.size)


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


@given(metres(50.0, 500.0), metres(-1.0, 1.0))
def test_points_beyond_the_grid_keep_their_direction(x, slope):
    decoded = GRID.decode(GRID.encode(point(x, slope * x))).double()
    assert abs(float(decoded[1] / decoded[0]) - slope) < 0.11


def test_points_behind_are_clamped_to_the_bumper():
    assert float(GRID.decode(GRID.encode(point(-3.0, 1.0)))[0]) == 0.0


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_non_finite_points_are_refused(bad):
    with pytest.raises(ObservationError):
        GRID.encode(torch.tensor([[1.0, bad]]))


@given(metres(0.0, 48.0), y_metres)
def test_soft_decoding_of_an_ideal_prediction_is_sub_cell(x, y):
    target = point(x, y).float()[None]
    read = GRID.expectation(GRID.soft_labels(target).clamp(min=1e-30).log())
    assert float((GRID.warp(read) - GRID.warp(target)).abs().max()) < 0.12


@given(metres(50.0, 60.0))
def test_soft_decoding_reads_past_the_border(x):
    target = torch.tensor([[x, 0.0]])
    read = GRID.expectation(GRID.soft_labels(target).clamp(min=1e-30).log())
    assert abs(float(read[0, 0]) - x) < 0.5


@given(metres(-0.1, 60.0), metres(-38.0, 38.0), st.sampled_from((5.0, 10.0)), st.sampled_from((1.2, 3.0)))
def test_labels_are_distributions_with_the_mode_at_the_cell(x, y, k, sigma):
    labels = ActionTokenizer(k=k, sigma=sigma).soft_labels(point(x, y))
    assert abs(float(labels.sum()) - 1.0) < 1e-5
    assert int(labels.argmax()) == int(ActionTokenizer(k=k).encode(point(x, y)))


@given(x_metres, y_metres)
def test_the_nearest_cell_is_the_mode_of_a_continuous_label_too(x, y):
    labels, cell = GRID.soft_labels(point(x, y)), int(GRID.encode(point(x, y)))
    assert float(labels[cell]) >= float(labels.max()) * (1 - 1e-5)  # half-way between two, either will do


def test_labels_end_ten_cells_from_their_centre():
    along_x, along_y, _ = PAPER.label_marginals(point(10.0, 1.0))
    i, j = divmod(int(PAPER.encode(point(10.0, 1.0))), PAPER.nodes_y)
    assert along_x.nonzero().flatten().tolist() == list(range(i - 10, i + 11))
    assert along_y.nonzero().flatten().tolist() == list(range(j - 10, j + 11))
    # entropy of the paper's label, 3.20 nats: what no loss can fall below
    labels = PAPER.soft_labels(point(10.0, 1.0))
    assert abs(float(torch.special.entr(labels).sum()) - 3.20) < 0.01


ROWS = [  # around, m; mean and largest error of hard decoding, m, as worked out beforehand with numpy
    (1.0, 0.029, 0.065),
    (5.0, 0.13, 0.29),
    (10.0, 0.26, 0.59),
    (20.0, 0.51, 1.19),
    (30.0, 0.77, 1.77),
    (49.5, 1.04, 2.4),
]


@pytest.mark.parametrize(("metres", "mean", "most"), ROWS)
def test_hard_decoding_costs_a_quarter_of_a_cell(metres, mean, most):
    reach = 1.5 * (0.2 + metres) * 0.1
    x = torch.linspace(metres - reach, min(metres + reach, 50.0), 5001, dtype=torch.float64)
    points = torch.stack([x, torch.zeros_like(x)], dim=-1)
    error = (PAPER.decode(PAPER.encode(points))[:, 0] - x).abs()
    assert float(error.mean()) == pytest.approx(mean, rel=0.08)
    assert float(error.max()) == pytest.approx(most, rel=0.12)


ACCURACY = [  # range, m; mean error of hard decoding and of the local expectation of an ideal prediction, m
    (4.0, 6.0, 0.126, 0.004),
    (9.0, 11.0, 0.25, 0.008),
    (18.0, 22.0, 0.51, 0.016),
    (27.0, 33.0, 0.73, 0.022),
    (46.0, 50.0, 1.08, 0.001),  # log-odds: the border cuts the window of the mean, which would be off by 2.8 m
]


@pytest.mark.parametrize(("near", "far", "hard", "soft"), ACCURACY)
def test_continuous_labels_decode_below_the_size_of_a_cell(near, far, hard, soft):
    x = torch.linspace(near, far, 201)
    points = torch.stack([x, torch.zeros_like(x)], dim=-1)
    logits = GRID.soft_labels(points).clamp(min=1e-30).log()
    assert float((GRID.decode(GRID.encode(points)) - points).norm(dim=-1).mean()) == pytest.approx(hard, rel=0.1)
    assert float((GRID.expectation(logits) - points).norm(dim=-1).mean()) == pytest.approx(soft, rel=0.2, abs=0.0015)
    # the paper's labels hold nothing below the cell: the same reading gives the cell's centre
    paper = PAPER.expectation(PAPER.soft_labels(points).clamp(min=1e-30).log())
    assert float((paper - PAPER.decode(PAPER.encode(points))).norm(dim=-1).max()) < 0.05


def test_targets_out_of_reach_are_marked():
    _, _, valid = GRID.label_marginals(torch.tensor([[60.0, 0.0], [70.0, 0.0], [-0.05, 0.0], [-1.0, 0.0], [5.0, 45.0]]))
    assert valid.tolist() == [True, False, True, False, False]


def test_what_the_grid_cannot_hold_is_counted():
    points = torch.tensor([[[5.0, 0.0], [-0.05, 0.0]], [[60.0, 0.0], [5.0, 45.0]]])
    counts = PAPER.count(points)
    assert counts == RangeCounts(points=4, clamped=3, censored=2, masked=1)
    assert counts + PAPER.count(points[:1]) == RangeCounts(points=6, clamped=4, censored=2, masked=1)


def test_the_far_border_is_censored_and_the_bumper_is_not():
    ids = GRID.encode(torch.tensor([[0.0, 0.0], [30.0, 5.0], [50.0, 0.0], [3.0, -30.0], [3.0, 30.0]]))
    assert GRID.censored(ids).tolist() == [False, False, True, True, True]


def test_clamping_bends_the_direction_where_the_ray_keeps_it():
    far = point(60.0, 6.0)
    ray, clamp = (
        ActionTokenizer(beyond=way).decode(ActionTokenizer(beyond=way).encode(far)) for way in ("ray", "clamp")
    )
    assert float(clamp[0]) == float(ray[0])
    assert abs(float(ray[1] / ray[0]) - 0.1) < abs(float(clamp[1] / clamp[0]) - 0.1)


def test_bad_settings_are_refused():
    with pytest.raises(ConfigurationError, match="step"):
        ActionTokenizer(step=0.0)
    with pytest.raises(ConfigurationError, match="continuous"):
        ActionTokenizer(centre="middle")
    with pytest.raises(ConfigurationError, match="ray"):
        ActionTokenizer(beyond="somewhere")
    with pytest.raises(ConfigurationError, match="radius"):
        ActionTokenizer(radius=0)
