"""The report of a classification with more than two classes."""

from __future__ import annotations

import numpy as np

from compress.data.folder import DataSet, Split
from compress.recipe_parser import parse
from compress.tasks.classification import NAMED, Classification
from edge.preprocess import Preprocessing

RAW = {"name": "own", "title": "A recipe", "network": "a:b", "input": {"height": 8, "width": 8}}
RECIPE = parse(RAW | {"steps": [{"kind": "train", "epochs": 1}]}, "recipe.toml")


def data_set(count: int) -> DataSet:
    labels = np.arange(count) % 5
    split = Split(np.zeros((count, 8, 8, 3), np.uint8), labels, tuple(f"test/{n}" for n in range(count)))
    return DataSet(Classification(), Preprocessing(8, 8), tuple("abcde"), split, split, split, {})


def scores(guesses: np.ndarray) -> np.ndarray:
    return 5 * np.eye(5, dtype=np.float32)[guesses]


def test_many_flips_are_counted_and_the_first_are_named() -> None:
    data = data_set(60)
    truth = data.test.truth
    wrong = (truth + (np.arange(60) < 30)) % 5
    outputs = {kind: (scores(truth), scores(guess)) for kind, guess in (("baseline", truth), ("float", truth))}
    outputs["int8"] = scores(wrong), scores(wrong)
    report = data.task.metrics(RECIPE, data, outputs)
    assert [row["image"] for row in report["flips"]] == [f"test/{n}" for n in range(30)]
    assert report["differences"][0] == "decisions that differ between float and int8: 30"
    assert report["differences"][1] == "test/0 (a): a -> b"
    assert report["differences"][1 + NAMED :] == [f"and {30 - NAMED} more, named in the report"]
    assert report["test"]["int8"]["accuracy"]["value"] == report["validation"] == 0.5
    assert (report["drop"], report["decision"]) == (50.0, None)


def test_few_flips_are_all_named() -> None:
    data = data_set(20)
    guess = data.test.truth.copy()
    guess[7] = (guess[7] + 1) % 5
    outputs = {kind: (scores(data.test.truth), scores(data.test.truth)) for kind in ("baseline", "float")}
    outputs["int8"] = scores(guess), scores(guess)
    differences = data.task.metrics(RECIPE, data, outputs)["differences"]
    assert differences == ["decisions that differ between float and int8: 1", "test/7 (c): c -> d"]
