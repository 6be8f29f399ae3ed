"""What is so of every history: whatever the unit, the order of the starts, the device's noise or the night."""

from __future__ import annotations

import math

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.verdicts.detector import BASELINE, CALM, CONFIRMATIONS, Detector, Night

FEW = settings(max_examples=15)
SEEDS = st.integers(0, 2**32 - 1)
NOISES = st.floats(0.002, 0.03)
STARTS, CANARY = 3, 6


def histories(seed: int, noise: float, nights: int, step: float = 0.0, since: int = 0) -> list[list[np.ndarray]]:
    """Return for each night the log times of starts, canary before, canary after and re-run, each (1, n)."""
    random = np.random.default_rng(seed)
    found = []
    for night in range(nights):
        level = step if night >= since else 0.0
        own, more = (random.normal(level, noise, (1, count)) for count in (STARTS, CONFIRMATIONS))
        found.append([own, *random.normal(0, noise / 2, (2, 1, CANARY)), more])
    return found


def judged(nights: list[list[np.ndarray]]) -> list[Night]:
    """Return what is said of each night, re-runs where they are asked for."""
    detect, found = Detector(1), []
    for own, before, after, more in nights:
        night = detect.night(own, before, after)
        found.append(detect.settle(night, np.where(night.suspected[:, None], more, np.nan)))
    return found


@FEW
@given(SEEDS, NOISES, st.floats(-0.5, 0.5), st.floats(1e-6, 1e6), st.floats(1e-6, 1e6))
def test_neither_unit_nor_speed_matters(seed: int, noise: float, step: float, unit: float, canary: float) -> None:
    nights = histories(seed, noise, 30, step, 22)
    own, other = math.log(unit), math.log(canary)
    scaled = [[start + own, before + other, after + other, more + own] for start, before, after, more in nights]
    for one, two in zip(judged(nights), judged(scaled), strict=True):
        assert (one.noisy[0], one.suspected[0], one.alarm[0]) == (two.noisy[0], two.suspected[0], two.alarm[0])
        if one.judged[0]:
            assert math.isclose(one.z[0], two.z[0], rel_tol=1e-6, abs_tol=1e-6)


@FEW
@given(SEEDS, NOISES, st.floats(-0.5, 0.5))
def test_the_order_of_the_starts_does_not_matter(seed: int, noise: float, step: float) -> None:
    nights = histories(seed, noise, 30, step, 22)
    random = np.random.default_rng(seed)
    mixed = [[random.permutation(starts, axis=1) for starts in night] for night in nights]
    for one, two in zip(judged(nights), judged(mixed), strict=True):
        assert (one.noisy[0], one.suspected[0], one.alarm[0]) == (two.noisy[0], two.suspected[0], two.alarm[0])
        if one.judged[0]:
            assert math.isclose(one.z[0], two.z[0], rel_tol=1e-6, abs_tol=1e-6)


@FEW
@given(st.floats(1e-9, 1e9), st.floats(1e-9, 1e9), st.integers(1, 60), st.integers(1, 5))
def test_times_that_never_change_never_alarm(time: float, canary: float, nights: int, starts: int) -> None:
    night = [np.full((1, starts), math.log(time)), *np.full((2, 1, CANARY), math.log(canary))]
    found = judged([[*night, np.full((1, CONFIRMATIONS), math.log(time))]] * nights)
    assert not any(one.suspected[0] or one.alarm[0] or one.noisy[0] for one in found)


@FEW
@given(SEEDS, NOISES, st.floats(0.3, 2.0), st.booleans(), st.integers(BASELINE, 40))
def test_a_step_of_thirty_percent_is_one_alarm_on_its_second_night(
    seed: int, noise: float, height: float, is_slower: bool, since: int
) -> None:
    """A night whose starts differ too much by chance, one in 10,000, is passed over."""
    step = math.log1p(height) if is_slower else -math.log1p(height)
    found = judged(histories(seed, noise, since + 12, step, since))
    _, second, *_ = (place for place in range(since, len(found)) if found[place].noisy[0] == CALM)
    assert [place for place, night in enumerate(found) if night.alarm[0]] == [second]


@FEW
@given(SEEDS, NOISES, st.floats(0.3, 2.0), st.integers(BASELINE, 40))
def test_a_step_that_the_canary_shares_is_the_machine(seed: int, noise: float, height: float, since: int) -> None:
    nights = histories(seed, noise, since + 12, math.log1p(height), since)
    for _, before, after, _ in nights[since:]:
        before += math.log1p(height)
        after += math.log1p(height)
    assert not any(night.alarm[0] for night in judged(nights))
