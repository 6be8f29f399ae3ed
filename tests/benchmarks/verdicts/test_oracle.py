"""Steps of the page, by another method: Apache Otava, whose E-divisive means share nothing with our least squares."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import numpy as np
import pytest

from benchmarks import environment
from benchmarks.measurement import Sample
from benchmarks.verdicts.steps import levels, steps
from tests.edge.processes import ROOT

# Without what it reads and sends (BigQuery, Slack, PostgreSQL): its analysis alone.
REQUIREMENTS = ("--no-deps", "apache-otava==0.8.0", "numpy==2.2.0", "scipy==1.16.3")
# Window, p value and least relative height; the first two are its own.
ORACLE = """
import json, sys
from otava.analysis import compute_change_points
found = [compute_change_points(series, 50, 0.001, 0.03)[0] for series in json.load(sys.stdin)]
print(json.dumps([[int(point.index) for point in points] for points in found]))
"""
NIGHTS, APART = 120, 15


def history(random: np.random.Generator, steps: list[int]) -> list[Sample]:
    """Return nights with noise of 1 %, a drift that the canary shares, and steps of 5 to 15 % either way."""
    level = np.zeros(NIGHTS)
    for begin in steps:
        level[begin:] += random.choice([-1, 1]) * random.uniform(0.05, 0.15)
    drift = np.cumsum(random.normal(0, 0.002, NIGHTS))
    own = np.exp((level + drift)[:, None] + random.normal(0, 0.01, (NIGHTS, 3)))
    canary = np.exp(drift[:, None] + random.normal(0, 0.005, (NIGHTS, 12)))
    return [
        Sample(f"{night:04}", own[night].tolist(), [], canary[night, :6].tolist(), canary[night, 6:].tolist())
        for night in range(NIGHTS)
    ]


@pytest.mark.network
@pytest.mark.timeout(600)
def test_steps_are_those_of_otava() -> None:
    python: Path = environment.ready("otava", REQUIREMENTS, folder=ROOT / environment.FOLDER) / "bin/python"
    random = np.random.default_rng(1)
    places = np.arange(APART, NIGHTS - APART + 1, APART)
    made = [sorted(random.choice(places, count, replace=False).tolist()) for count in [0] * 6 + [1, 2, 3] * 6]
    series = [history(random, begins) for begins in made]
    asked = json.dumps([np.exp(levels(samples)).tolist() for samples in series])
    done = subprocess.run([python, "-I", "-c", ORACLE], input=asked, stdout=subprocess.PIPE, text=True, check=True)
    assert [steps(samples) for samples in series] == json.loads(done.stdout) == made
