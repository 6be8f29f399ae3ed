"""What a network is for, and all that depends on it: data, loss, metric, report. The pipeline knows no more."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from torch import Tensor

from compress.data.split import DataSet
from compress.recipe import Data, Recipe
from edge.answer import Decision


class Task(ABC):
    """One task; a recipe names one of `compress.tasks.registry`, or a class of its own, "package.module:Class".

    Attributes:
        name: as in the manifest; `edge.tasks` has the other side of it. activation: from logits to scores, as there.
        drop: manifest name of the loss against the network before compression, in points of a hundred.
        identity: what tells a loss and a metric of one's own from others (`compress.tasks.own`); "" for the task's.
    """

    name: str
    activation: str
    drop: str
    identity: str = ""

    def faults(self, data: Data) -> Iterator[tuple[str, object, str]]:
        """Yield (field, what it is, what was expected) for what is wrong with a recipe's `[data]` for this task."""
        yield from ()

    @abstractmethod
    def labels(self, root: Path, recipe: Recipe) -> tuple[str, ...]:
        """Return the labels of the data set at `root`, of which no image is read."""

    @abstractmethod
    def load(self, root: Path, recipe: Recipe, progress: Callable[[str], None]) -> DataSet:
        """Read the data set at `root`."""

    @abstractmethod
    def output(self, recipe: Recipe, classes: int, found: tuple[int, ...]) -> str:
        """Return "" where `found` is a fit output shape of the network for two images, else what was expected."""

    @abstractmethod
    def losses(self, outputs: Tensor, truth: Tensor, smoothing: float = 0.0, weight: Tensor | None = None) -> Tensor:
        """Return the loss of each image, float32 (N,), for the network's logits and its `truth`.

        Args:
            smoothing: of labels. weight: of classes, (classes,); both where there are classes.
        """

    @abstractmethod
    def divergence(self, outputs: Tensor, taught: Tensor, temperature: float, truth: Tensor | None = None) -> Tensor:
        """Return how far each image's scores are from its teacher's, (N,) >= 0, for the logits of both networks.

        Args:
            temperature: what both logits are divided by first.
            truth: as for `losses`: of pixels that nobody labelled the teacher knows no more.
        """

    @abstractmethod
    def metric(self, data: DataSet) -> str:
        """Return the name of the ledger's measure on the validation images, higher is better."""

    @abstractmethod
    def evaluate(self, outputs: np.ndarray, data: DataSet, decision: Decision | None = None) -> float:
        """Return `metric` for float32 logits of the validation images.

        Args:
            decision: the model's, as soon as it is known; none: one that stands in for it.
        """

    @abstractmethod
    def metrics(
        self, recipe: Recipe, data: DataSet, outputs: dict[str, tuple[np.ndarray, np.ndarray]]
    ) -> dict[str, Any]:
        """Return the report: the decision, metrics of the test images with intervals, float beside int8.

        Args:
            outputs: "baseline", "float", "int8" -> float32 logits of the validation and of the test images.

        Keys: `test` (name -> metric -> {value, low, high}), `decision` (manifest), `drop` (points), `cosine`
        (`compress.tasks.metrics.centred_cosine` of float and int8, over validation and test images),
        `validation`, `differences` (lines for people), and what else the task has to say.
        """

    def default_decision(self, recipe: Recipe) -> dict[str, Any] | None:
        """Return the manifest's decision for a draft of the model file, before `metrics` has chosen one.

        None where the ledger's metric does not depend on the decision.
        """
        return None

    def outputs(
        self, recipe: Recipe, labels: Sequence[str], report: dict[str, Any] | None = None
    ) -> list[dict[str, Any]]:
        """Return the manifest's `outputs`, with the `report`'s decision; without one those of a draft."""
        decision = self.default_decision(recipe) if report is None else report["decision"]
        return [{"labels": list(labels), "activation": self.activation, "decision": decision}]

    def lines(self, report: dict[str, Any]) -> list[str]:
        """Return lines for people about what the `report` has more than the metrics of the test images."""
        return []

    def markdown(self, report: dict[str, Any]) -> list[str]:
        """Return the same for the model card."""
        return []

    def sheet(
        self, recipe: Recipe, data: DataSet, outputs: dict[str, tuple[np.ndarray, np.ndarray]], report: dict[str, Any]
    ) -> bytes | None:
        """Return a PNG of the test images that went worst, where the task can show them."""
        return None

    @abstractmethod
    def golden(self, number: int) -> Image.Image:
        """Return a generated image for a golden vector."""
