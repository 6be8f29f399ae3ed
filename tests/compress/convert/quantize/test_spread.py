"""Ranges by extremes, percentiles, least squares, and as measured."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from compress.convert.quantize.parameters import asymmetric, quantized
from compress.convert.quantize.ranges import SAMPLE, Observed, of_image
from compress.convert.quantize.spread import BY_NAME, by_extremes, by_percentile, by_squares, measured


def observed(values: np.ndarray) -> Observed:
    """What (N, positions, channels) would be observed as, nothing left out."""
    values = values.astype(np.float32)
    return Observed(values.min(1), values.max(1), values.mean(1), values)


def loss(values: np.ndarray, low: float, high: float) -> float:
    """Mean squared error by the integers themselves."""
    scale, zero_point = asymmetric(low, high)
    steps = quantized(values, scale, zero_point).astype(np.float64)
    return float((((steps - zero_point) * scale - values) ** 2).mean())


@given(st.integers(0, 2**32 - 1), st.floats(1.5, 40.0), st.booleans())
def test_least_squares_lose_no_more_than_any_other_range(seed: int, tail: float, positive: bool) -> None:
    rng = np.random.default_rng(seed)
    values = rng.standard_t(tail, (4, 200, 5))
    held = [observed(np.maximum(values, 0) if positive else values)]
    low, high, name = by_squares(held)
    best = loss(held[0].sample, low, high)
    others = [loss(held[0].sample, held[0].low * part, held[0].high * part) for part in np.linspace(0.3, 1, 15)]
    # The estimate of what rounding costs, s^2 / 12, is one of many values: 1000 here.
    assert name == "mse" and best <= min(others) * 1.1


def test_percentiles_leave_out_rare_values_and_do_not_count_zeros() -> None:
    values = np.linspace(0, 1, 100_001)[None, :, None]
    values[0, -5:, 0] = 50.0
    with_zeros = np.concatenate([values, np.zeros((1, 10**6, 1))], 1)
    assert by_percentile([observed(with_zeros)])[:2] == pytest.approx(by_percentile([observed(values)])[:2], abs=1e-4)
    assert by_percentile([observed(values)])[1] == pytest.approx(0.9999, abs=1e-3)
    assert by_extremes([observed(values)])[1] == 50.0


def test_measured_takes_what_is_nearest_on_images_it_was_not_fitted_to() -> None:
    rng = np.random.default_rng(0)
    uniform = rng.uniform(-1, 1, (8, 500, 2))
    spiked = rng.standard_normal((8, 5000, 2))
    spiked[0, 0, 0] = 300.0  # in one image only, which does not judge
    assert measured([observed(uniform)])[2] in BY_NAME
    assert measured([observed(uniform)])[1] == pytest.approx(1.0, abs=0.05)
    assert measured([observed(spiked)])[1] < 30 < by_extremes([observed(spiked)])[1]


def test_three_images_are_too_few_to_measure() -> None:
    assert measured([observed(np.random.default_rng(0).standard_normal((3, 50, 2)))])[2] == "min-max"


@pytest.mark.parametrize("name", BY_NAME)
def test_a_constant_tensor_has_a_range(name: str) -> None:
    for constant in (0.0, 0.25, -3.0):
        low, high, _ = BY_NAME[name]([observed(np.full((8, 10, 2), constant))])
        assert min(low, 0) <= constant <= max(high, 0)


@given(st.integers(1, 6), st.integers(1, 80), st.sampled_from([1, 3, 16, 64, 100]), st.integers(1, 200))
def test_a_sample_has_all_channels_and_as_many_positions_of_each_image(
    images: int, side: int, channels: int, number: int
) -> None:
    values = np.arange(side * side * channels, dtype=np.float32).reshape(1, side, side, channels)
    number %= images
    one = of_image(values, number, images)
    assert one.sample.shape[1] == channels and len(one.sample) >= 1
    assert one.sample.size <= max(2 * SAMPLE / images, channels)
    assert np.array_equal(one.sample % channels, np.broadcast_to(np.arange(channels), one.sample.shape))
    assert (one.lows <= one.sample).all() and (one.sample <= one.highs).all()
