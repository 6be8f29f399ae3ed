"""From what tensors hold to the range that their integers cover: how far to go out to rare values.

A wide range has coarse steps, a narrow one clips.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType

import numpy as np

from compress.convert.quantize.parameters import LEAST, MOST, Choose, asymmetric
from compress.convert.quantize.ranges import Observed

PERCENTILE = 99.99  # of the values, and 100 less of it: what lies beyond is clipped
_SHRUNK = np.linspace(1.0, 0.2, 65)  # parts of the extremes that least squares tries
_HELD_OUT = 4  # of so many images one judges the ranges that the others gave


def by_extremes(held: Sequence[Observed]) -> tuple[float, float, str]:
    """Return the least and the largest value."""
    return min(one.low for one in held), max(one.high for one in held), "min-max"


def by_percentile(held: Sequence[Observed]) -> tuple[float, float, str]:
    """Return the percentiles 0.01 and 99.99 of the values that are not zero.

    A ReLU's zeros are as many as they like to be, and cost nothing: zero always has an integer.
    """
    values = _sample(held)
    if not values.size:
        return 0.0, 0.0, "percentile"
    low, high = np.percentile(values, (100 - PERCENTILE, PERCENTILE))
    return float(low), float(high), "percentile"


def by_squares(held: Sequence[Observed]) -> tuple[float, float, str]:
    """Return the range of least mean squared error, clipping and rounding together.

    A value inside is off by s^2 / 12 on average, s being the step, one outside by its squared distance, zero by nothing
    (Banner et al. 2019, "Post training 4-bit quantization", eq. 3 to 5, without a distribution assumed).
    """
    values = np.sort(_sample(held))
    if not values.size:
        return 0.0, 0.0, "mse"
    lows = min(float(values[0]), 0.0) * _SHRUNK
    highs = max(float(values[-1]), 0.0) * _SHRUNK
    below, clipped_below = _beyond(-values[::-1], -lows)
    above, clipped_above = _beyond(values, highs)
    steps = (highs[None, :] - lows[:, None]) / (MOST - LEAST)
    inside = len(values) - below[:, None] - above[None, :]
    errors = inside * steps**2 / 12 + clipped_below[:, None] + clipped_above[None, :]
    low, high = np.unravel_index(np.argmin(errors), errors.shape)
    return float(lows[low]), float(highs[high]), "mse"


def measured(held: Sequence[Observed]) -> tuple[float, float, str]:
    """Return the range by that one of the others whose integers are nearest, in mean square, to images it has not seen.

    Each is fitted to three images of four and judged on the fourth; the range is that of all. Up to three images are
    too few to tell: the extremes.
    """
    count = len(held[0].lows)
    judges = np.arange(count) % _HELD_OUT == _HELD_OUT - 1
    if not judges.any():
        return by_extremes(held)
    fitted, seen = [one.of(~judges) for one in held], [one.of(judges) for one in held]
    best = min(FITTED.values(), key=lambda choose: sum(_error(one, *choose(fitted)[:2]) for one in seen))
    return best(held)


FITTED: Mapping[str, Choose] = MappingProxyType(
    {"min-max": by_extremes, "percentile": by_percentile, "mse": by_squares}
)
BY_NAME: Mapping[str, Choose] = MappingProxyType({**FITTED, "measured": measured})


def _sample(held: Sequence[Observed]) -> np.ndarray:
    """Return all values that were kept and are not zero, float64."""
    values = np.concatenate([one.sample.ravel() for one in held]).astype(np.float64)
    return values[values != 0]


def _beyond(ascending: np.ndarray, limits: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return for each limit how many values are larger, and the sum of the squares of by how much."""
    first = np.searchsorted(ascending, limits, "right")
    sums, squares = (np.append(np.cumsum(powers[::-1])[::-1], 0.0)[first] for powers in (ascending, ascending**2))
    counts = len(ascending) - first
    return counts, np.maximum(squares - 2 * limits * sums + counts * limits**2, 0.0)


def _error(seen: Observed, low: float, high: float) -> float:
    """Return the energy of what int8 differs by."""
    scale, zero_point = asymmetric(low, high)
    steps = np.clip(np.rint(seen.sample / np.float32(scale)), LEAST - zero_point, MOST - zero_point)
    return float(((steps * np.float32(scale) - seen.sample).astype(np.float64) ** 2).sum())
