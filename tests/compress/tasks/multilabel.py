"""A task of one's own for edge-compress, in one file: any number of labels for an image, each by its own threshold.

A recipe names it, `task = "multilabel:Multilabel"`, where this file lies beside it. On the device it is the task
`multilabel` of `edge.tasks`. The data are class folders named by their labels, joined by "+". The tests copy this file
to a folder outside of the repository.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch.nn import functional as F

from compress.data.folder import folder_labels, load_folder
from compress.data.phantom import phantom
from compress.tasks import metrics as measures
from compress.tasks.base import Task


class Multilabel(Task):
    """`truth` is float32 (N, labels): 1 where an image has the label."""

    name = "multilabel"
    activation = "sigmoid"
    drop = "accuracy_drop"

    def labels(self, root: Path, recipe: Any) -> tuple[str, ...]:
        return tuple(sorted({label for folder in folder_labels(root) for label in folder.split("+")}))

    def load(self, root: Path, recipe: Any, progress: Callable[[str], None]) -> Any:
        labels, folders = self.labels(root, recipe), folder_labels(root)
        has = np.array([[label in folder.split("+") for label in labels] for folder in folders], np.float32)
        data = load_folder(self, root, recipe.input, recipe.data.validation, None, progress)
        parts = {part: replace(split, truth=has[split.truth]) for part, split in vars(data).items() if part in PARTS}
        return replace(data, labels=labels, **parts)

    def output(self, recipe: Any, classes: int, found: tuple[int, ...]) -> str:
        return "" if found == (2, classes) else f"logits of shape {(2, classes)}"

    def losses(self, outputs: torch.Tensor, truth: torch.Tensor, smoothing: float = 0.0, weight: Any = None) -> Any:
        return F.binary_cross_entropy_with_logits(outputs, truth, reduction="none").mean(1)

    def divergence(self, outputs: torch.Tensor, taught: torch.Tensor, temperature: float, truth: Any = None) -> Any:
        return (torch.sigmoid(outputs / temperature) - torch.sigmoid(taught / temperature)).square().mean(1)

    def metric(self, data: Any) -> str:
        return "mean accuracy"

    def evaluate(self, outputs: np.ndarray, data: Any, decision: Any = None) -> float:
        return float(((outputs >= 0) == (data.val.truth > 0.5)).mean())

    def metrics(self, recipe: Any, data: Any, outputs: dict[str, tuple[np.ndarray, np.ndarray]]) -> dict[str, Any]:
        scores = 1 / (1 + np.exp(-outputs["int8"][0].astype(np.float64)))
        thresholds = [measures.threshold(scores[:, n], data.val.truth[:, n] > 0.5) for n in range(len(data.labels))]
        limits = np.log(np.array(thresholds) / (1 - np.array(thresholds)))
        right = {name: (test >= limits) == (data.test.truth > 0.5) for name, (_, test) in outputs.items()}
        test = {
            name: {f"accuracy_{label}": measures.mean_metric(rows[:, n] * 1.0) for n, label in enumerate(data.labels)}
            for name, rows in right.items()
        }
        return {
            "labels": list(data.labels),
            "test": test,
            "thresholds": thresholds,
            "decision": None,
            "drop": 100 * (right["baseline"].mean() - right["int8"].mean()),
            "cosine": measures.cosine(*(np.concatenate(outputs[name]) for name in ("float", "int8"))),
            "validation": self.evaluate(outputs["int8"][0], data),
            "differences": [],
        }

    def outputs(self, recipe: Any, labels: Sequence[str], report: dict[str, Any] | None = None) -> list[dict[str, Any]]:
        thresholds = [0.5] * len(labels) if report is None else report["thresholds"]
        return [{"labels": list(labels), "activation": self.activation, "thresholds": thresholds}]

    def lines(self, report: dict[str, Any]) -> list[str]:
        return [f"threshold of {name}: {t:.3f}" for name, t in zip(report["labels"], report["thresholds"], strict=True)]

    def golden(self, number: int) -> Image.Image:
        return Image.fromarray(phantom(1000 + number, opacity=bool(number % 2), size=96))


PARTS = ("train", "val", "test")
