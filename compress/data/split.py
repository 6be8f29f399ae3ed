"""A data set in memory, divided: what loaders make, and what trainings and tasks read."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from torch import Tensor

from edge.answer import Decision
from edge.preprocess import Preprocessing


@dataclass(frozen=True)
class Split:
    """Images and labels of one part of a data set.

    Attributes:
        pixels: uint8 (N, height, width, channels), as `edge.preprocess.pixels` returns them.
        truth: what the network is to answer; the task knows its meaning. Of classes int64 (N,), an index into the data
            set's labels; of masks uint8 (N, height, width), 0 to 255, the share of each pixel that the mask covers, and
            with pixels that nobody labelled uint8 (N, 2, height, width): second, the share that is not labelled. What
            has three dimensions or more moves with the image when it is augmented.
        names: the files, relative to the data set's folder.
        masks: where the network is evaluated: bool (H, W) of each image in its own size; none without masks.
        voids: bool (H, W) of each of `masks`, what is not labelled; none where all is.
    """

    pixels: np.ndarray
    truth: np.ndarray
    names: tuple[str, ...]
    masks: tuple[np.ndarray, ...] = ()
    voids: tuple[np.ndarray, ...] = ()

    def __len__(self) -> int:
        return len(self.names)


class Objective(Protocol):
    """What training and evaluation need of a task; `compress.tasks.base.Task` is one, and says more of each."""

    def losses(self, outputs: Tensor, truth: Tensor, smoothing: float = 0.0, weight: Tensor | None = None) -> Tensor:
        """Return the loss of each image, float32 (N,)."""

    def divergence(self, outputs: Tensor, taught: Tensor, temperature: float, truth: Tensor | None = None) -> Tensor:
        """Return how far each image's scores are from its teacher's, (N,) >= 0."""

    def metric(self, data: DataSet) -> str:
        """Return the name of the ledger's metric, higher is better."""

    def evaluate(self, outputs: np.ndarray, data: DataSet, decision: Decision | None = None) -> float:
        """Return `metric` for float32 logits of the validation images."""


@dataclass(frozen=True)
class DataSet:
    """A data set; `val` shares no group (patient) with `train` where groups are known.

    A folder `test` (or `val`) is taken as its publisher divided it.
    """

    task: Objective
    spec: Preprocessing
    labels: tuple[str, ...]
    train: Split
    val: Split
    test: Split
    summary: dict[str, object]


def digest(splits: dict[str, Split]) -> str:
    """Return the SHA-256 of names, truth, masks and pixels: two runs with the same digest saw the same data."""
    state = hashlib.sha256()
    for part, split in splits.items():
        truth = split.truth.tolist() if split.truth.ndim == 1 else hashlib.sha256(split.truth.tobytes()).hexdigest()
        state.update(repr((part, split.names, truth, split.pixels.shape)).encode())
        state.update(split.pixels.tobytes())
        for mask in split.masks + split.voids:
            state.update(repr(mask.shape).encode() + np.packbits(mask).tobytes())
    return state.hexdigest()
