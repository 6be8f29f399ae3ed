"""How good one tool's networks are at another's latency."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from compress.tasks.metrics import binary_auc, bootstrap

DRAWS = 1000


class Point(NamedTuple):
    """A network as it runs: milliseconds of an invoke, and its score of each test image for the second class."""

    ms: float
    scores: np.ndarray


class Difference(NamedTuple):
    """AUC of a point less that of the other tool at the same latency, and its interval (95 %)."""

    value: float
    low: float
    high: float


def at_latency(ms: Sequence[float], quality: Sequence[float], latency: float) -> float:
    """Return the quality that a tool reaches at a latency; nan where all its networks are slower.

    Its front is of the networks that no other of its own beats in both; between two of them the quality is linear in
    the latency's logarithm, and past the slowest it is the slowest's, which is fast enough there, too.

    Args:
        ms: above 0, of each network. quality: the higher the better.
    """
    front: list[tuple[float, float]] = []
    for time, value in sorted(zip(ms, quality, strict=True), key=lambda pair: (pair[0], -pair[1])):
        if not front or value > front[-1][1]:
            front.append((time, value))
    if latency < front[0][0]:
        return float("nan")
    times, values = zip(*front, strict=True)
    return float(np.interp(np.log(latency), np.log(times), values))


def difference(point: Point, others: Sequence[Point], positive: np.ndarray) -> Difference | None:
    """Return how much better a point is than the others' front at its latency; None where they are all slower.

    The interval is of resampled test images, the same for both sides; the latencies are taken as they are.
    """
    ms = [other.ms for other in others]

    def of(indices: np.ndarray) -> float:
        truth = positive[indices]
        found = [binary_auc(other.scores[indices], truth) for other in others]
        return binary_auc(point.scores[indices], truth) - at_latency(ms, found, point.ms)

    whole = of(np.arange(len(positive)))
    if not np.isfinite(whole):
        return None
    return Difference(whole, *bootstrap(of, len(positive), DRAWS))
