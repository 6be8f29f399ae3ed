"""The table of 256 entries against the formula for each pixel; geometry."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from edge.preprocess import Preprocessing, float_table, int8_table, look_up, pixels, resample

shares = st.floats(0.0, 1.0)
spreads = st.floats(0.05, 2.0)


@given(
    mean=st.lists(shares, min_size=3, max_size=3),
    std=st.lists(spreads, min_size=3, max_size=3),
    scale=st.floats(0.001, 0.1),
    zero_point=st.integers(-128, 127),
    seed=st.integers(0, 2**32 - 1),
)
def test_int8_table_is_the_formula_pixel_by_pixel(mean, std, scale, zero_point, seed):
    spec = Preprocessing(4, 5, "rgb", 3, mean=tuple(mean), std=tuple(std))
    array = np.random.default_rng(seed).integers(0, 256, (4, 5, 3), dtype=np.uint8)
    tensor = look_up(array, int8_table(spec, scale, zero_point))
    assert tensor.shape == (1, 4, 5, 3) and tensor.dtype == np.int8
    for (row, column, channel), pixel in np.ndenumerate(array):
        x = np.float32((float(pixel) / 255 - mean[channel]) / std[channel])
        # Python's round of a fraction is half to even; the quotient is rounded to a double first, as the table does it.
        q = round(Fraction(float(x) / scale)) + zero_point
        assert tensor[0, row, column, channel] == min(max(q, -128), 127)


@given(mean=shares, std=spreads)
def test_float_table_rises_and_hits_both_ends(mean, std):
    table = float_table(Preprocessing(1, 1, "grey", 1, mean=(mean,), std=(std,)))
    assert table.shape == (256, 1) and table.dtype == np.float32
    assert (np.diff(table[:, 0]) > 0).all()
    assert table[0, 0] == np.float32(-mean / std) and table[255, 0] == np.float32((1 - mean) / std)


def test_one_plane_serves_three_channels():
    array = np.arange(12, dtype=np.uint8).reshape(3, 4, 1)
    tensor = look_up(array, float_table(Preprocessing(3, 4, "grey", 3)))
    assert (tensor[..., 0] == tensor[..., 1]).all() and (tensor[..., 0] == tensor[..., 2]).all()


@pytest.mark.parametrize("fit", ["stretch", "crop", "pad"])
@pytest.mark.parametrize("size", [(1, 1), (1, 90), (90, 1), (24, 24), (500, 30)])
@pytest.mark.parametrize("color", ["grey", "rgb"])
def test_every_size_fits(fit, size, color):
    array = pixels(Image.new("RGB", size, (200, 200, 200)), Preprocessing(24, 20, color, 3, fit))
    assert array.shape == (24, 20, 1 if color == "grey" else 3) and array.dtype == np.uint8
    assert array.max() == 200
    if fit != "pad":
        assert array.min() == 200


def test_pad_is_black_and_centred():
    array = pixels(Image.new("L", (40, 20), 255), Preprocessing(40, 40, "grey", 1, "pad"))[:, :, 0]
    assert (array[:10] == 0).all() and (array[10:30] == 255).all() and (array[30:] == 0).all()


def test_crop_keeps_the_middle():
    picture = Image.new("L", (60, 20), 0)
    picture.paste(255, (20, 0, 40, 20))
    assert (pixels(picture, Preprocessing(20, 20, "grey", 1, "crop")) == 255).all()


@given(
    size=st.tuples(st.integers(1, 60), st.integers(1, 300)), target=st.tuples(st.integers(1, 40), st.integers(1, 40))
)
def test_rows_are_resampled_before_columns(size, target):
    """Where the height shrinks far more than the width, one call to Pillow would go the other way, by its version."""
    array = np.random.default_rng(size).integers(0, 256, size[::-1], dtype=np.uint8)

    def line(values: np.ndarray, count: int) -> np.ndarray:
        return np.asarray(Image.fromarray(values[None]).resize((count, 1), Image.Resampling.BILINEAR))[0]

    across = np.stack([line(row, target[0]) for row in array])
    expected = np.stack([line(column, target[1]) for column in across.T], axis=1)
    assert (np.asarray(resample(Image.fromarray(array), target, (0, 0, *size))) == expected).all()
