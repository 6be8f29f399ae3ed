"""One label of several: image folders, cross-entropy, AUC, a threshold, flips from float to int8."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from torch import Tensor
from torch.nn import functional as F

from compress.data import cifar
from compress.data.folder import folder_labels, load_folder
from compress.data.phantom import phantom
from compress.data.split import DataSet
from compress.recipe import Data, Recipe
from compress.steps.distillation import class_divergence
from compress.tasks import metrics as measures
from compress.tasks.base import Task
from compress.tasks.confusion import confusion, lines, markdown, of_classes
from edge.answer import Decision
from edge.errors import EdgeError
from edge.scores import softmax
from edge.tasks.classification import decide, rank

NAMED = 20  # flips that are shown to people one by one


class Classification(Task):
    """One label of several. `truth` is an index into the labels, int64 (N,)."""

    name = "classification"
    activation = "softmax"
    drop = "accuracy_drop"

    def faults(self, data: Data) -> Iterator[tuple[str, object, str]]:
        """No masks."""
        for name in ("foreground", "ignore"):
            if getattr(data, name):
                yield name, list(getattr(data, name)), "none, as only a segmentation has masks"

    def labels(self, root: Path, recipe: Recipe) -> tuple[str, ...]:
        """Return the names of CIFAR-10's classes or of the folders; EdgeError where none is the positive label."""
        folder = cifar.found(root)
        if folder and recipe.data.group:
            raise EdgeError(
                f"{recipe.origin}: data.group is {recipe.data.group!r}, and {folder} has CIFAR-10's numbered images, "
                "which no patient shares: expected none; leave it out"
            )
        labels = cifar.names(folder) if folder else folder_labels(root)
        if recipe.data.positive and recipe.data.positive not in labels:
            raise EdgeError(
                f"{recipe.origin}: data.positive is {recipe.data.positive!r}, and the data has the classes "
                f"{', '.join(labels)}: name one of those"
            )
        return labels

    def load(self, root: Path, recipe: Recipe, progress: Callable[[str], None]) -> DataSet:
        """Read CIFAR-10's files or `root/{train,val,test}/CLASS/*`; EdgeError as `labels`."""
        self.labels(root, recipe)
        data = recipe.data
        if folder := cifar.found(root):
            return cifar.load_cifar(self, folder, recipe.input, data.validation, progress, data.allowed)
        return load_folder(self, root, recipe.input, data.validation, data.group or None, progress, data.allowed)

    def output(self, recipe: Recipe, classes: int, found: tuple[int, ...]) -> str:
        """Logits (2, classes)."""
        return "" if found == (2, classes) else f"logits of shape {(2, classes)}"

    def losses(self, outputs: Tensor, truth: Tensor, smoothing: float = 0.0, weight: Tensor | None = None) -> Tensor:
        """Return each image's cross-entropy (N,), times its class's `weight`."""
        return F.cross_entropy(outputs, truth, weight=weight, label_smoothing=smoothing, reduction="none")

    def divergence(self, outputs: Tensor, taught: Tensor, temperature: float, truth: Tensor | None = None) -> Tensor:
        """Return the divergence of the classes' scores."""
        return class_divergence(outputs, taught, temperature)

    def metric(self, data: DataSet) -> str:
        """AUC for two classes, accuracy for more: there the highest score decides, and AUCs all lie close to 1."""
        return "AUC" if len(data.labels) == 2 else "accuracy"

    def evaluate(self, outputs: np.ndarray, data: DataSet, decision: Decision | None = None) -> float:
        """AUC of the last class against the rest, or accuracy; no decision has a part in them."""
        if len(data.labels) == 2:
            return measures.auc(outputs, data.val.truth)
        return float((outputs.argmax(1) == data.val.truth).mean())

    def metrics(
        self, recipe: Recipe, data: DataSet, outputs: dict[str, tuple[np.ndarray, np.ndarray]]
    ) -> dict[str, Any]:
        """Return the report.

        The decision threshold is chosen on the validation images, by the int8 model as the device runs it, and used
        for the float network as well, so that a flip is quantization's doing alone; the baseline gets its own in the
        same way. Test images decide nothing. Keys beside those of `Task.metrics`: `labels`, `thresholds`, `flips`,
        `confusion` (name -> counts of test images, rows the truth, columns the decision) and, for more than two
        classes, `classes` (name -> `compress.tasks.confusion.of_classes`).
        """
        positive = data.labels.index(recipe.data.positive) if recipe.data.positive else None
        result: dict[str, Any] = {"labels": list(data.labels), "test": {}, "decision": None}
        thresholds = {}
        for name, (val, _) in outputs.items():
            if positive is not None:
                thresholds[name] = measures.threshold(softmax(val)[:, positive], data.val.truth == positive)
        if positive is not None:  # one rule for the network, in float as in int8: the one that the device will have
            thresholds["float"] = thresholds["int8"]
            result["decision"] = {"label": recipe.data.positive, "threshold": thresholds["int8"]}
        decided = {}
        for name, (_, test) in outputs.items():
            rule = Decision(recipe.data.positive, thresholds[name]) if positive is not None else None
            decided[name] = _decide(data.labels, test, rule)
            result["test"][name] = measures.summary(decided[name], test, data.test.truth, positive)
        flips = [
            {
                "image": data.test.names[i],
                "label": data.labels[data.test.truth[i]],
                "float": data.labels[decided["float"][i]],
                "int8": data.labels[decided["int8"][i]],
            }
            for i in np.flatnonzero(decided["float"] != decided["int8"])
        ]
        matrices = {name: confusion(data.test.truth, found, len(data.labels)) for name, found in decided.items()}
        several = len(data.labels) > 2
        classes = {name: of_classes(data.labels, matrix) for name, matrix in matrices.items() if several}
        accuracy = {name: row["accuracy"]["value"] for name, row in result["test"].items()}
        return result | {
            "thresholds": thresholds,
            "drop": 100 * (accuracy["baseline"] - accuracy["int8"]),
            "cosine": measures.centred_cosine(*(np.concatenate(outputs[name]) for name in ("float", "int8"))),
            "validation": self.evaluate(outputs["int8"][0], data),
            "flips": flips,
            "confusion": {name: matrix.tolist() for name, matrix in matrices.items()},
            **({"classes": classes} if several else {}),
            "differences": [f"decisions that differ between float and int8: {len(flips)}"]
            + [f"{flip['image']} ({flip['label']}): {flip['float']} -> {flip['int8']}" for flip in flips[:NAMED]]
            + ([f"and {len(flips) - NAMED} more, named in the report"] if len(flips) > NAMED else []),
        }

    def lines(self, report: dict[str, Any]) -> list[str]:
        """For more than two classes the int8 model's confusion matrix and each class's metrics."""
        if "classes" not in report:
            return []
        return ["", *lines(report["labels"], report["confusion"]["int8"], report["classes"]["int8"]), ""]

    def markdown(self, report: dict[str, Any]) -> list[str]:
        """The same in tables."""
        if "classes" not in report:
            return []
        return [*markdown(report["labels"], report["confusion"]["int8"], report["classes"]["int8"]), ""]

    def golden(self, number: int) -> Image.Image:
        """A phantom chest X-ray, every second one with an opacity."""
        return Image.fromarray(phantom(1000 + number, opacity=bool(number % 2), size=96))


def _decide(labels: tuple[str, ...], values: np.ndarray, rule: Decision | None) -> np.ndarray:
    return np.array([labels.index(decide(rank(labels, row), rule)) for row in softmax(values)])
