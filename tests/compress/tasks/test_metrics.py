from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from compress.tasks import metrics

scored = st.lists(st.tuples(st.integers(0, 20), st.booleans()), min_size=2, max_size=40).filter(
    lambda rows: len({ill for _, ill in rows}) == 2
)


@given(scored)
def test_auc_is_the_share_of_pairs_in_the_right_order(rows: list[tuple[int, bool]]) -> None:
    ill = [score for score, positive in rows if positive]
    well = [score for score, positive in rows if not positive]
    pairs = [1.0 if a > b else 0.5 if a == b else 0.0 for a in ill for b in well]
    scores, positive = np.array([row[0] for row in rows]), np.array([row[1] for row in rows])
    assert metrics.binary_auc(scores, positive) == pytest.approx(sum(pairs) / len(pairs))


@given(scored)
def test_no_threshold_beats_the_chosen_one(rows: list[tuple[int, bool]]) -> None:
    scores = (np.array([row[0] for row in rows]) + 0.5) / 22
    positive = np.array([row[1] for row in rows])

    def balanced(t: float) -> float:
        return float((scores[positive] >= t).mean() + (scores[~positive] < t).mean())

    inner = (np.unique(scores)[1:] + np.unique(scores)[:-1]) / 2
    best = max((balanced(t) for t in inner), default=balanced(0.5))
    assert balanced(metrics.threshold(scores, positive)) == pytest.approx(best)


def test_bootstrap_interval_is_near_the_normal_one() -> None:
    values = np.arange(400) < 300
    low, high = metrics.bootstrap(lambda i: float(values[i].mean()), 400)
    half = 1.96 * (0.75 * 0.25 / 400) ** 0.5
    assert low == pytest.approx(0.75 - half, abs=0.01)
    assert high == pytest.approx(0.75 + half, abs=0.01)


def test_summary_counts_by_hand() -> None:
    labels = np.array([0, 0, 0, 1, 1])
    decisions = np.array([0, 0, 1, 1, 0])
    logits = np.array([[1, 0], [2, 0], [0, 1], [0, 3], [0.2, 0]])
    rows = metrics.summary(decisions, logits, labels, positive=1)
    assert rows["accuracy"]["value"] == pytest.approx(3 / 5)
    assert rows["sensitivity"]["value"] == pytest.approx(1 / 2)
    assert rows["specificity"]["value"] == pytest.approx(2 / 3)
    assert rows["auc"]["value"] == pytest.approx(5 / 6)
    assert rows["accuracy"]["low"] <= 3 / 5 <= rows["accuracy"]["high"]


masks = st.tuples(st.integers(1, 5), st.integers(1, 5)).flatmap(
    lambda size: st.lists(
        st.tuples(
            *[st.lists(st.booleans(), min_size=size[0] * size[1], max_size=size[0] * size[1]) for _ in range(2)]
        ).map(lambda pair: tuple(np.array(row).reshape(size) for row in pair)),
        max_size=4,
    )
)


@given(masks)
def test_overlaps_are_those_of_sets_of_pixels(pairs: list[tuple[np.ndarray, np.ndarray]]) -> None:
    found, truth = [a for a, _ in pairs], [b for _, b in pairs]
    sets = [tuple({tuple(place) for place in np.argwhere(mask).tolist()} for mask in pair) for pair in pairs]
    dices = [2 * len(a & b) / (len(a) + len(b)) if a or b else 1 for a, b in sets]
    unions = [len(a & b) / len(a | b) if a or b else 1 for a, b in sets]
    assert metrics.dices(found, truth).tolist() == pytest.approx(dices)
    assert metrics.unions(found, truth).tolist() == pytest.approx(unions)


def test_nothing_found_where_nothing_is_is_right() -> None:
    nothing, something = np.zeros((3, 4), bool), np.ones((3, 4), bool)
    assert metrics.dices([nothing, nothing, something], [nothing, something, nothing]).tolist() == [1, 0, 0]
    assert metrics.unions([nothing, nothing, something], [nothing, something, nothing]).tolist() == [1, 0, 0]


def test_each_image_needs_its_truth() -> None:
    mask = np.ones((2, 2), bool)
    with pytest.raises(ValueError):
        metrics.dices([mask], [mask, mask])
    with pytest.raises(ValueError):
        metrics.unions([mask], [mask, mask])


def test_a_mean_lies_in_its_interval() -> None:
    values = np.random.default_rng(0).normal(0.8, 0.1, 100)
    metric = metrics.mean_metric(values)
    half = 1.96 * values.std() / 10
    assert metric["value"] == pytest.approx(values.mean())
    assert metric["low"] == pytest.approx(values.mean() - half, abs=0.005)
    assert metric["high"] == pytest.approx(values.mean() + half, abs=0.005)
    assert metrics.cell({"value": 0.8, "low": 0.75, "high": 0.8456}) == "0.800 [0.750, 0.846]"


def test_cosine_ignores_scale() -> None:
    a = np.random.default_rng(0).standard_normal((5, 2))
    assert metrics.cosine(a, 3 * a) == pytest.approx(1)
    assert metrics.cosine(a, -a) == pytest.approx(-1)
