"""What changed in a recipe is named, value by value."""

from __future__ import annotations

import copy
import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from compress.pruning.settings import Pruning
from compress.recipe_parser import load
from compress.state import record
from compress.steps.registry import kind_of
from compress.steps.step import settings
from edge.errors import EdgeError

NOW: dict[str, Any] = {
    "name": "own",
    "network": "own_network:build",
    "weights": None,
    "seed": 1,
    "input": {"height": 48, "mean": (0.5,)},
    "data": "0a" * 32,
    "steps": [
        {"kind": "train", "epochs": 3, "augment": {"flip": True}},
        {"kind": "prune", "ratios": [("stem*", 0.5)]},
    ],
}


def said(change: Any) -> str:
    """What is said when `change` has been made to the recipe."""
    after = copy.deepcopy(NOW)
    change(after)
    return ", ".join(record.differences(NOW, after))


CHANGES = {
    "seed was 1 and is 2": lambda r: r.update(seed=2),
    "network was 'own_network:build' and is 'other:build'": lambda r: r.update(network="other:build"),
    "input.height was 48 and is 64": lambda r: r["input"].update(height=64),
    "weights was not set and is 'ff'": lambda r: r.update(weights="ff"),
    "steps[1].epochs was 3 and is 4": lambda r: r["steps"][0].update(epochs=4),
    "steps[1].lr was not set and is 0.1": lambda r: r["steps"][0].update(lr=0.1),
    "steps[1].augment.flip was True and is not set": lambda r: r["steps"][0]["augment"].clear(),
    "steps[2].ratios.stem* was 0.5 and is 0.25": lambda r: r["steps"][1].update(ratios=[("stem*", 0.25)]),
    "steps[2] was 'prune' and is 'ghost'": lambda r: r["steps"].__setitem__(1, {"kind": "ghost"}),
    "steps[2] was 'prune' and is not set": lambda r: r["steps"].pop(),
    "steps[3] was not set and is 'fold-grey'": lambda r: r["steps"].append({"kind": "fold-grey"}),
    f"data was '{'0a' * 28}... and is 'ff'": lambda r: r.update(data="ff"),
    "seed was 1 and is 3, steps[1].epochs was 3 and is 9": lambda r: (r.update(seed=3), r["steps"][0].update(epochs=9)),
}


@pytest.mark.parametrize("words", CHANGES)
def test_what_changed_is_named(words: str) -> None:
    assert said(CHANGES[words]) == words


def test_the_same_recipe_is_let_through_and_another_is_not(tmp_path: Path) -> None:
    path = tmp_path / "out/checkpoints/own.recipe.json"
    record.check(path, NOW)  # a new folder
    record.write(path, NOW)
    record.check(path, NOW)
    changed = NOW | {"seed": 2, "network": "a:b", "data": "x", "steps": []}
    with pytest.raises(EdgeError) as caught:
        record.check(path, changed)
    assert str(caught.value) == (
        f"the recipe 'own' has changed since {tmp_path / 'out'} was begun (network was 'own_network:build' and is "
        f"'a:b', seed was 1 and is 2, data was '{'0a' * 28}... and is 'x' and 2 more): expected the same; give "
        "--changed to repeat what the change concerns, or another --output"
    )
    path.write_text("{")
    record.check(path, changed)  # nothing to compare with


scalars = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5)


@given(st.dictionaries(st.text(max_size=5), scalars | st.dictionaries(st.text(max_size=5), scalars), max_size=5))
def test_nothing_is_said_of_equals(table: dict[str, Any]) -> None:
    assert not list(record.differences(table, copy.deepcopy(table)))


def test_the_order_of_patterns_is_a_change() -> None:
    before, after = (
        {"steps": [{"kind": "prune", **settings(Pruning(ratios=dict(patterns)))}]}
        for patterns in ([("a*", 0.4), ("*", 0.2)], [("*", 0.2), ("a*", 0.4)])
    )
    assert json.dumps(before, sort_keys=True) != json.dumps(after, sort_keys=True)
    (change,) = record.differences(before, after)
    assert change == "steps[1].ratios, in order, was ['a*', '*'] and is ['*', 'a*']"


@pytest.mark.parametrize("name", ["polyp", "pneumonia"])
def test_every_change_of_a_shipped_recipes_numbers_is_named(name: str) -> None:
    def rows(steps: tuple[Any, ...]) -> dict[str, Any]:
        return {"steps": [{"kind": kind_of(step), **settings(step)} for step in steps]}

    steps = load(name).steps
    for number, step in enumerate(steps):
        for field in dataclasses.fields(step):
            value = getattr(step, field.name)
            if isinstance(value, (int, float)) and not isinstance(value, bool):
                other = dataclasses.replace(step, **{field.name: value + 1})
                found = list(record.differences(rows(steps), rows((*steps[:number], other, *steps[number + 1 :]))))
                assert len(found) == 1 and found[0].startswith(f"steps[{number + 1}].{field.name} was ")
