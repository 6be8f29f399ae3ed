"""Example inputs: what a network is run on, once, to see what it does."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_leaves

from edge.errors import EdgeError

Inputs = tuple[Tensor, ...]


def as_inputs(given: Tensor | Sequence[Tensor]) -> Inputs:
    """Return a network's example inputs as a tuple, in the order of its forward's arguments.

    Args:
        given: one tensor, or one for each input. Shape (with the batch) and type are those of the network's real
            inputs.

    Raises EdgeError for anything else.
    """
    if isinstance(given, Tensor):
        return (given,)
    items = tuple(given) if isinstance(given, Sequence) else ()
    if items and all(isinstance(item, Tensor) for item in items):
        return items
    found = f"({', '.join(type(item).__name__ for item in items)})" if items else type(given).__name__
    raise EdgeError(
        f"the example inputs are {found}: expected one tensor, or a tuple with one for each input of the network, such "
        "as torch.zeros(1, 3, 224, 224)"
    )


def inputs_of(shape: Sequence[int]) -> Inputs:
    """Return the example input of a network that reads one image: zeros, float32 (1, channels, height, width).

    Args:
        shape: (channels, height, width).
    """
    return (torch.zeros(1, *shape),)


def run(network: nn.Module, inputs: Inputs) -> Any:
    """Return what `network` returns for copies of `inputs`, which it may change in place, on its own device."""
    device = next((tensor.device for tensor in (*network.parameters(), *network.buffers())), None)
    return network(*(x.to(device, copy=True) for x in inputs))


def outputs(returned: Any) -> tuple[Tensor, ...]:
    """Return the tensors of what a network returned: a tensor, or tuples, lists and dictionaries of tensors."""
    return tuple(leaf for leaf in tree_leaves(returned) if isinstance(leaf, Tensor))
