"""The ratio of two things measured in turns, with an interval that no outlier widens."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import NamedTuple

import numpy as np

from edge.errors import EdgeError

LEAST_PAIRS = 6  # with fewer no interval of the signed ranks has 95 %
CONFIDENCE = 0.95


class Ratio(NamedTuple):
    """b / a: an estimate, and the ends of its interval (95 %)."""

    ratio: float
    low: float
    high: float


def compare_ratio(a: Sequence[float], b: Sequence[float]) -> Ratio:
    """Return b / a for pairs that were measured in turns; all numbers above 0.

    Of the logarithms of the pairs' ratios it is the Hodges-Lehmann estimate, the median of all Walsh averages
    (d_i + d_j) / 2, i <= j, and the interval that Wilcoxon's signed-rank test gives: its ends are the averages of the
    ranks that the test's distribution names. It assumes pairs that are independent and differences that are symmetric
    around their centre, no normal distribution (Hollander, Wolfe and Chicken, Nonparametric Statistical Methods, 3.2).

    Raises EdgeError for fewer than LEAST_PAIRS pairs, and for numbers that are not above 0.
    """
    if len(a) != len(b) or len(a) < LEAST_PAIRS:
        raise EdgeError(
            f"{len(a)} and {len(b)} measurements were compared: expected pairs, at least {LEAST_PAIRS}; measure longer",
            "compare.pairs",
        )
    both = np.array([a, b], float)
    if not (np.isfinite(both).all() and (both > 0).all()):
        raise EdgeError("a measurement is not above 0: expected times or sizes; measure again", "compare.pairs")
    differences = np.log(both[1] / both[0])
    rows, columns = np.triu_indices(len(differences))
    averages = np.sort((differences[rows] + differences[columns]) / 2)
    low = _rank(len(differences))
    ends = averages[low], averages[len(averages) - 1 - low]
    return Ratio(*(float(np.exp(value)) for value in (np.median(averages), *ends)))


@cache
def _rank(pairs: int) -> int:
    """Return how many of the lowest Walsh averages lie outside of the interval.

    The largest c with 2 P(T+ < c + 1) <= 1 - CONFIDENCE, of the signed ranks' sum T+ of `pairs` differences.
    """
    ways = np.zeros(pairs * (pairs + 1) // 2 + 1)
    ways[0] = 1.0
    for rank in range(1, pairs + 1):
        ways[rank:] += ways[:-rank].copy()
    below = np.cumsum(ways) / 2.0**pairs
    return max(0, int(np.searchsorted(below, (1 - CONFIDENCE) / 2, side="right")) - 1)
