"""Scores and the decision rule."""

from __future__ import annotations

import math

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from edge.answer import Decision
from edge.scores import softmax
from edge.tasks.classification import decide, rank

logits = st.lists(st.floats(-500, 500, width=32), min_size=2, max_size=6)
LABELS = ("a", "b", "c", "d", "e", "f")


@given(logits)
def test_softmax_is_its_definition(values):
    scores = softmax(np.array(values, np.float32))
    total = math.fsum(math.exp(value - max(values)) for value in values)
    for score, value in zip(scores, values, strict=True):
        assert math.isclose(score, math.exp(value - max(values)) / total, rel_tol=1e-9, abs_tol=1e-300)
    assert math.isclose(scores.sum(), 1.0)


@given(logits, st.floats(-100, 100, width=16))
def test_softmax_does_not_see_a_shift(values, shift):
    one = softmax(np.array(values, np.float64))
    assert np.allclose(one, softmax(np.array(values, np.float64) + shift), atol=1e-9)


def test_softmax_of_many_pictures_is_each_ones():
    many = np.array([[1.0, 2.0], [3.0, -1.0]], np.float32)
    assert np.array_equal(softmax(many), np.stack([softmax(row) for row in many]))


@given(st.lists(st.floats(0, 1), min_size=2, max_size=6), st.floats(0, 1), st.data())
def test_the_threshold_rule(scores, threshold, data):
    labels = LABELS[: len(scores)]
    label = data.draw(st.sampled_from(labels))
    ranked = rank(labels, np.array(scores))
    decision = decide(ranked, Decision(label, threshold))
    others = {other: score for other, score in zip(labels, scores, strict=True) if other != label}
    if scores[labels.index(label)] >= threshold:
        assert decision == label
    else:
        assert others[decision] == max(others.values())


@given(st.lists(st.floats(0, 1), min_size=2, max_size=6))
def test_without_a_rule_the_highest_score_decides(scores):
    labels = LABELS[: len(scores)]
    ranked = rank(labels, np.array(scores))
    assert decide(ranked, None) == ranked[0]["label"] == labels[scores.index(max(scores))]
    assert [result["score"] for result in ranked] == sorted(scores, reverse=True)


def test_a_score_at_the_threshold_counts():
    assert decide(rank(("a", "b"), np.array([0.75, 0.25])), Decision("b", 0.25)) == "b"
