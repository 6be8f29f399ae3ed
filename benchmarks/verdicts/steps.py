"""Where a cell's level changed, over its whole history: for the page, which marks it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import median

import numpy as np

from benchmarks.measurement import Sample

_LEAST = 3  # nights of a level
_OUTLIER = 4.0  # noises from the median of a night's neighbours
_PENALTY = 6.0  # times the variance of a night and the logarithm of their number; 2 would be BIC's


def levels(samples: Sequence[Sample]) -> np.ndarray:
    """Return the logarithm of each night's time, the canary's taken off; NaN where nothing was measured."""
    found = np.full(len(samples), np.nan)
    for index, sample in enumerate(samples):
        if sample.p50_ms:
            canary = [*sample.canary_before, *sample.canary_after]
            found[index] = math.log(median(sample.p50_ms)) - (math.log(median(canary)) if canary else 0.0)
    return found


def _clipped(values: np.ndarray) -> np.ndarray:
    """Return the values, those that lie alone moved to the edge of what their neighbours allow.

    A value's neighbours are it and up to two on either side; the edge is their median and _OUTLIER times the noise of
    neighbouring differences. A single night can't be a level then, however high it is.
    """
    noise = max(float(np.median(np.abs(np.diff(values)))) * 1.4826 / math.sqrt(2), 1e-3)
    middle = np.array([median(values[max(0, at - 2) : at + 3].tolist()) for at in range(len(values))])
    return np.clip(values, middle - _OUTLIER * noise, middle + _OUTLIER * noise)


def steps(series: Sequence[Sample]) -> list[int]:
    """Return the indices of the nights with which a new level begins.

    Least squares with a penalty for each step (ruptures' linear kernel, Celisse et al. 2018, JMLR 19(26)); the noise is
    that of neighbouring nights' differences, which steps and drift hardly touch.
    """
    import ruptures

    found = levels(series)
    there = np.flatnonzero(np.isfinite(found))
    if len(there) < 2 * _LEAST:
        return []
    values = _clipped(found[there])
    spread = float(np.median(np.abs(np.diff(values)))) * 1.4826 / np.sqrt(2)
    penalty = _PENALTY * max(spread, 1e-3) ** 2 * np.log(len(values))
    ends = ruptures.KernelCPD(kernel="linear", min_size=_LEAST).fit(values[:, None]).predict(pen=penalty)
    return [int(there[end]) for end in ends[:-1]]
