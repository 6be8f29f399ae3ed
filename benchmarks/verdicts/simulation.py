"""`edge-bench simulate`: histories made up by the rules below, judged by the code that judges real nights.

A night has three fresh starts of a cell, and six of the canary before and after. Each start's time is off by noise of
its own (standard deviation 3 %, independent), one in a hundred is an outlier (up to twice as long), and the machine
drifts, which the canary shares. A suspected night gets the re-run's fresh starts.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from typing import Any

import numpy as np

from benchmarks.verdicts.detector import BASELINE, CANARY_STARTS, CONFIRMATIONS, Detector, Night
from edge.arguments import count
from edge.command import Progress, log
from edge.strict_json import dumps

NOISE, STARTS = 0.03, 3
OUTLIERS, LONGEST = 0.01, 1.0  # share of starts; by how much of its time the longest of them lasts longer
WANDER, SEASON = 0.002, 0.02  # drift: a random walk's step a night, and the height of a year's wave
YEAR = 365


@dataclass
class Machines:
    """Some series, each on a machine of its own."""

    count: int
    random: np.random.Generator

    def __post_init__(self) -> None:
        self.walk = np.zeros(self.count)
        self.phase = self.random.uniform(0, 2 * np.pi, self.count)
        self.detector = Detector(self.count)

    def night(self, day: int, step: np.ndarray) -> Night:
        """Let a night pass; `step` is by how much each cell is slower (logarithm)."""
        self.walk += self.random.normal(0, WANDER, self.count)
        drift = self.walk + SEASON * np.sin(2 * np.pi * day / YEAR + self.phase)
        own = self._starts(drift + step, STARTS)
        night = self.detector.night(own, self._starts(drift, CANARY_STARTS), self._starts(drift, CANARY_STARTS))
        more = self._starts(drift + step, CONFIRMATIONS)
        return self.detector.settle(night, np.where(night.suspected[:, None], more, np.nan))

    def _starts(self, level: np.ndarray, number: int) -> np.ndarray:
        shape = (self.count, number)
        late = np.log1p(self.random.uniform(0.1, LONGEST, shape)) * (self.random.random(shape) < OUTLIERS)
        return level[:, None] + self.random.normal(0, NOISE, shape) + late


def steady(series: int, years: int, seed: int, progress: Progress | None = None) -> dict[str, float]:
    """Return what is said where nothing happens: alarms; shares of nights that are noisy, that are measured again."""
    machines = Machines(series, np.random.default_rng(seed))
    none = np.zeros(series)
    alarms = noisy = again = 0
    for day in range(years * YEAR):
        night = machines.night(day, none)
        alarms += int(night.alarm.sum())
        noisy += int((night.noisy > 0).sum())
        again += int(night.suspected.sum())
        if progress is not None and day % 50 == 0:
            progress(f"steady: night {day} of {years * YEAR}, {alarms} alarms")
    nights = series * years * YEAR
    return {"alarms": alarms, "a_year": alarms / years, "noisy": noisy / nights, "again": again / nights}


def stepped(
    series: int, height: float, within: int, seed: int, first: int | None = None, progress: Progress | None = None
) -> dict[str, float]:
    """Return the share of series whose step, `height` (0.1: 10 % slower), raises an alarm within so many nights.

    "again" counts those that alarm once more for it, or falsely, up to the last night of any series.

    Args:
        first: the night with which the step comes, counted from 0; by default one of the first year's after the
            baseline, by chance.
    """
    random = np.random.default_rng(seed)
    machines = Machines(series, random)
    begins = random.integers(BASELINE, YEAR - within, series) if first is None else np.full(series, first)
    caught, early, repeated = np.zeros(series, bool), np.zeros(series, bool), np.zeros(series, bool)
    for day in range(int(begins.max()) + within):
        night = machines.night(day, np.where(day >= begins, np.log1p(height), 0.0))
        inside = (day >= begins) & (day < begins + within)
        early |= night.alarm & (day < begins)
        repeated |= night.alarm & caught
        caught |= night.alarm & inside & (night.height > 0)
        if progress is not None and day % 50 == 0:
            progress(f"a step of {height:.0%}: night {day}, {int(caught.sum())} caught")
    return {"caught": float(caught.mean()), "early": int(early.sum()), "again": int(repeated.sum())}


def interval(share: float, number: int) -> tuple[float, float]:
    """Return Wilson's 95 % interval of a share of `number`."""
    z, n = 1.96, number
    middle, half = share + z * z / (2 * n), z * np.sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    return float((middle - half) / (1 + z * z / n)), float((middle + half) / (1 + z * z / n))


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what `edge-bench simulate` takes."""
    parser.add_argument(
        "--series", type=count(1, 100_000), default=1000, metavar="N", help="with a step (default: 1000)"
    )
    parser.add_argument("--years", type=count(1, 1000), default=20, metavar="N", help="without one (default: 20)")
    parser.add_argument(
        "--steady", type=count(1, 10_000), default=200, metavar="N", help="series of them (default: 200)"
    )
    parser.add_argument("--seed", type=count(0), default=1, metavar="N", help="default: 1")
    parser.add_argument("--json", action="store_true", help="one JSON object on stdout")


def run(options: argparse.Namespace) -> None:
    """Simulate; print the figures."""
    progress = Progress(shown=True)
    rows: list[dict[str, Any]] = []
    for height, within in ((0.10, 2), (0.04, 10)):
        for first, when in ((None, "at any night of a year"), (BASELINE, "right after the baseline")):
            found = stepped(options.series, height, within, options.seed, first, progress)
            low, high = interval(found["caught"], options.series)
            rows.append({"step": height, "within": within, "when": when, "interval": [low, high], **found})
    calm = steady(options.steady, options.years, options.seed, progress)
    if options.json:
        log(dumps({"steps": rows, "steady": calm}, "the simulation"))
        return
    for row in rows:
        progress.log(
            f"a step of {row['step']:.0%} {row['when']}: {row['caught']:.1%} of {options.series} series alarm within "
            f"{row['within']} nights [{row['interval'][0]:.1%}, {row['interval'][1]:.1%}], {row['again']} of them twice"
        )
    progress.log(
        f"{options.steady} steady series, {options.years} years: {calm['alarms']} false alarms, {calm['a_year']:.2f} a "
        f"year in all; NOISY {calm['noisy']:.2%} of the nights, measured again {calm['again']:.1%}"
    )
