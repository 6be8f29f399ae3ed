"""The step `prune`: channels go, by ratios of each layer or until a share of the network's cost is gone."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

from torch import nn

from compress.cost import cost
from compress.pruning.channels import prune
from compress.pruning.groups import CONVS
from compress.pruning.scoring import rehearsing
from compress.pruning.settings import Pruning
from compress.state.structure import check_patterns
from compress.steps.registry import register
from compress.steps.step import Context, Fault, Rehearsal, Step
from edge.preprocess import Preprocessing


@register
@dataclass(frozen=True)
class ChannelPruning(Pruning, Step):
    """The step `prune`; its settings are those of `Pruning`."""

    kind: ClassVar[str] = "prune"

    def faults(self, spec: Preprocessing, earlier: Sequence[Step]) -> Iterator[Fault]:
        """Yield what is wrong with the settings."""
        yield from self.mistakes()

    def rehearse(self, network: nn.Module, rehearsal: Rehearsal) -> nn.Module:
        """Remove channels, random ones. What is not known to be left is only looked up by the settings' patterns."""
        if not rehearsal.is_certain:
            for patterns, kinds in ((self.ratios, nn.Conv2d), (self.layers, CONVS)):
                names = [name for name, module in network.named_modules() if isinstance(module, kinds)]
                check_patterns("pruning", patterns, names)
            return network
        left = self.of_what_is_left(rehearsal.whole, cost(network, rehearsal.inputs))
        return rehearsed(network, left, rehearsal) if left.ratios or left.shares else network

    def apply(self, context: Context) -> nn.Module:
        """Remove the channels with the lowest scores."""
        assert context.whole is not None
        shape = context.inputs
        left = self.of_what_is_left(context.whole, cost(context.network, shape))
        if not left.ratios and not left.shares:
            context.progress("nothing is left to remove: earlier steps removed as much overall\n")
            return context.network
        examples = context.examples(self.samples) if self.needs_images else None
        return prune(context.network, left, shape, examples, context.progress)


def rehearsed(network: nn.Module, settings: Pruning, rehearsal: Rehearsal) -> nn.Module:
    """Return the network with random channels removed, as many as the settings say."""
    return prune(network, replace(settings, criterion=rehearsing(settings), steps=1), rehearsal.inputs)
