"""A network's layers written otherwise, with equal values, where a route gets them wrong or slow."""

from __future__ import annotations

import copy

from torch import nn

from compress.inputs import Inputs


def repaired(network: nn.Module, route: str, examples: Inputs) -> nn.Module:
    """Return a copy of `network` in evaluation mode on the CPU, in which what `route` gets wrong is written otherwise."""
    return copy.deepcopy(network).cpu().eval()
