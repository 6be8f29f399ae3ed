"""Structured channel pruning: per-layer rates, one dependency graph, tensors that really get smaller."""

from __future__ import annotations

import fnmatch
from collections.abc import Mapping
from dataclasses import dataclass, field

import torch
import torch_pruning as tp
from torch import nn

from compress.pruning.criteria import CRITERIA
from compress.structure import check_patterns
from edge.errors import EdgeError


@dataclass(frozen=True)
class Pruning:
    """One pruning step of a recipe.

    Attributes:
        ratios: pattern of layer names -> share of the layer's output channels to remove; of the patterns that match a
            layer (shell style: `*`, `?`, `[12]`) the first counts, a layer that none matches is left alone. Coupled
            layers (those joined by an addition) are pruned together, at the rate of the first of them.
        criterion: see `compress.pruning.criteria`.
        round_to: what remains is the multiple of this nearest to (1 - ratio) * channels, and at least one; kernels
            compute channels in blocks of 8, so a 9th channel costs as much as a 16th.
    """

    ratios: Mapping[str, float] = field(default_factory=dict)
    criterion: str = "bn-scale"
    round_to: int = 8


def prune(network: nn.Module, settings: Pruning, shape: tuple[int, int, int]) -> nn.Module:
    """Prune `network` in place and return it. `shape`: (channels, height, width) of its input.

    Hierarchical pruning of Yang et al. (2022): within each layer (or group of coupled layers) channels are ranked by
    that layer's own normalization and the lowest go, at the layer's own rate; the next layer reads what is left.

    Raises EdgeError for a pattern that matches no layer, and where the layer that makes the logits would be pruned.
    """
    layers = {name: m for name, m in network.named_modules() if isinstance(m, nn.Conv2d)}
    rates = layer_ratios(list(layers), settings.ratios)
    network.eval()
    for parameter in network.parameters():
        parameter.requires_grad_(True)  # the graph is traced through autograd
    graph = tp.DependencyGraph().build_dependency(network, example_inputs=torch.zeros(1, *shape))
    outputs = network(torch.zeros(1, *shape)).shape
    score = CRITERIA[settings.criterion]
    done: set[nn.Module] = set()
    for name, ratio in rates.items():
        layer = layers[name]
        if layer in done:
            continue
        channels = layer.out_channels
        group = graph.get_pruning_group(layer, tp.prune_conv_out_channels, idxs=list(range(channels)))
        done.update(d.target.module for d, _ in group if d.pruning_fn == tp.prune_conv_out_channels)
        keep = kept(channels, ratio, settings.round_to)
        if keep >= channels:
            continue
        weakest = torch.argsort(score(group), stable=True)[: channels - keep].tolist()
        graph.get_pruning_group(layer, tp.prune_conv_out_channels, idxs=sorted(weakest)).prune()
    try:
        left = network(torch.zeros(1, *shape)).shape
    except RuntimeError as error:
        raise EdgeError(
            f"after pruning the network no longer runs ({error}): take its unusual layers out of ratios"
        ) from None
    if left != outputs:
        raise EdgeError(
            f"pruning changed the network's output from {tuple(outputs)} to {tuple(left)}: let no pattern of ratios "
            "match the layer that makes the logits"
        )
    return network


def kept(channels: int, ratio: float, round_to: int) -> int:
    """Return how many of `channels` remain when the share `ratio` goes: a multiple of `round_to`, unless all remain."""
    blocks = max(1, int((1 - ratio) * channels / round_to + 0.5))
    return min(channels, blocks * round_to)


def layer_ratios(names: list[str], ratios: Mapping[str, float]) -> dict[str, float]:
    """Return layer name -> ratio for the layers that a pattern matches, in the network's order."""
    check_patterns("pruning", ratios, names)
    chosen = {}
    for name in names:
        for pattern, ratio in ratios.items():
            if fnmatch.fnmatchcase(name, pattern):
                chosen[name] = ratio
                break
    return chosen
