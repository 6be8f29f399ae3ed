"""Importance criteria: functions from a group of coupled channels to one score per channel; the lowest are pruned.

A group, as torch-pruning's dependency graph finds it, lists every layer that loses a slice when a channel goes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import torch
from torch import Tensor, nn
from torch_pruning.dependency import Group
from torch_pruning.pruner import function

Criterion = Callable[[Group], Tensor]
Weighted = nn.Conv2d | nn.Linear | nn.BatchNorm2d


def bn_scale(group: Group) -> Tensor:
    """Return |gamma| of the normalizations behind the group's convolutions, averaged over them; shape (channels,).

    Each normalization's |gamma| is divided by its own mean first, so that one with large scales does not outvote the
    others. Liu et al., "Learning Efficient Convolutional Networks through Network Slimming" (ICCV 2017); with one
    normalization in the group it is the ranking of Yang et al., "Auxiliary Pneumonia Classification Algorithm Based on
    Pruning Compression" (2022), figure 3.
    """
    rows = [m.weight.detach().abs()[i] for m, i in _members(group, function.prune_batchnorm_out_channels)]
    if not rows:
        return l2_norm(group)  # a convolution without normalization has no gamma to rank by
    return torch.stack([row / (row.mean() + 1e-12) for row in rows]).mean(0)


def l2_norm(group: Group) -> Tensor:
    """Return the L2 norm of each output filter, relative to its layer's mean, averaged over the group's convolutions.

    Li et al., "Pruning Filters for Efficient ConvNets" (ICLR 2017), with L2 for their L1.
    """
    members = [*_members(group, function.prune_conv_out_channels), *_members(group, function.prune_linear_out_channels)]
    rows = [m.weight.detach().flatten(1).norm(dim=1)[i] for m, i in members]
    return torch.stack([row / (row.mean() + 1e-12) for row in rows]).mean(0)


def _members(group: Group, pruned_by: Callable[..., nn.Module]) -> Iterator[tuple[Weighted, list[int]]]:
    for dependency, indices in group:
        if dependency.pruning_fn == pruned_by and len(indices) == len(group[0].idxs):
            yield dependency.target.module, indices


CRITERIA: dict[str, Criterion] = {"bn-scale": bn_scale, "l2-norm": l2_norm}
