"""The detector's equations, computed again by loops; noise, outliers and the canary."""

from __future__ import annotations

import math

import numpy as np
import pytest

from benchmarks.verdicts import detector
from benchmarks.verdicts.detector import Detector, combine


def nights(detect: Detector, random: np.random.Generator, count: int, level: float = 0.0) -> list[detector.Night]:
    """Let nights of three starts and a calm canary pass."""
    found = []
    for _ in range(count):
        starts = random.normal(level, 0.02, (detect.count, 3))
        canary = random.normal(0, 0.01, (2, detect.count, 6))
        night = detect.night(starts, canary[0], canary[1])
        found.append(detect.settle(night, np.full((detect.count, 1), np.nan)))
    return found


def test_the_likeliest_step_is_that_of_loops_over_all_windows() -> None:
    """Equations (1) and (2), from the remembered nights, one by one."""
    random = np.random.default_rng(3)
    detect = Detector(2)
    nights(detect, random, 40)
    starts, canary = random.normal(0.03, 0.02, (2, 3)), random.normal(0, 0.01, (2, 2, 6))
    found = detect.night(starts, canary[0], canary[1])
    for row in range(2):
        own = detect.noise.squares[row] / detect.noise.degrees[row]
        other = detect.canary_noise.squares[row] / detect.canary_noise.degrees[row]
        tau = detect._tau()[row]
        values, variances = [], []
        for level, n, m in zip(detect.levels[row], detect.starts[row], detect.canary_starts[row], strict=True):
            if math.isfinite(level):
                values.append(level)
                variances.append(tau + own / n + other / m)
        values.append(found.level[row])
        variances.append(found.variance[row])
        best = (0.0, 0, 0.0)
        for k in range(1, detector.WINDOW + 1):
            means, spreads = [], []
            for part in (slice(-k, None), slice(None, -k)):
                weights = [1 / variance for variance in variances[part]]
                means.append(sum(w * y for w, y in zip(weights, values[part], strict=True)) / sum(weights))
                spreads.append(1 / sum(weights))
            z = (means[0] - means[1]) / math.sqrt(sum(spreads))
            if abs(z) > abs(best[0]):
                best = (z, k, means[0] - means[1])
        assert (found.z[row], found.nights[row], found.height[row]) == pytest.approx(best)


def test_an_outlier_is_left_out_and_a_step_is_not() -> None:
    variance = np.array([0.0004])
    found = combine(np.array([[1.0, 1.01, 1.6]]), variance)
    assert found.count[0] == 2 and found.mean[0] == pytest.approx(1.005)
    found = combine(np.array([[1.5, 1.51, 1.52]]), variance)
    assert found.count[0] == 3 and not found.apart[0]
    found = combine(np.array([[1.0, 2.0, 3.0]]), variance)
    assert found.apart[0] and found.count[0] == 3
    found = combine(np.array([[np.nan, np.nan, 3.0]]), variance)
    assert found.count[0] == 1 and found.mean[0] == 3.0
    assert math.isnan(combine(np.full((1, 3), np.nan), variance).mean[0])


def test_noise_is_learned_from_the_device_itself() -> None:
    quiet, loud = Detector(1), Detector(1)
    random = np.random.default_rng(2)
    for _ in range(80):
        for detect, noise in ((quiet, 0.005), (loud, 0.06)):
            canary = random.normal(0, 0.01, (2, 1, 6))
            detect.settle(detect.night(random.normal(0, noise, (1, 3)), *canary), np.full((1, 1), np.nan))
    assert math.sqrt(quiet.noise.variance[0]) == pytest.approx(0.005, rel=0.25)
    assert math.sqrt(loud.noise.variance[0]) == pytest.approx(0.06, rel=0.25)


def test_nights_that_differ_more_than_their_starts_are_noise_too() -> None:
    """What a machine does from night to night is in no fresh start's spread."""
    random = np.random.default_rng(4)
    detect = Detector(50)
    alarms = 0
    for _ in range(200):
        nightly = random.normal(0, 0.03, (50, 1))
        canary = random.normal(0, 0.005, (2, 50, 6))
        night = detect.night(nightly + random.normal(0, 0.005, (50, 3)), canary[0], canary[1])
        more = nightly + random.normal(0, 0.005, (50, 9))
        alarms += int(detect.settle(night, np.where(night.suspected[:, None], more, np.nan)).alarm.sum())
    # tau^2 is what one night of starts does not explain; the nights are independent, and so some of 10,000 alarm.
    assert np.sqrt(np.median(detect._tau())) == pytest.approx(0.03, rel=0.4)
    assert alarms <= 25


def test_a_machine_that_is_slow_is_noisy_and_no_step() -> None:
    random = np.random.default_rng(5)
    detect = Detector(1)
    nights(detect, random, 30)
    slow = 0.3 + random.normal(0, 0.01, (3, 1, 6))
    night = detect.night(slow[0][:, :3], slow[1], slow[2])
    assert night.noisy[0] == detector.CANARY_MOVED and not night.suspected[0]
    assert night.canary[0] == pytest.approx(0.3, abs=0.02)
    halfway = detect.night(slow[0][:, :3], random.normal(0, 0.01, (1, 6)), slow[2])
    assert halfway.noisy[0] != detector.CALM
    assert not detect.settle(halfway, np.full((1, 1), np.nan)).alarm[0]


def test_a_step_is_suspected_confirmed_and_alarms_once() -> None:
    random = np.random.default_rng(6)
    detect = Detector(1)
    nights(detect, random, 30)
    alarms = []
    for _ in range(12):
        canary = random.normal(0, 0.01, (2, 1, 6))
        night = detect.night(random.normal(0.1, 0.02, (1, 3)), canary[0], canary[1])
        more = random.normal(0.1, 0.02, (1, 9)) if night.suspected[0] else np.full((1, 1), np.nan)
        alarms.append(bool(detect.settle(night, more).alarm[0]))
    assert alarms == [False, True, *[False] * 10]


def test_one_bad_night_that_its_re_run_denies_is_no_step() -> None:
    random = np.random.default_rng(7)
    detect = Detector(1)
    nights(detect, random, 30)
    canary = random.normal(0, 0.01, (2, 1, 6))
    night = detect.night(random.normal(0.15, 0.02, (1, 3)), canary[0], canary[1])
    assert night.suspected[0]
    final = detect.settle(night, random.normal(0, 0.02, (1, 9)))
    assert not final.confirmed[0] and not final.found[0] and not final.alarm[0]
    assert not any(one.alarm[0] for one in nights(detect, random, 10))
