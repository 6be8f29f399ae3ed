"""Soft filter pruning: training and pruning in one run, in which no filter is given up before the end.

He et al., "Soft Filter Pruning for Accelerating Deep Convolutional Neural Networks" (IJCAI 2018).
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import torch
from torch import nn

from compress.data import DataSet
from compress.ghosting import recalibrate
from compress.pruning.channels import prune, weakest_channels
from compress.pruning.criteria import FILTERS
from compress.pruning.groups import OUTPUTS, members, trace, whole_group
from compress.pruning.settings import Pruning
from compress.training import Training, to_input, train
from edge.preprocess import Preprocessing

RECALIBRATION = 1024  # training images; the removed filters' constant outputs are gone from what follows them


@dataclass(frozen=True)
class SoftPruning(Training):
    """One soft pruning step of a recipe: a training in which the weakest filters are set to zero after each epoch.

    Attributes:
        ratios: as in `Pruning`. criterion: which filters are the weakest, one of FILTERS. round_to: as in `Pruning`.
    """

    ratios: Mapping[str, float] = field(default_factory=dict)
    criterion: str = "l2-norm"
    round_to: int = 8

    @property
    def pruning(self) -> Pruning:
        """What is removed at the end, as a pruning step's settings."""
        return Pruning(self.ratios, self.criterion, self.round_to)

    def faults(self) -> Iterator[tuple[str, object, str]]:
        """Yield (field, what it is, what was expected) for what is wrong with the settings."""
        if self.criterion not in FILTERS:
            yield "criterion", self.criterion, f"one of {', '.join(FILTERS)}"
        yield from self.pruning.faults()


def soft_prune(
    network: nn.Module,
    data: DataSet,
    how: Preprocessing,
    settings: SoftPruning,
    checkpoint: Path,
    progress: Callable[[str], None],
    teacher: nn.Module | None = None,
) -> nn.Module:
    """Train `network` in place, set its weakest filters to zero after each epoch, remove them at the end; return it.

    A filter of zeros goes on being trained and comes back where it is of use; after the next epoch the weakest are
    chosen anew. Coupled filters are chosen together, so that all that are zero in the end can be removed. As in the
    paper's code the normalizations are not touched; they are measured anew after the removal.
    """
    shape = how.channels, how.height, how.width
    prune(copy.deepcopy(network), settings.pruning, shape, progress=progress)  # what is wrong shows before the training
    seen = trace(network, shape)

    def silence() -> None:
        with torch.no_grad():
            for layer, channels in weakest_channels(seen, settings.pruning):
                for dependency, i, _ in members(whole_group(seen, layer, channels), OUTPUTS):
                    for tensor in (dependency.target.module.weight, dependency.target.module.bias):
                        if tensor is not None:
                            tensor[i] = 0

    train(network, data, how, settings, checkpoint, progress, after_epoch=silence, teacher=teacher)
    prune(network, replace(settings.pruning, criterion="l2-norm"), shape)  # none is shorter than those of zeros
    places = np.random.default_rng(0).permutation(len(data.train))[:RECALIBRATION]
    torch.manual_seed(settings.seed)  # of dropouts, the same in a run that was taken up again
    recalibrate(network, to_input(torch.from_numpy(data.train.pixels[places]), how), settings.batch)
    return network
