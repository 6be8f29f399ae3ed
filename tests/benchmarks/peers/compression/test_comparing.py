"""How good a tool is at another's latency, and who is ahead."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.peers.compression.comparing import Point, at_latency, difference

times = st.floats(0.01, 100)
TRUTH = np.arange(200) % 2 == 1


def test_between_two_networks_it_is_linear_in_the_logarithm() -> None:
    assert at_latency([1, 4], [0.8, 0.9], 2) == pytest.approx(0.85)
    assert at_latency([4, 1], [0.9, 0.8], 1) == pytest.approx(0.8)


def test_past_the_slowest_it_is_the_slowest_s_and_before_the_fastest_there_is_none() -> None:
    assert at_latency([1, 4], [0.8, 0.9], 9) == pytest.approx(0.9)
    assert np.isnan(at_latency([1, 4], [0.8, 0.9], 0.5))


def test_what_another_one_beats_in_both_is_not_of_the_front() -> None:
    assert at_latency([1, 2, 4], [0.8, 0.5, 0.9], 2) == pytest.approx(0.85)
    assert at_latency([1, 2], [0.9, 0.8], 2) == pytest.approx(0.9)


@given(st.lists(st.tuples(times, st.floats(0, 1)), min_size=1, max_size=6), times, times)
def test_more_time_never_makes_it_worse(networks: list[tuple[float, float]], one: float, other: float) -> None:
    ms, quality = zip(*networks, strict=True)
    less, more = sorted((one, other))
    found = [at_latency(ms, quality, latency) for latency in (less, more)]
    assert np.isnan(found[0]) or found[0] <= found[1] + 1e-9
    assert np.isnan(found[1]) or min(quality) - 1e-9 <= found[1] <= max(quality) + 1e-9


def scores(signal: float, seed: int) -> np.ndarray:
    return signal * TRUTH + np.random.default_rng(seed).normal(size=len(TRUTH))


def test_a_network_that_knows_more_is_ahead_and_its_copy_is_not() -> None:
    weak, strong = Point(1.0, scores(0.5, 1)), Point(1.0, scores(3.0, 2))
    found = difference(strong, [weak], TRUTH)
    assert found is not None and 0 < found.low < found.value < found.high
    behind = difference(weak, [strong], TRUTH)
    assert behind is not None and behind.high < 0 and behind.value == pytest.approx(-found.value)
    same = difference(weak, [weak], TRUTH)
    assert same is not None and tuple(same) == pytest.approx((0, 0, 0))


def test_no_network_is_as_fast() -> None:
    assert difference(Point(0.5, scores(1, 1)), [Point(1.0, scores(1, 2))], TRUTH) is None
