"""Metrics: accuracy, AUC, sensitivity, specificity; Dice, IoU; with bootstrap intervals."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from edge.scores import softmax


def binary_auc(scores: np.ndarray, positive: np.ndarray) -> float:
    """Area under the ROC curve, ties counted half (Mann-Whitney's U over n1 * n0); nan with one class only."""
    _, inverse, counts = np.unique(scores, return_inverse=True, return_counts=True)
    middle = np.cumsum(counts) - (counts - 1) / 2  # mean rank of each value
    ones, zeros = int(positive.sum()), int((~positive).sum())
    if not ones or not zeros:
        return float("nan")
    return float((middle[inverse][positive].sum() - ones * (ones + 1) / 2) / (ones * zeros))


def auc(logits: np.ndarray, labels: np.ndarray) -> float:
    """AUC of the last class against the rest for two classes; the mean over classes present for more."""
    scores = softmax(logits)
    chosen = [1] if scores.shape[1] == 2 else range(scores.shape[1])
    areas = [area for c in chosen if (area := binary_auc(scores[:, c], labels == c)) == area]
    return float(np.mean(areas)) if areas else float("nan")


def bootstrap(
    statistic: Callable[[np.ndarray], float], size: int, draws: int = 2000, seed: int = 0
) -> tuple[float, float]:
    """Return the 95 % percentile interval of `statistic(indices)` over `draws` resamples of range(size)."""
    random = np.random.default_rng(seed)
    values = [statistic(random.integers(0, size, size)) for _ in range(draws)]
    low, high = np.nanpercentile(values, [2.5, 97.5])
    return float(low), float(high)


def threshold(scores: np.ndarray, positive: np.ndarray) -> float:
    """Return the threshold on `scores` (0..1) with the highest balanced accuracy (Youden's J).

    `score >= threshold` is positive. Candidates lie halfway between neighbouring scores, in logits, so that the choice
    does not hug one image; of equally good ones the middle is taken.
    """
    values = np.unique(np.clip(scores, 1e-7, 1 - 1e-7))
    if len(values) < 2:
        return 0.5
    line = np.log(values / (1 - values))
    candidates = 1 / (1 + np.exp(-(line[1:] + line[:-1]) / 2))
    sensitivity = np.array([(scores[positive] >= t).mean() for t in candidates])
    specificity = np.array([(scores[~positive] < t).mean() for t in candidates])
    quality = sensitivity + specificity
    best = np.flatnonzero(quality >= quality.max() - 1e-12)
    return float(candidates[best[len(best) // 2]])


def summary(
    decisions: np.ndarray, logits: np.ndarray, labels: np.ndarray, positive: int | None
) -> dict[str, dict[str, float | None]]:
    """Return {name: {"value", "low", "high"}} of accuracy, AUC and, with a positive label, sensitivity and specificity.

    Args:
        decisions: int (N,), the label decided for. logits: (N, classes). labels: int (N,).
        positive: index of the positive label.
    """
    right = decisions == labels
    scores = softmax(logits)
    statistics: dict[str, Callable[[np.ndarray], float]] = {
        "accuracy": lambda i: float(right[i].mean()),
        "auc": lambda i: (
            binary_auc(scores[i, positive], labels[i] == positive)
            if positive is not None
            else auc(logits[i], labels[i])
        ),
    }
    if positive is not None:
        ill = labels == positive
        statistics["sensitivity"] = lambda i: _share(right[i][ill[i]])
        statistics["specificity"] = lambda i: _share(right[i][~ill[i]])
    everything = np.arange(len(labels))
    rows: dict[str, dict[str, float | None]] = {}
    for name, statistic in statistics.items():
        value = statistic(everything)
        low, high = bootstrap(statistic, len(labels)) if value == value else (value, value)
        rows[name] = {key: x if x == x else None for key, x in (("value", value), ("low", low), ("high", high))}
    return rows


def dices(found: Sequence[np.ndarray], truth: Sequence[np.ndarray]) -> np.ndarray:
    """Return each image's Dice, 2 |A and B| / (|A| + |B|), of bool masks; 1 where both are empty."""
    return np.array(
        [
            _ratio(2 * np.count_nonzero(a & b), np.count_nonzero(a) + np.count_nonzero(b))
            for a, b in zip(found, truth, strict=True)
        ]
    )


def unions(found: Sequence[np.ndarray], truth: Sequence[np.ndarray]) -> np.ndarray:
    """Return each image's intersection over union of bool masks; 1 where both are empty."""
    return np.array(
        [_ratio(np.count_nonzero(a & b), np.count_nonzero(a | b)) for a, b in zip(found, truth, strict=True)]
    )


def mean_metric(values: np.ndarray) -> dict[str, float | None]:
    """Return {"value", "low", "high"} of the mean of `values`."""
    low, high = bootstrap(lambda i: float(values[i].mean()), len(values))
    return {"value": float(values.mean()), "low": low, "high": high}


def cell(metric: dict[str, float | None]) -> str:
    """Return one of `summary`'s metrics as text: value and interval."""
    if metric["value"] is None:
        return "-"
    return f"{metric['value']:.3f} [{metric['low']:.3f}, {metric['high']:.3f}]"


def _ratio(part: int, whole: int) -> float:
    return part / whole if whole else 1.0


def _share(values: np.ndarray) -> float:
    return float(values.mean()) if len(values) else float("nan")


def cosine(a: np.ndarray, b: np.ndarray) -> float:
    """Return the cosine between two arrays, taken as one vector each."""
    a, b = np.ravel(a).astype(np.float64), np.ravel(b).astype(np.float64)
    return float(a @ b / (np.linalg.norm(a) * np.linalg.norm(b) + 1e-30))


def centred(logits: np.ndarray) -> np.ndarray:
    """Return what logits say of the images, float64 of the same shape: without what they would say of any image.

    From (N, classes) each image's mean is taken, which no score depends on, and then each class's mean over the images.
    From maps (N, h, w, channels) each channel's mean over all pixels of all images is taken: on thin lesions that mean
    is nearly all of the logits' length, and a network that answers it everywhere would pass for the trained one.
    """
    values = logits.astype(np.float64)
    if values.ndim == 2:
        values -= values.mean(1, keepdims=True)
        return values - values.mean(0)
    return values - values.mean((0, 1, 2))


def centred_cosine(a: np.ndarray, b: np.ndarray) -> float:
    """Return the cosine between two networks' `centred` logits of the same images."""
    return cosine(centred(a), centred(b))
