"""Simulated histories: fewer of them than `edge-bench simulate` has, and bounds that these can't pass by chance."""

from __future__ import annotations

import json

import pytest

from benchmarks import cli
from benchmarks.verdicts.detector import BASELINE
from benchmarks.verdicts.simulation import interval, steady, stepped


def test_a_step_of_ten_percent_alarms_within_two_nights() -> None:
    found = stepped(200, 0.10, 2, seed=11, first=60)
    assert found["caught"] >= 0.95 and found["early"] <= 1


def test_a_step_of_four_percent_alarms_within_ten_nights() -> None:
    assert stepped(200, 0.04, 10, seed=12, first=60)["caught"] >= 0.95


def test_a_step_is_one_alarm() -> None:
    """The first alarm is not on the step's first night, from which nights of the old level would be kept as new."""
    assert stepped(1000, 0.10, 6, seed=15, first=BASELINE)["again"] <= 6


def test_an_improvement_is_no_regression() -> None:
    assert stepped(20, -0.10, 2, seed=13, first=60)["caught"] == 0


def test_steady_nights_are_neither_alarms_nor_noisy() -> None:
    """A year of 100 series: 0.2 alarms are expected, and three would be one year in a thousand."""
    found = steady(100, 1, seed=14)
    assert found["alarms"] <= 2
    assert found["noisy"] <= 0.02
    assert 0.02 <= found["again"] <= 0.2


def test_wilsons_interval() -> None:
    low, high = interval(0.5, 100)
    assert (low, high) == pytest.approx((0.4038, 0.5962), abs=1e-4)
    low, high = interval(1.0, 100)
    assert low == pytest.approx(0.9630, abs=1e-4) and high == pytest.approx(1.0)


def test_the_command_prints_what_it_found(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["simulate", "--series", "10", "--years", "1", "--steady", "3", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert [(row["step"], row["within"]) for row in found["steps"]] == [(0.1, 2), (0.1, 2), (0.04, 10), (0.04, 10)]
    assert found["steady"]["alarms"] >= 0
