"""Time and memory."""

from __future__ import annotations

import math
import mmap
import statistics

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from edge import meter


@given(st.lists(st.floats(0, 1e6), min_size=1, max_size=9))
def test_median(values):
    assert math.isclose(meter.median(values), statistics.median(values), rel_tol=1e-12)


@given(st.lists(st.floats(0, 1e6), min_size=1, max_size=30), st.sampled_from([0, 0.5, 0.9, 0.99, 1]))
def test_percentiles_are_numpys_usual_ones(values, share):
    assert math.isclose(meter.percentile(values, share), np.quantile(values, share), rel_tol=1e-9, abs_tol=1e-9)


def test_laps_follow_each_other():
    watch = meter.Stopwatch()
    assert watch.lap("a") >= 0
    watch.lap("b")
    assert list(watch.laps) == ["a", "b"] and all(lap >= 0 for lap in watch.laps.values())


def test_memory_that_is_held_is_seen():
    before = meter.now_mb()
    held = mmap.mmap(-1, 50_000_000)  # from the kernel: an allocator may still hold as much from earlier
    held.write(b"x" * len(held))
    grown = meter.growth_mb(before)
    assert grown is not None and 25 < grown < 150  # the rest of the process grows and shrinks meanwhile
    peak = meter.peak_mb()
    assert peak is not None and peak >= len(held) / 1e6


def test_systems_that_tell_less(tmp_path):
    status = tmp_path / "status"
    status.write_text("Name:\tx\nVmHWM:\t   1000 kB\n")
    assert meter.peak_mb(status) == 1.024
    assert meter.now_mb(tmp_path / "none") is None and meter.growth_mb(None) is None
    fallback = meter.peak_mb(tmp_path / "none")
    assert fallback is not None and fallback > 1
