from __future__ import annotations

import dataclasses
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from compress.cost import Cost
from compress.pruning.settings import Pruning
from compress.recipe_parser import parse
from compress.steps.prune import ChannelPruning
from edge.errors import EdgeError


def recipe(**step: Any) -> dict[str, Any]:
    return {
        "name": "own",
        "title": "A recipe",
        "network": "own_network:build",
        "input": {"height": 48, "width": 48, "color": "rgb", "mean": [0.5], "std": [0.25]},
        "steps": [{"kind": "prune", **step}],
    }


def test_a_recipe_can_ask_for_a_share_of_the_cost() -> None:
    fields = {
        "criterion": "taylor-sq",
        "macs": 0.6,
        "parameters": 0.5,
        "round_to": 4,
        "layers": ["down*", "up*"],
        "steps": 5,
        "gradient": "random",
        "normalize": False,
        "samples": 128,
        "seed": 7,
    }
    (step,) = parse(recipe(**fields), "here").steps
    assert step == ChannelPruning(**fields | {"layers": ("down*", "up*")})


def test_every_setting_has_a_default() -> None:
    assert all(
        field.default is not dataclasses.MISSING or field.default_factory is not dataclasses.MISSING
        for field in dataclasses.fields(Pruning)
    )


@pytest.mark.parametrize(
    ("step", "message"),
    [
        ({"macs": 0.5, "ratios": {"a": 0.5}}, r"steps\[1\]\.ratios is .*either ratios, or macs and parameters"),
        ({"macs": 1.5}, r"steps\[1\]\.macs is 1\.5: expected a share from 0 to below 1"),
        ({"macs": 0.5, "samples": 0}, r"steps\[1\]\.samples is 0: expected 1 or more"),
        ({"macs": 0.5, "gradient": "x"}, r"steps\[1\]\.gradient is 'x': expected one of loss, random"),
        ({"ratios": {"a": 0.5}, "overall": True}, r"steps\[1\]\.overall is True: expected macs or parameters with it"),
        ({}, r"steps\[1\]\.ratios is \{\}: expected layer patterns"),
    ],
)
def test_a_recipe_s_mistakes_are_placed(step: dict[str, Any], message: str) -> None:
    with pytest.raises(EdgeError, match=f"here: {message}"):
        parse(recipe(**step), "here")


@given(st.floats(0.1, 0.95), st.floats(0.1, 0.95), st.integers(10, 10**9), st.integers(10, 10**9))
def test_overall_shares_are_of_the_whole(macs: float, parameters: float, now: int, less: int) -> None:
    whole, left = Cost(10**9, 2 * 10**9), Cost(now, 2 * less)
    step = Pruning(macs=macs, parameters=parameters, steps=3, overall=True).of_what_is_left(whole, left)
    assert (step.steps, step.overall) == (3, False)
    for share, asked, before, after in (
        (step.macs, macs, whole.macs, left.macs),
        (step.parameters, parameters, whole.parameters, left.parameters),
    ):
        if after <= (1 - asked) * before:
            assert share == pytest.approx(0, abs=1e-9)
        else:
            assert (1 - share) * after == pytest.approx((1 - asked) * before)


def test_what_was_not_asked_for_stays_so() -> None:
    assert Pruning(macs=0.5, overall=True).of_what_is_left(Cost(10, 10), Cost(8, 8)) == Pruning(macs=0.375)
    assert Pruning(macs=0.5).of_what_is_left(Cost(10, 10), Cost(8, 8)) == Pruning(macs=0.5)
    assert not Pruning(macs=0.5, overall=True).of_what_is_left(Cost(10, 10), Cost(5, 5)).shares


def test_a_ledger_says_what_was_asked_for() -> None:
    assert Pruning({"a": 0.6, "b": 0.9}).detail == "bn-scale, 60% to 90%"
    assert Pruning({"a": 0.6}).detail == "bn-scale, 60%"
    assert Pruning(macs=0.6, overall=True).detail == "bn-scale, -60% MACs overall"
    both = Pruning(criterion="taylor", macs=0.6, parameters=0.5)
    assert both.detail == "taylor, -60% MACs, -50% params"
    assert both.needs_images and not Pruning({"a": 0.6}).needs_images
