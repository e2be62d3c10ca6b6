"""From camera frames to tiles: crop, resize, JPEG, normalisation."""

import cv2
import numpy as np
import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from linkvla.model.configuration_linkvla import internvl2_1b_config
from linkvla.model.data import area
from linkvla.model.data.view import make_view


@pytest.fixture
def frame():
    rows, columns = np.mgrid[0:512, 0:1024]
    return np.stack([columns // 4, rows // 2, (rows + columns) % 256], axis=-1).astype(np.uint8)


def test_the_big_networks_view_is_the_upper_70_percent_over_two_tiles(frame):
    size = internvl2_1b_config().view_shape
    view = make_view(frame, size, interpolation="bicubic")
    assert view.shape == (448, 896, 3)
    assert np.array_equal(view, make_view(frame[:359], size, interpolation="bicubic"))
    below = frame.copy()
    below[359:] = 0
    assert np.array_equal(view, make_view(below, size, interpolation="bicubic"))
    # what lay at (row, column) of the frame lies at (1.248 row, 0.875 column) of the view
    assert abs(int(view[224, 448, 0]) - 512 // 4) <= 1
    assert abs(int(view[224, 448, 1]) - 359 // 4) <= 1


def test_area_and_bicubic_differ_and_keep_the_mean(frame):
    area, bicubic = (make_view(frame, interpolation=way).astype(float) for way in ("area", "bicubic"))
    assert 0.0 < np.abs(area - bicubic).mean() < 20.0
    assert abs(area.mean() - bicubic.mean()) < 2.0


@pytest.mark.parametrize("rows", [512, 502, 160])  # of which 359, 352 and 112 are kept: two multiples of JPEG's blocks
def test_a_jpeg_round_trip_is_that_of_a_recorded_file(tmp_path, rows):
    noisy = np.random.default_rng(0).integers(0, 255, (rows, 2 * rows, 3), dtype=np.uint8)
    cv2.imwrite(str(tmp_path / "frame.jpg"), cv2.cvtColor(noisy, cv2.COLOR_RGB2BGR))  # default quality
    recorded = cv2.cvtColor(cv2.imread(str(tmp_path / "frame.jpg")), cv2.COLOR_BGR2RGB)
    assert np.array_equal(make_view(noisy, jpeg_quality=95), make_view(recorded))
    assert not np.array_equal(make_view(noisy, jpeg_quality=95), make_view(noisy))


def test_tiles_are_left_and_right_and_normalised(tiny):
    _, processor = tiny
    views = np.zeros((1, 64, 128, 3), np.uint8)
    views[:, :, 64:] = (255, 0, 0)
    tiles = processor.pixels(views)
    assert tiles.shape == (1, 2, 3, 64, 64)
    mean, std = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])
    torch.testing.assert_close(tiles[0, 0, :, 5, 5], -mean / std)
    torch.testing.assert_close(tiles[0, 1, :, 5, 5], (torch.tensor([1.0, 0.0, 0.0]) - mean) / std)


@settings(max_examples=60, deadline=None)
@given(
    size=st.tuples(st.integers(8, 160), st.integers(8, 300)),
    more=st.integers(1, 700),
    seed=st.integers(0, 10**6),
    contrast=st.sampled_from([1, 40, 255]),
)
def test_quick_area_averaging_gives_opencvs_bytes(size, more, seed, contrast):
    shape = size[0] + more, 4 * size[1]
    assume(area.suits(shape, size))
    image = np.random.default_rng(seed).integers(0, 256, (*shape, 3), dtype=np.uint8) // contrast * contrast
    expected = cv2.resize(image, size[::-1], interpolation=cv2.INTER_AREA)
    assert np.array_equal(area.shrink(image, size), expected)


@pytest.mark.parametrize(("height", "width"), [(512, 1024), (256, 512), (384, 768), (100, 200)])
def test_views_of_any_camera_are_opencvs(height, width):
    image = np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)
    kept = image[: height - int(height * 0.3)]
    method = cv2.INTER_AREA if kept.shape[0] >= 128 else cv2.INTER_LINEAR
    assert np.array_equal(make_view(image), cv2.resize(kept, (256, 128), interpolation=method))
    assert np.array_equal(make_view(kept), make_view(image))
