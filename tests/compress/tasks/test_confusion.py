"""Confusion matrices and figures of each class."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from compress.tasks.confusion import COLUMNS, ROWS, confusion, lines, markdown, of_classes
from tests.compress.tasks.test_classification import RECIPE, data_set, scores

TRUTH = np.array([0, 0, 0, 0, 1, 1, 2, 2, 2, 2])
DECIDED = np.array([0, 0, 0, 1, 1, 1, 1, 2, 2, 0])
MATRIX = [[3, 1, 0], [0, 2, 0], [1, 1, 2]]


def test_rows_are_the_truth_and_columns_the_decisions() -> None:
    assert confusion(TRUTH, DECIDED, 3).tolist() == MATRIX


def test_each_class_has_its_metrics() -> None:
    rows = of_classes("abc", np.array(MATRIX))
    assert [(row["label"], row["images"]) for row in rows] == [("a", 4), ("b", 2), ("c", 4)]
    assert [row["sensitivity"]["value"] for row in rows] == [0.75, 1, 0.5]
    assert [row["precision"]["value"] for row in rows] == [0.75, 0.5, 1]


def test_a_class_without_images_and_one_that_is_never_decided_for_have_none() -> None:
    rows = of_classes("abc", np.array([[2, 1, 0], [1, 5, 0], [0, 0, 0]]))
    nothing = {"value": None, "low": None, "high": None}
    assert rows[2] == {"label": "c", "images": 0, "sensitivity": nothing, "precision": nothing}
    assert "-" in lines("abc", [[2, 1, 0], [1, 5, 0], [0, 0, 0]], rows)[-1]


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_intervals_are_those_of_resampled_images(seed: int) -> None:
    """Against resampling the images one by one."""
    random = np.random.default_rng(seed)
    truth = random.integers(0, 3, 150)
    decided = np.where(random.random(150) < 0.7, truth, random.integers(0, 3, 150))
    found = of_classes("abc", confusion(truth, decided, 3))
    drawn = random.integers(0, 150, (1500, 150))
    for label, row in enumerate(found):
        of_it = truth[drawn] == label
        shares = ((decided[drawn] == label) & of_it).sum(1) / of_it.sum(1)
        figure = row["sensitivity"]
        assert (figure["low"], figure["high"]) == pytest.approx(np.percentile(shares, [2.5, 97.5]), abs=0.04)
        assert figure["low"] <= figure["value"] <= figure["high"]


def test_the_report_has_them_for_more_than_two_classes() -> None:
    data = data_set(60)
    wrong = data.test.truth.copy()
    wrong[:5] = 3
    outputs = {
        name: (scores(data.test.truth), scores(guess))
        for name, guess in (("baseline", data.test.truth), ("float", data.test.truth), ("int8", wrong))
    }
    report = data.task.metrics(RECIPE, data, outputs)
    assert report["confusion"]["baseline"] == (12 * np.eye(5, dtype=int)).tolist()
    assert report["confusion"]["int8"][0] == [11, 0, 0, 1, 0]
    assert sum(map(sum, report["confusion"]["int8"])) == 60
    assert [row["label"] for row in report["classes"]["int8"]] == list("abcde")
    assert report["classes"]["int8"][0]["sensitivity"]["value"] == pytest.approx(11 / 12)


def test_columns_end_under_their_titles() -> None:
    labels = ["cat", "a very long name of a dog", "ox"]
    said = lines(labels, MATRIX, of_classes(labels, np.array(MATRIX)))
    names, *rows = said[1:5]
    for label in labels:
        end = names.index(label) + len(label)
        assert all(row[end - 1].isdigit() and row[end : end + 1] in ("", " ") for row in rows)
    assert len({len(text) for text in [names, *rows]}) == 1
    assert len({len(text) for text in said[6:]}) == 1


def test_of_many_classes_the_worst_are_printed_and_all_are_in_the_card() -> None:
    count = COLUMNS + 8
    labels = [f"kind {n}" for n in range(count)]
    matrix = np.diag(np.arange(1, count + 1)) + np.eye(count, k=1, dtype=int)
    rows = of_classes(labels, matrix)
    said = lines(labels, matrix.tolist(), rows)
    assert [text.split()[1] for text in said[1 : 1 + ROWS]] == [str(n) for n in range(ROWS)]
    assert said[-1].startswith(f"the {ROWS} of {count} classes with the lowest sensitivity")
    card = markdown(labels, matrix.tolist(), rows)
    assert sum(text.startswith("| kind") for text in card) == 2 * count


def test_a_label_does_not_break_a_cards_table() -> None:
    labels = ["a|b", "c", "d"]
    card = markdown(labels, MATRIX, of_classes(labels, np.array(MATRIX)))
    assert {text.replace("\\|", "").count("|") for text in card if text.startswith(("| a", "| c", "| d"))} == {5}
