"""Ranking all layers at once: which blocks of channels go, so that the network costs what it may.

What a network costs after any choice of blocks is counted, not measured: a layer's cost is a product of its widths.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn
from torch_pruning.dependency import Group

from compress.cost import Cost
from compress.pruning.groups import INPUTS, Trace, members


@dataclass(frozen=True)
class Block:
    """Channels of one group that go together.

    Attributes:
        group: number of the group.
        channels: places of the channels in their group.
        score: mean score of the channels. The mean, and not the sum: a layer's first block may be narrower than the
            others, to leave a multiple behind it, and would rank low for that alone.
    """

    group: int
    channels: tuple[int, ...]
    score: float


def blocks(scores: Sequence[Tensor], round_to: int) -> list[Block]:
    """Cut each group's channels, weakest first, into blocks, and return all blocks, weakest first.

    Args:
        scores: for each group one score per channel, float32 (channels,).

    Whatever number of blocks goes from the list's beginning, each group is left with its strongest channels, their
    number a multiple of `round_to` if it lost any; and no block of a group holds its last `round_to` channels.
    """
    cut = []
    for number, score in enumerate(scores):
        order = torch.argsort(score, stable=True)
        places, ranked = order.tolist(), score[order].tolist()
        first = len(order) % round_to or round_to
        ends = range(first, len(order) - round_to + 1, round_to)
        for end in ends:
            start = max(0, end - round_to) if end > first else 0
            cut.append(Block(number, tuple(places[start:end]), math.fsum(ranked[start:end]) / (end - start)))
    return sorted(cut, key=lambda block: block.score)  # stable, and a group's means rise: its blocks stay in order


class Budget:
    """What a network costs, while blocks are taken off it one after another.

    Attributes:
        cost: of the network with what is left. Its `products` stay what they are: no share refers to them.
    """

    def __init__(self, seen: Trace, groups: Sequence[Group]):
        layers: dict[nn.Module | nn.Parameter, Widths] = {}
        self.cost = seen.count.of(seen.network)
        # for each group: a layer, whether it loses inputs (or outputs), and how many of them with each channel
        self._losses: list[list[tuple[Widths, bool, list[int]]]] = []
        for group in groups:
            losses = []
            for dependency, _, g in members(group):
                module = dependency.target.module
                if module not in layers:
                    layers[module] = _widths(seen, module)
                if layers[module].parameters:
                    counts = torch.bincount(g, minlength=len(group[0].idxs)).tolist()
                    losses.append((layers[module], dependency.handler in INPUTS, counts))
                    if isinstance(module, nn.MultiheadAttention):  # its width is that of its inputs and its outputs
                        losses.append((layers[module], dependency.handler not in INPUTS, counts))
            self._losses.append(losses)

    def take(self, block: Block) -> None:
        """Take `block` off."""
        self._narrow(block, 1)

    def give_back(self, block: Block) -> None:
        """Put `block` back, which was taken off."""
        self._narrow(block, -1)

    def _narrow(self, block: Block, times: int) -> None:
        parameters, macs = self.cost.parameters, self.cost.macs
        for layer, inputs, counts in self._losses[block.group]:
            parameters, macs = parameters - layer.parameters, macs - layer.macs
            lost = times * sum([counts[channel] for channel in block.channels])
            if inputs:
                layer.inputs -= lost
            else:
                layer.outputs -= lost
            parameters, macs = parameters + layer.parameters, macs + layer.macs
        self.cost = replace(self.cost, parameters=parameters, macs=macs)


@dataclass
class Widths:
    """A layer's widths, and what it costs with them."""

    outputs: int
    inputs: int
    kernel: int  # weights between one input and one output
    bias: int  # parameters of one output apart from those
    products: int  # MACs of one image with them

    @property
    def parameters(self) -> int:
        return self.outputs * (self.inputs * self.kernel + self.bias)

    @property
    def macs(self) -> int:
        return self.outputs * self.inputs * self.products


def _widths(seen: Trace, module: nn.Module | nn.Parameter) -> Widths:
    """Return the widths of a layer, of a parameter that stands alone, or of an operation, which has nothing to lose."""
    macs = seen.count.weights
    if isinstance(module, (nn.Conv2d, nn.ConvTranspose2d, nn.Linear)):
        rows, columns = module.weight.shape[:2]
        if isinstance(module, nn.ConvTranspose2d):
            rows, columns = columns, rows
        bias = int(module.bias is not None)
        return Widths(rows, columns, module.weight[0, 0].numel(), bias, macs[module.weight] // (rows * columns))
    if isinstance(module, nn.MultiheadAttention):
        width, parameters = module.embed_dim, list(module.parameters())
        weights = [p for p in parameters if p.ndim > 1]
        kernel = sum(p.numel() for p in weights) // width**2
        bias = sum(p.numel() for p in parameters if p.ndim == 1) // width
        return Widths(width, width, kernel, bias, sum(macs[p] for p in weights) // width**2)
    node = seen.graph.module2node[module]
    channels = seen.graph.get_out_channels(node)
    if channels is None or not isinstance(module, (nn.Module, nn.Parameter)):
        return Widths(0, 0, 0, 0, 0)
    parameters = [module] if isinstance(module, nn.Parameter) else list(module.parameters())
    own = sum(p.numel() for p in parameters) // channels
    return Widths(channels, 1, 0, own, sum(macs[p] for p in parameters) // channels)


def weakest(ranking: Sequence[Block], budget: Budget, reached: Callable[[Cost], bool]) -> tuple[list[Block], Cost]:
    """Return the fewest blocks from the beginning of `ranking` without which `reached(cost)`, and the cost then.

    All of them where that is not enough. `budget` is left without them.
    """
    taken: list[Block] = []
    for block in ranking:
        if reached(budget.cost):
            break
        budget.take(block)
        taken.append(block)
    return taken, budget.cost
