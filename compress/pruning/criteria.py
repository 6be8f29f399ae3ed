"""Importance criteria: functions from a group of coupled channels to one score per channel; the lowest are pruned.

A group, as torch-pruning's dependency graph finds it, lists every layer that loses a slice when a channel goes. These
criteria read the weights alone; those that look at images are in `compress.pruning.taylor`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

import torch
from torch import Tensor, nn
from torch_pruning.dependency import Group
from torch_pruning.pruner import function

from compress.pruning.groups import members

EXACT = "donot_use_mm_for_euclid_dist"  # differences of near filters, not of their products
Criterion = Callable[[Group], Tensor]
CRITERIA = ("bn-scale", "l2-norm", "fpgm", "taylor", "taylor-abs", "taylor-sq", "random")
FILTERS = ("l2-norm", "fpgm")  # those that look at filters, and at nothing else


def bn_scale(group: Group) -> Tensor:
    """Return |gamma| of the normalizations behind the group's convolutions, averaged over them; shape (channels,).

    Each normalization's |gamma| is divided by its own mean first, so that one with large scales does not outvote the
    others. Liu et al., "Learning Efficient Convolutional Networks through Network Slimming" (ICCV 2017); with one
    normalization in the group it is the ranking of Yang et al., "Auxiliary Pneumonia Classification Algorithm Based on
    Pruning Compression" (2022), figure 3.
    """
    rows = [(_relative(gamma), g) for gamma, g in _scales(group)]
    return _mean(group, rows) if rows else l2_norm(group)  # a convolution without normalization has no gamma


def bn_scale_across(group: Group) -> Tensor:
    """Return the largest |gamma| of the normalizations behind the group's convolutions; shape (channels,).

    For ranking all layers at once: Liu et al. compare |gamma| itself across layers, since the network was trained to
    make it small where it can; of coupled layers the largest counts, as in Huang and Wang, "Multi-granularity Pruning
    for Deep Residual Networks" (J. Intell. Fuzzy Syst. 2020), because the channel is needed if one of them needs it.
    Convolutions without normalization count as if their scales were 1 on average, and are ranked by `l2_norm`.
    """
    rows = list(_scales(group))
    if not rows:
        return l2_norm(group)
    largest = torch.full((len(group[0].idxs),), -1.0)
    for gamma, g in rows:
        largest.scatter_reduce_(0, g, gamma, "amax")
    return torch.where(largest < 0, 1.0, largest)


def l2_norm(group: Group) -> Tensor:
    """Return the L2 norm of each output filter, relative to its layer's mean, averaged over the group's convolutions.

    Li et al., "Pruning Filters for Efficient ConvNets" (ICLR 2017), with L2 for their L1. A filter's norm grows with
    the number of its weights, so only relative norms can be compared across layers.
    """
    return _of_filters(group, lambda filters: filters.norm(dim=1))


def fpgm(group: Group) -> Tensor:
    """Return each filter's sum of distances to its layer's others, relative to the layer's mean, as `l2_norm` does.

    The filter x among the filters F_j that makes sum_j |x - F_j|_2 least is the geometric median; those next to it can
    be stood in for by others. He et al., "Filter Pruning via Geometric Median for Deep Convolutional Neural Networks
    Acceleration" (CVPR 2019), equation 4.
    """
    return _of_filters(group, lambda filters: torch.cdist(filters, filters, compute_mode=EXACT).sum(1))


def random(generator: torch.Generator) -> Criterion:
    """Return the criterion that a better one has to beat: scores drawn evenly from [0, 1)."""
    return lambda group: torch.rand(len(group[0].idxs), generator=generator)


def _scales(group: Group) -> Iterable[tuple[Tensor, Tensor]]:
    for dependency, i, g in members(group, [function.prune_batchnorm_out_channels]):
        gamma = dependency.target.module.weight
        if gamma is not None:
            yield gamma.detach().abs().cpu()[i], g


def _of_filters(group: Group, score: Callable[[Tensor], Tensor]) -> Tensor:
    by = (function.prune_conv_out_channels, function.prune_linear_out_channels)
    rows = [(_relative(score(_filters(d.target.module)))[i], g) for d, i, g in members(group, by)]
    return _mean(group, rows)


def _filters(layer: nn.Module) -> Tensor:
    assert isinstance(layer, (nn.Conv2d, nn.ConvTranspose2d, nn.Linear))
    weight = layer.weight.detach().cpu()
    return (weight.transpose(0, 1) if isinstance(layer, nn.ConvTranspose2d) else weight).flatten(1)


def _relative(row: Tensor) -> Tensor:
    return row / (row.mean() + 1e-12)


def _mean(group: Group, rows: list[tuple[Tensor, Tensor]]) -> Tensor:
    """Return for each channel of the group the mean of the rows that have it; 1, the rows' own mean, where none has."""
    total = torch.zeros(len(group[0].idxs))
    count = torch.zeros_like(total)
    for row, g in rows:
        total.index_add_(0, g, row)
        count.index_add_(0, g, torch.ones_like(row))
    return torch.where(count > 0, total / count.clamp(min=1), 1.0)
