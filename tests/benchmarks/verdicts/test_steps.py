"""Steps in a history, for the page."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.measurement import Sample
from benchmarks.verdicts.steps import steps


def history(levels: list[float], canary: list[float], seed: int = 1) -> list[Sample]:
    random = np.random.default_rng(seed)
    samples = []
    for index, (level, machine) in enumerate(zip(levels, canary, strict=True)):
        noise = np.exp(random.normal(0, 0.01, 9)) * machine
        times = [] if level == 0 else (noise[:3] * level).tolist()
        samples.append(Sample(f"night {index:04}", times, [], noise[3:6].tolist(), noise[6:].tolist()))
    return samples


def test_steps_are_where_they_were_made() -> None:
    levels = [10.0] * 40 + [11.0] * 30 + [9.0] * 30
    assert steps(history(levels, [1.0] * 100)) == [40, 70]


def test_a_drift_that_the_canary_shares_is_none() -> None:
    assert steps(history([10.0] * 100, np.linspace(1, 1.5, 100).tolist())) == []


@pytest.mark.parametrize("count", [0, 1, 5])
def test_a_short_history_has_none(count: int) -> None:
    assert steps(history([10.0] * count, [1.0] * count)) == []


def test_nights_without_times_are_passed_over() -> None:
    levels = [10.0] * 20 + [0.0] * 5 + [12.0] * 20
    assert steps(history(levels, [1.0] * 45)) == [25]


def test_one_night_that_was_slow_is_no_level() -> None:
    levels = [10.0] * 40 + [15.0] + [10.0] * 40
    assert steps(history(levels, [1.0] * 81)) == []
