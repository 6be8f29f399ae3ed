"""Which class is taken for which: the confusion matrix, and each class's metrics, where there are more than two."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from compress.tasks.metrics import cell

DRAWS = 2000
COLUMNS, ROWS = 12, 10  # classes of a printed matrix, and of a printed list: the worst ones


def confusion(truth: np.ndarray, decided: np.ndarray, classes: int) -> np.ndarray:
    """Return int64 (classes, classes): how many images of class [row] were decided to be of class [column]."""
    return np.bincount(truth * classes + decided, minlength=classes**2).reshape(classes, classes)


def of_classes(labels: Sequence[str], matrix: np.ndarray) -> list[dict[str, Any]]:
    """Return {"label", "images", "sensitivity", "precision"} of each class.

    Sensitivity (recall) is the share of the class's images that were decided to be of it, precision the share of the
    images decided to be of it that are; both {"value", "low", "high"}, with the 95 % percentile interval of 2000
    bootstrap resamples of the images, and None where there is no such image.
    """
    rows, columns = matrix.nonzero()
    counts = matrix[rows, columns]
    size, classes = int(counts.sum()), len(labels)
    random = np.random.default_rng(0)
    shares = np.empty((2, DRAWS, classes))
    for draw in range(DRAWS):  # the cells of a resample's matrix: no image need be drawn by itself
        drawn = np.zeros_like(matrix)
        drawn[rows, columns] = random.multinomial(size, counts / size)
        shares[:, draw] = _shares(drawn)
    values = _shares(matrix)
    return [
        {"label": label, "images": int(matrix[i].sum())}
        | {name: _metric(values[n, i], shares[n, :, i]) for n, name in enumerate(("sensitivity", "precision"))}
        for i, label in enumerate(labels)
    ]


def _shares(matrix: np.ndarray) -> np.ndarray:
    right = np.diagonal(matrix)
    with np.errstate(invalid="ignore"):  # 0 / 0: nothing to take a share of
        return np.stack([right / matrix.sum(1), right / matrix.sum(0)])


def _metric(value: float, drawn: np.ndarray) -> dict[str, float | None]:
    if np.isnan(value):
        return dict.fromkeys(("value", "low", "high"))
    low, high = np.nanpercentile(drawn, [2.5, 97.5])
    return {"value": float(value), "low": float(low), "high": float(high)}


def lines(labels: Sequence[str], matrix: Sequence[Sequence[int]], classes: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return the matrix and the classes' metrics for a terminal, columns aligned.

    Of many classes the matrix is left to the report, and those with the lowest sensitivity are named.
    """
    left = max(12, *(len(label) for label in labels))
    rows = []
    if len(labels) <= COLUMNS:
        width = 2 + max(*(len(label) for label in labels), *(len(str(count)) for row in matrix for count in row))
        rows += ["int8, images of each class (row) by what was decided (column)"]
        rows += [" " * left + "".join(f"{label:>{width}}" for label in labels)]
        rows += [
            f"{label:<{left}}" + "".join(f"{n:>{width}}" for n in row)
            for label, row in zip(labels, matrix, strict=True)
        ]
        rows += [""]
    rows += [f"{'int8, class':<{left}}{'images':>10}{'sensitivity':>26}{'precision':>26}"]
    known = [row for row in classes if row["sensitivity"]["value"] is not None]
    worst = sorted(known, key=lambda row: row["sensitivity"]["value"])
    shown = classes if len(classes) <= COLUMNS else worst[:ROWS]
    rows += [
        f"{row['label']:<{left}}{row['images']:>10,}{cell(row['sensitivity']):>26}{cell(row['precision']):>26}"
        for row in shown
    ]
    if len(shown) < len(classes):
        which = f"the {len(shown)} of {len(classes)} classes with the lowest sensitivity"
        rows += [f"{which}; all, and the matrix, are in the report"]
    return rows


def markdown(labels: Sequence[str], matrix: Sequence[Sequence[int]], classes: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return the same for a model card: two tables, with every class."""
    names = [label.replace("|", "\\|") for label in labels]
    rows = ["| class | images | sensitivity | precision |", "| --- | --- | --- | --- |"]
    rows += [
        f"| {name} | {row['images']} | {cell(row['sensitivity'])} | {cell(row['precision'])} |"
        for name, row in zip(names, classes, strict=True)
    ]
    rows += ["", "Images of each class (row) by what int8 decided (column):", ""]
    rows += ["| | " + " | ".join(names) + " |", "| --- |" + " --- |" * len(names)]
    return rows + [f"| {name} | {' | '.join(map(str, row))} |" for name, row in zip(names, matrix, strict=True)]
