"""From a network's outputs to scores and a decision."""

from __future__ import annotations

from typing import TypedDict

import numpy as np

from edge.errors import EdgeError
from edge.manifest import Decision

SLACK = 0.01  # how far beyond 0..1 an output may lie that is a score: rounding, and a quantization range beside it


class Result(TypedDict):
    """One label and its score (0..1); those of a softmax add up to 1."""

    label: str
    score: float


def softmax(logits: np.ndarray) -> np.ndarray:
    """Return float64 scores s_i = exp(z_i) / sum_j exp(z_j) for `logits` z of shape (..., classes)."""
    exponentials = np.exp(logits.astype(np.float64) - logits.max(axis=-1, keepdims=True))
    return exponentials / exponentials.sum(axis=-1, keepdims=True)


def scores(outputs: np.ndarray, usual: str) -> np.ndarray:
    """Return `outputs` that are scores already (activation "none"), of any shape, clipped to 0..1.

    Args:
        usual: the activation that the manifest should name if these are logits, for the message.

    Raises EdgeError (model.output) where a value lies more than `SLACK` outside of 0..1, so is no score.
    """
    wrong = outputs[(outputs < -SLACK) | (outputs > 1 + SLACK)]
    if wrong.size:
        raise EdgeError(
            f"the network's output holds {float(wrong[0]):g}, which is no score: expected values from 0 to 1, as the "
            f'manifest\'s activation is "none"; if these are logits, say "{usual}" there and pack the model again',
            "model.output",
        )
    return np.clip(outputs, 0, 1)


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
