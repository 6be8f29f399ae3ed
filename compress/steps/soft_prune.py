"""Soft filter pruning: training and pruning in one run, in which no filter is given up before the end.

He et al., "Soft Filter Pruning for Accelerating Deep Convolutional Neural Networks" (IJCAI 2018).
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import ClassVar

import numpy as np
import torch
from torch import nn

from compress.data.split import DataSet
from compress.pruning.channels import prune, weakest_channels
from compress.pruning.criteria import FILTERS, Function
from compress.pruning.groups import OUTPUTS, Trace, members, trace, whole_group
from compress.pruning.settings import Pruning
from compress.state.stage import example_inputs
from compress.steps.augmentation import to_input
from compress.steps.ghost import recalibrate
from compress.steps.prune import rehearsed
from compress.steps.registry import register
from compress.steps.step import Context, Fault, Rehearsal, Step
from compress.steps.train import TrainingSettings, train
from edge.preprocess import Preprocessing

RECALIBRATION = 1024  # training images; what follows the filters of zeros reads something else than before
NOTHING = 1e-20  # as good as 0, at which a rectifier would let no gradient through, and nothing could come back


@register
@dataclass(frozen=True)
class SoftPruning(TrainingSettings):
    """The step `soft-prune`: a training in which the weakest filters are set to zero after each epoch.

    Attributes:
        ratios: as in `Pruning`. criterion: which filters are the weakest, one of FILTERS, or one's own that asks for
            no examples. round_to: as in `Pruning`.
    """

    kind: ClassVar[str] = "soft-prune"

    ratios: Mapping[str, float] = field(default_factory=dict)
    criterion: str | Function = "l2-norm"
    round_to: int = 8

    @property
    def pruning(self) -> Pruning:
        """What is removed at the end, as a pruning step's settings."""
        return Pruning(self.ratios, self.criterion, self.round_to)

    @property
    def detail(self) -> str:
        """What is removed, and how long it trains."""
        return f"{self.pruning.detail}, {self.trained}"

    def faults(self, spec: Preprocessing, earlier: Sequence[Step]) -> Iterator[Fault]:
        """Yield what is wrong with the training, and with what is to be removed."""
        yield from super().faults(spec, earlier)
        mistakes = list(self.pruning.mistakes())
        yield from mistakes
        is_known = "criterion" not in [name for name, _, _ in mistakes]
        if is_known and (not self.pruning.scored_by.of_filters or self.pruning.needs_images):
            yield "criterion", self.criterion, f"one of {', '.join(FILTERS)}, or one's own that asks for no examples"

    def rehearse(self, network: nn.Module, rehearsal: Rehearsal) -> nn.Module:
        """Remove filters, random ones."""
        return rehearsed(network, self.pruning, rehearsal)

    def apply(self, context: Context) -> nn.Module:
        """Train, and remove the filters that are zero in the end."""
        return soft_prune(
            context.network, context.data, context.spec, self, context.epochs, context.progress, context.teacher
        )


def soft_prune(
    network: nn.Module,
    data: DataSet,
    spec: Preprocessing,
    settings: SoftPruning,
    checkpoint: Path,
    progress: Callable[[str], None],
    teacher: nn.Module | None = None,
) -> nn.Module:
    """Train `network` in place, set its weakest filters to zero after each epoch, remove them at the end; return it.

    What is zero goes on being trained and comes back where it is of use; after the next epoch the weakest are chosen
    again. Coupled filters are chosen together, so that all that are zero in the end can be removed.

    A filter that a normalization follows is set to zero there, by gamma and beta, and counts as long as the two make
    it. The paper's code sets the filter itself to zero; but whatever the next step makes of a filter of zeros, the
    normalization divides it by next to nothing, and noise comes back at full strength (docs/bpcp.md). Normalizations
    are measured again on images of the training after each epoch and after the removal.
    """
    inputs = example_inputs(spec)
    prune(copy.deepcopy(network), settings.pruning, inputs, progress=progress)  # refused before the training
    seen = trace(network, inputs)
    norms = _norms(seen)
    places = np.random.default_rng(0).permutation(len(data.train))[:RECALIBRATION]

    def measure() -> None:
        images = torch.from_numpy(data.train.pixels[places]).to(next(network.parameters()).device)
        torch.manual_seed(settings.seed)  # of dropouts, the same in a run that was taken up again
        recalibrate(network, to_input(images, spec), settings.batch)

    def silence() -> None:
        with _as_they_act(norms):
            chosen = list(weakest_channels(seen, settings.pruning))
        for layer, channels in chosen:
            for dependency, i, _ in members(whole_group(seen, layer, channels), OUTPUTS):
                module = dependency.target.module
                _set_to_zero(norms.get(module, module), i)
        measure()

    train(network, data, spec, settings, checkpoint, progress, after_epoch=silence, teacher=teacher)
    for layer, norm in norms.items():
        _set_to_zero(layer, norm.weight == 0)
    prune(network, replace(settings.pruning, criterion="l2-norm"), inputs)  # none is shorter than those of zeros
    measure()
    return network


def _norms(seen: Trace) -> dict[nn.Conv2d, nn.BatchNorm2d]:
    """Return each convolution whose output goes into a normalization and nowhere else, and that normalization."""
    found = {}
    for module, node in seen.graph.module2node.items():
        readers = [reader.module for reader in node.outputs]
        if isinstance(module, nn.Conv2d) and module not in seen.sources and len(readers) == 1:
            (norm,) = readers
            measured = isinstance(norm, nn.BatchNorm2d) and norm.affine and norm.running_var is not None
            if measured and len(seen.graph.module2node[norm].inputs) == 1:
                found[module] = norm
    return found


@contextmanager
def _as_they_act(norms: Mapping[nn.Conv2d, nn.BatchNorm2d]) -> Iterator[None]:
    """Multiply each filter by what its normalization makes of it, gamma / sigma, for a while."""
    kept = {layer: layer.weight.detach().clone() for layer in norms}
    with torch.no_grad():
        try:
            for layer, norm in norms.items():
                assert norm.running_var is not None  # as found
                layer.weight.mul_((norm.weight / (norm.running_var + norm.eps).sqrt()).view(-1, 1, 1, 1))
            yield
        finally:
            for layer, weight in kept.items():
                layer.weight.copy_(weight)


def _set_to_zero(module: nn.Conv2d | nn.BatchNorm2d, places: torch.Tensor) -> None:
    with torch.no_grad():
        module.weight[places] = 0
        if module.bias is not None:
            module.bias[places] = NOTHING
