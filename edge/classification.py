"""From a network's logits to scores and a decision."""

from __future__ import annotations

from typing import TypedDict

import numpy as np

from edge.manifest import Decision


class Result(TypedDict):
    """One label and its score (0..1); all scores of a picture add up to 1."""

    label: str
    score: float


def softmax(logits: np.ndarray) -> np.ndarray:
    """Return float64 scores s_i = exp(z_i) / sum_j exp(z_j) for `logits` z of shape (..., classes)."""
    exponentials = np.exp(logits.astype(np.float64) - logits.max(axis=-1, keepdims=True))
    return exponentials / exponentials.sum(axis=-1, keepdims=True)


def rank(labels: tuple[str, ...], scores: np.ndarray) -> list[Result]:
    """Return the labels with their `scores` (classes,), the highest first; equal ones in the order of the labels."""
    order = np.argsort(-scores, kind="stable")
    return [{"label": labels[index], "score": float(scores[index])} for index in order]


def decide(ranked: list[Result], decision: Decision | None) -> str:
    """Return the label that is the answer.

    It is `decision.label` where its score is at least the threshold, else the highest of the others; without a rule,
    the highest.
    """
    if decision is None:
        return ranked[0]["label"]
    scores = {result["label"]: result["score"] for result in ranked}
    if scores[decision.label] >= decision.threshold:
        return decision.label
    return next(result["label"] for result in ranked if result["label"] != decision.label)
