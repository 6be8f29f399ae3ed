"""Public data sets, where EDGE_DATA names a folder that has them: divided and read as for the shipped models."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

import edge.model
from compress.data.remarks import remarks
from compress.recipe_parser import load
from compress.tasks.registry import task_named

DATA = Path(os.environ.get("EDGE_DATA", "/nowhere"))


@pytest.mark.data
@pytest.mark.timeout(600)
@pytest.mark.parametrize("name", ["pneumonia", "cpgresnet50"])
def test_chest_xrays_are_the_ones_that_the_models_were_made_of(name: str) -> None:
    folder, recipe = DATA / "chest_xray", load(name)
    if not folder.is_dir():
        pytest.skip("EDGE_DATA names no folder with chest_xray/ in it")
    data = task_named(recipe.task, recipe.origin).load(folder, recipe, lambda text: None)
    made_of = edge.model.read(edge.model.find(name)).manifest.raw["provenance"]["data"]
    assert {key: data.summary[key] for key in ("digest", "counts")} == {
        key: made_of[key] for key in ("digest", "counts")
    }
    reason = recipe.data.group_within_reason
    assert data.summary["independence"] == {
        "group_within": {"patients": 133, "images": 226, "reason": reason},
        "equal_images": {"train": 23, "val": 3, "test": 4},
    }
    assert "warnings" not in data.summary and "left_out" not in data.summary
    assert len(remarks(data.summary)) == 2


@pytest.mark.data
@pytest.mark.timeout(600)
def test_polyps_are_read_without_a_remark() -> None:
    folder, recipe = DATA / "Kvasir-SEG", load("polyp")
    if not folder.is_dir():
        pytest.skip("EDGE_DATA names no folder with Kvasir-SEG/ in it")
    summary = task_named(recipe.task, recipe.origin).load(folder, recipe, lambda text: None).summary
    assert summary["counts"] == {"train": [792], "val": [88], "test": [120]}
    assert not remarks(summary)
