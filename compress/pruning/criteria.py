"""Importance criteria: functions from a group of coupled channels to one score per channel; the lowest are pruned.

A group, as torch-pruning's dependency graph finds it, lists every layer that loses a slice when a channel goes;
`compress.pruning.groups.members` walks through it. A criterion is any function

    criterion(group) -> float tensor (channels,), finite

that may ask by name for more: `examples` (`compress.pruning.taylor.Batches`: images, targets, the network), `across`
(whether all layers are ranked together) and `generator` (of random numbers, seeded by the step's seed). CRITERIA has
the project's own; a recipe names any other by "package.module:function".
"""

from __future__ import annotations

import difflib
import importlib
import inspect
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch_pruning.dependency import Group
from torch_pruning.pruner import function

from compress.pruning.groups import members
from compress.pruning.taylor import taylor, taylor_abs, taylor_sq
from edge.errors import EdgeError

EXACT = "donot_use_mm_for_euclid_dist"  # differences of near filters, not of their products
Function = Callable[..., Tensor]
ASKED = ("examples", "across", "generator")  # what a criterion may ask for beside the group


def bn_scale(group: Group, across: bool = False) -> Tensor:
    """Return |gamma| of the normalizations behind the group's convolutions, averaged over them; shape (channels,).

    Each normalization's |gamma| is divided by its own mean first, so that one with large scales does not outvote the
    others. Liu et al., "Learning Efficient Convolutional Networks through Network Slimming" (ICCV 2017); with one
    normalization in the group it is the ranking of Yang et al., "Auxiliary Pneumonia Classification Algorithm Based on
    Pruning Compression" (2022), figure 3.

    `across` layers it is the largest |gamma|: Liu et al. compare |gamma| itself across layers, since the network was
    trained to make it small where it can; of coupled layers the largest counts, as in Huang and Wang,
    "Multi-granularity Pruning for Deep Residual Networks" (J. Intell. Fuzzy Syst. 2020), because the channel is needed
    if one of them needs it. Convolutions without normalization count as if their scales were 1 on average.

    Without any normalization it is `l2_norm`.
    """
    rows = list(_scales(group))
    if not rows:
        return l2_norm(group)
    if not across:
        return _mean(group, [(_relative(gamma), g) for gamma, g in rows])
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


def random(group: Group, generator: torch.Generator) -> Tensor:
    """Return scores drawn evenly from [0, 1): what a better criterion has to beat."""
    return torch.rand(len(group[0].idxs), generator=generator)


@dataclass(frozen=True)
class Criterion:
    """A criterion, as settings name it.

    Attributes:
        name: as in a recipe. function: see above.
        of_filters: whether it looks at filters and at nothing else. Soft pruning needs that: it scores each filter as
            its normalization scales it.
    """

    name: str
    function: Function
    of_filters: bool = False

    @property
    def asks(self) -> frozenset[str]:
        """Which of ASKED it asks for."""
        return frozenset(inspect.signature(self.function).parameters) & frozenset(ASKED)


CRITERIA = {
    criterion.name: criterion
    for criterion in (
        Criterion("bn-scale", bn_scale),
        Criterion("l2-norm", l2_norm, of_filters=True),
        Criterion("fpgm", fpgm, of_filters=True),
        Criterion("taylor", taylor),
        Criterion("taylor-abs", taylor_abs),
        Criterion("taylor-sq", taylor_sq),
        Criterion("random", random),
    )
}
FILTERS = tuple(name for name, criterion in CRITERIA.items() if criterion.of_filters)


def named(name: str | Function) -> Criterion:
    """Return the criterion of this name, "package.module:function", or function.

    Raises EdgeError for an unknown name, and for what is no function of a group and of ASKED.
    """
    if isinstance(name, str) and name in CRITERIA:
        return CRITERIA[name]
    if isinstance(name, str) and ":" not in name:
        near = difflib.get_close_matches(name, CRITERIA, n=1)
        hint = f"; did you mean {near[0]!r}?" if near else ""
        raise EdgeError(f"one of {', '.join(CRITERIA)}, or 'package.module:function'{hint}")
    function = _imported(name) if isinstance(name, str) else name
    label = (
        name if isinstance(name, str) else f"{getattr(name, '__module__', '')}:{getattr(name, '__qualname__', name)}"
    )
    try:
        parameters = list(inspect.signature(function).parameters.values())
    except (TypeError, ValueError):
        raise EdgeError(f"a function of a group of channels, and not a {type(function).__name__}") from None
    unknown = [
        p.name
        for p in parameters[1:]
        if p.default is p.empty and p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD) and p.name not in ASKED
    ]
    if not parameters or unknown:
        raise EdgeError(
            f"a function of a group of channels that asks for nothing but {', '.join(ASKED)}"
            + (f", and not for {', '.join(unknown)}" if unknown else "")
        )
    return Criterion(label, function, of_filters=True)


def _imported(name: str) -> Function:
    module, _, attribute = name.partition(":")
    try:
        function: Function = getattr(importlib.import_module(module), attribute)
    except (Exception, SystemExit) as error:  # the user's own code
        raise EdgeError(f"a function that can be imported ({type(error).__name__}: {error})") from None
    return function


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
