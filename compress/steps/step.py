"""What a step of a recipe is: settings, and what is done to a network by them, behind one small protocol.

A step is one file: a frozen dataclass of settings that inherits `Step`, whose fields are the keys of its table in a
recipe. The ones in this folder are registered by `compress.steps.registry.register`; a recipe names any other by
`kind = "package.module:Class"`. docs/recipes.md has an example.
"""

from __future__ import annotations

import dataclasses
from abc import abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Protocol

import numpy as np
import torch
from torch import Tensor, nn

from compress.cost import Cost
from compress.data.split import DataSet, Objective
from compress.inputs import Inputs
from compress.pruning.taylor import Examples
from compress.steps.augmentation import to_input
from edge.preprocess import Preprocessing

Log = Callable[[str], None]
Fault = tuple[str, object, str]  # a field, what it is, what was expected


@dataclass
class Context:
    """What a step has at hand when it is applied.

    Attributes:
        network: what earlier steps left; a step may change it in place.
        data: images and labels, with the task that they are for.
        spec: preprocessing that `network` expects.
        inputs: example inputs of `network`, float32 (1, channels, height, width) each.
        teacher: the network before the first step that compresses; None before that step.
        whole: what `teacher` costs; None before that step.
        epochs: file for a checkpoint of its own, where the step takes long. It is removed when the step is done.
        progress: gets what is being done; a text that ends with a line break stays on the screen.
        seed: the recipe's. Steps that draw random numbers seed them, so that a resumed run draws the same ones.
        note: what the step found out, for the ledger, in the place of `detail`; "" for none.
    """

    network: nn.Module
    data: DataSet
    spec: Preprocessing
    inputs: Inputs
    teacher: nn.Module | None
    whole: Cost | None
    epochs: Path
    progress: Log
    seed: int
    note: str = ""

    @property
    def task(self) -> Objective:
        """Losses and metric of the data's task."""
        return self.data.task

    def samples(self, count: int) -> Tensor:
        """Return float32 (count, channels, height, width): training images, always the same ones, classes mixed."""
        return samples(self.data, self.spec, count)

    def examples(self, count: int) -> Examples:
        """Return the same images with their targets, and the task's loss of each."""
        return examples(self.data, self.spec, count)


def samples(data: DataSet, spec: Preprocessing, count: int) -> Tensor:
    """Return float32 (count, channels, height, width): training images, always the same ones, classes mixed."""
    return to_input(torch.from_numpy(data.train.pixels[_chosen(data, count)]), spec)


def examples(data: DataSet, spec: Preprocessing, count: int) -> Examples:
    """Return the images that `samples` returns with their targets, and the loss of the data's task."""
    targets = torch.from_numpy(data.train.truth[_chosen(data, count)])
    return Examples(samples(data, spec, count), targets, data.task.losses)


def _chosen(data: DataSet, count: int) -> np.ndarray:
    return np.random.default_rng(0).permutation(len(data.train))[:count]


@dataclass(frozen=True)
class Rehearsal:
    """What a step has at hand when it is rehearsed: no images, and a network whose training is left out.

    Attributes:
        inputs: example inputs of the network, float32 (1, channels, height, width) each.
        whole: what the network costs before the first step that compresses.
        is_certain: False after a step whose result only training decides: what is left of the network, and of its
            cost, is not known then.
    """

    inputs: Inputs
    whole: Cost
    is_certain: bool


class Step(Protocol):
    """One step of a recipe: inherit from it in a frozen dataclass of settings.

    What has a body here is a default. `kind`, `detail`, `rehearse` and `apply` are each step's own.

    Attributes:
        kind: the word for it in recipes and ledgers, at most 12 characters to fit a ledger's column.
        compresses: whether the network before the first such step is the baseline of the results, and the teacher.
        is_certain: whether what it leaves can be known without training; see `Rehearsal`.
    """

    kind: ClassVar[str]
    compresses: ClassVar[bool] = True
    is_certain: ClassVar[bool] = True

    @property
    @abstractmethod
    def detail(self) -> str:
        """The ledger's description of the step, at most 34 characters."""

    @property
    def is_taught(self) -> bool:
        """Whether it learns from `Context.teacher`."""
        return False

    @property
    def sides(self) -> tuple[int, ...]:
        """Sides of the square inputs that it runs the network at, apart from the recipe's input."""
        return ()

    def faults(self, spec: Preprocessing, earlier: Sequence[Step]) -> Iterator[Fault]:
        """Yield (field, what it is, what was expected) for what is wrong with the settings; "" for the whole step.

        Args:
            spec: the recipe's input.
            earlier: the steps before this one.
        """
        yield from ()

    @abstractmethod
    def rehearse(self, network: nn.Module, rehearsal: Rehearsal) -> nn.Module:
        """Return what the step makes of a copy of the network, apart from training: its layers, but any weights.

        Raises EdgeError for what can't be done, so that it is known before hours of training.
        """

    @abstractmethod
    def apply(self, context: Context) -> nn.Module:
        """Return what the step makes of `context.network`. Raises EdgeError where that can't be done."""

    def restore(self, network: nn.Module, tensors: Mapping[str, Tensor], inputs: Inputs) -> nn.Module:
        """Return `network`, as it was before the step, with what a checkpoint's names and shapes can't show.

        `compress.state.structure.fit` does the rest: it resizes layers, puts ghost convolutions in, loads `tensors`.

        Args:
            tensors: the state_dict that `apply` left.
            inputs: example inputs of `network`.
        """
        return network

    def input_after(self, spec: Preprocessing) -> Preprocessing:
        """Return the preprocessing that the network expects after the step."""
        return spec


def settings(step: Any) -> dict[str, Any]:
    """Return what a step sets, without what it leaves at its default: a new setting repeats nobody's training.

    Patterns become pairs: their order counts, and tables are written sorted.
    """
    chosen: dict[str, Any] = {}
    for entry in dataclasses.fields(step):
        value = getattr(step, entry.name)
        default = entry.default if entry.default_factory is dataclasses.MISSING else entry.default_factory()
        if dataclasses.is_dataclass(value) and value != default:
            chosen[entry.name] = settings(value)
        elif value != default:
            chosen[entry.name] = list(value.items()) if isinstance(value, Mapping) else _plain(value)
    return chosen


def described(step: Any) -> dict[str, Any]:
    """Return all settings of a step, for a manifest."""
    return {key: _plain(value) for key, value in dataclasses.asdict(step).items()}


def _plain(value: Any) -> Any:
    """Return a function by its name, as a recipe would name it, and anything else as it is."""
    return f"{value.__module__}:{value.__qualname__}" if callable(value) else value
