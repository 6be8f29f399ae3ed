"""Folding: a grey picture in three equal planes needs one."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import nn

from edge.errors import EdgeError


@dataclass(frozen=True)
class Folding:
    """The step `fold-grey`; it has no settings."""


def fold_grey(network: nn.Module, shape: tuple[int, int, int]) -> nn.Module:
    """Make the first convolution read one plane and return the network, which gives the same logits as before.

    With x the same plane three times, sum_c w_c * x = (sum_c w_c) * x. The three planes must be normalized alike.

    Args:
        shape: (3, height, width) of the input.
    """
    seen: list[nn.Conv2d] = []
    convs = [m for m in network.modules() if isinstance(m, nn.Conv2d)]
    hooks = [conv.register_forward_hook(lambda module, *_: seen.append(module)) for conv in convs]
    with torch.no_grad():
        network.eval()(torch.zeros(1, *shape))
    for hook in hooks:
        hook.remove()
    first = seen[0] if seen else None
    if first is None or first.in_channels != shape[0] or first.groups != 1:
        raise EdgeError(
            "step fold-grey found no ordinary convolution over 3 planes as the network's first: "
            "take the step out of the recipe, or set input.channels = 1"
        )
    first.weight = nn.Parameter(first.weight.detach().sum(1, keepdim=True))
    first.in_channels = 1
    return network
