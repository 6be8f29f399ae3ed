"""The ratio of two things that were measured in turns, and its interval."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from benchmarks.verdicts.ratio import LEAST_PAIRS, compare_ratio
from edge.errors import EdgeError

times = st.floats(0.1, 1000)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(times, times), min_size=LEAST_PAIRS, max_size=14))
def test_it_is_the_median_of_the_averages_of_all_pairs_of_pairs(pairs: list[tuple[float, float]]) -> None:
    logs = [math.log(b / a) for a, b in pairs]
    averages = sorted((x + y) / 2 for x, y in itertools.combinations_with_replacement(logs, 2))
    found = compare_ratio(*zip(*pairs, strict=True))
    assert found.ratio == pytest.approx(math.exp(np.median(averages)), rel=1e-9)
    assert found.low <= found.ratio <= found.high


@pytest.mark.parametrize("pairs", range(LEAST_PAIRS, 13))
def test_the_interval_contains_what_wilcoxons_test_does_not_refuse(pairs: int) -> None:
    """A ratio inside of it has p > 0.05 in scipy's exact test, one just outside of it has not."""
    random = np.random.default_rng(pairs)
    a, b = random.uniform(5, 6, pairs), random.uniform(5, 7, pairs)
    found = compare_ratio(a.tolist(), b.tolist())
    for ratio, inside in ((found.low, True), (found.high, True), (found.low, False), (found.high, False)):
        outward = -1 if ratio == found.low else 1
        shifted = np.log(b / a) - math.log(ratio) + (outward if inside else -outward) * 1e-9
        p = stats.wilcoxon(shifted, method="exact").pvalue
        assert (p > 0.05) == inside


def test_the_interval_has_the_truth_in_it_as_often_as_it_says() -> None:
    random = np.random.default_rng(1)
    hits = 0
    for _ in range(800):
        a, b = random.normal(0, 0.03, (2, 12))
        b += np.where(random.random(12) < 0.05, 0.5, 0)  # outliers on one side
        found = compare_ratio(np.exp(a).tolist(), (1.1 * np.exp(b)).tolist())
        hits += found.low <= 1.1 <= found.high
    assert 0.92 <= hits / 800 <= 0.99


@pytest.mark.parametrize(
    ("a", "b"), [([1.0] * 5, [1.0] * 5), ([1.0] * 6, [1.0] * 7), ([1.0] * 6, [0.0] * 6), ([1.0] * 6, [math.nan] * 6)]
)
def test_what_can_not_be_compared(a: list[float], b: list[float]) -> None:
    with pytest.raises(EdgeError) as raised:
        compare_ratio(a, b)
    assert raised.value.code == "compare.pairs"
