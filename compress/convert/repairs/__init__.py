"""A network's layers written otherwise, with equal values, where a route gets them wrong or slow.

PyTorch's functions are replaced while the network runs, so it makes no difference whether a layer is a module or a
function inside a user's forward, and all modules stay where they are.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from functools import partial
from types import MappingProxyType
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from compress.convert.repairs import convolutions, normalizations, pooling, resampling, shuffling
from compress.convert.repairs.constants import Constants
from compress.inputs import Inputs, outputs, run
from edge.errors import EdgeError

Function = Callable[..., Any]

TOLERANCE = 1e-4  # of the largest value: as far as two orders of summation lie apart, with room

_KINDS = (convolutions, normalizations, pooling, resampling, shuffling)
_REPLACEMENTS: Mapping[Function, Function] = MappingProxyType(
    {function: replacement for kind in _KINDS for function, replacement in kind.REPLACEMENTS.items()}
)


class _Otherwise(TorchFunctionMode):
    """Calls replacements in place of PyTorch's functions.

    Attributes:
        done: the names of functions that were replaced.
        constants: of the replacements.
    """

    def __init__(self) -> None:
        super().__init__()
        self.done: set[str] = set()
        self.constants = Constants()

    def __torch_function__(self, function: Function, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if function in _REPLACEMENTS:
            made = _REPLACEMENTS[function](self.constants, *args, **kwargs)
            if made is not NotImplemented:
                self.done.add(function.__name__)
                return made
        made = function(*args, **kwargs)
        pooling.remember(function, args, made)
        return made


def repaired(network: nn.Module, route: str, examples: Inputs) -> nn.Module:
    """Return a copy of `network` in evaluation mode on the CPU, in which what `route` gets wrong is written otherwise.

    Its modules have the same paths. It is run beside the network on random values.

    Raises EdgeError ("conversion.repair") where their outputs differ by more than TOLERANCE of the largest.
    """
    made = copy.deepcopy(network).cpu().eval()
    mode = _Otherwise()
    made.forward = partial(_under, mode, made.forward)
    original = copy.deepcopy(network).cpu().eval()
    generator = torch.Generator().manual_seed(0)
    values = tuple(torch.randn(x.shape, generator=generator).to(x.dtype) for x in examples)
    with torch.no_grad():
        expected, found = outputs(run(original, values)), outputs(run(made, values))
    largest = max((_difference(a, b) for a, b in zip(expected, found, strict=True)), default=0.0)
    if not largest <= TOLERANCE:
        raise EdgeError(
            f"the network written otherwise for the route {route} ({', '.join(sorted(mode.done))}) differs by "
            f"{largest:.2g} of its largest output: expected at most {TOLERANCE:g}; look for outputs that are not "
            "finite or depend on chance, or name another route",
            "conversion.repair",
        )
    return made


def _under(mode: _Otherwise, forward: Function, *args: Any, **kwargs: Any) -> Any:
    mode.constants.begin()
    with mode:
        return forward(*args, **kwargs)


def _difference(expected: Tensor, found: Tensor) -> float:
    """Return the largest difference, as a share of the largest value; infinity where the shapes differ."""
    if expected.shape != found.shape:
        return float("inf")
    return float((expected - found).abs().max() / expected.abs().max().clamp(min=1e-30))
