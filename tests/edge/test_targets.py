"""Targets beside measurements."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from edge.manifest import parse
from edge.targets import compare, here
from tests.edge import packing

numbers = st.floats(-1e6, 1e6)


def manifest(targets, measured):
    return parse(packing.manifest(b"x", targets=targets, measured=measured), "m")


def test_every_row_in_the_manifests_order():
    rows = compare(parse(packing.manifest(b"x"), "m"), here([5.0], 9.0, 60.0))
    assert [(row["name"], row["measured"], row["met"], row["basis"]) for row in rows] == [
        ("parameters", 816, True, "host"),
        ("accuracy", 0.8, False, "host"),
        ("auc", None, None, "host"),
        ("latency_ms", 5.0, True, "warm median"),
        ("memory_mb", 60.0, False, "peak"),
    ]


@given(numbers, numbers, st.sampled_from(["lower", "higher"]))
def test_met_is_the_comparison(target, measured, better):
    target_row = {"name": "x", "target": target, "better": better, "source": "s"}
    row = compare(manifest([target_row], {"x": measured}), {})[0]
    assert row["met"] == (measured <= target if better == "lower" else measured >= target)


def test_a_target_that_is_just_reached_is_met():
    for better in ("lower", "higher"):
        row = {"name": "x", "target": 3, "better": better, "source": "s"}
        assert compare(manifest([row], {"x": 3}), {})[0]["met"]


def test_the_devices_own_measurement_counts_and_never_the_hosts():
    row = {"name": "latency_ms", "target": 3, "better": "lower", "source": "s"}
    both = manifest([row], {"latency_ms": 1})
    assert compare(both, here([9.0], 1.0, None))[0]["met"] is False
    assert compare(both, here([], None, None))[0]["met"] is None


def test_a_latency_is_judged_on_the_warm_median_and_on_the_first_invoke_where_that_is_all():
    assert here([3.0, 1.0, 9.0, 2.0], 50.0, 7.0) == {"latency_ms": (2.5, "warm median"), "memory_mb": (7.0, "peak")}
    assert here([], 50.0, None) == {"latency_ms": (50.0, "first invoke"), "memory_mb": (None, "peak")}
