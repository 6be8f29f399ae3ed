"""From a network's outputs to scores."""

from __future__ import annotations

import numpy as np

from edge.errors import EdgeError

SLACK = 0.01  # how far beyond 0..1 an output may lie that is a score: rounding, and a quantization range beside it


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
