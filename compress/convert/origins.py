"""Which module of a network each tensor of its float32 file is the output of, found by what they hold."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from compress.convert.quantize.model import Model, read, write
from compress.convert.quantize.ranges import Float
from compress.inputs import Inputs, outputs, run

NEAR = 1e-3  # of the largest value: what differs less is the same tensor


class Origins(NamedTuple):
    """Which modules a file's tensors come from.

    Attributes:
        modules: tensor of the file, by its number -> path of the module. Where a converter has fused several
            (convolution, normalization, activation), it is the first of them.
        unmatched: modules without modules in them whose output no tensor has, and that were not fused into one that has
            a tensor; in the order of execution. In a file that is right, none of them matters; in one that is not, the
            first of them is where it goes wrong.
    """

    modules: Mapping[int, str]
    unmatched: tuple[str, ...]


class _Call(NamedTuple):
    """One call of a module: what it read and wrote, by identity, and what it gave, channels last and flat."""

    path: str
    reads: frozenset[int]
    writes: frozenset[int]
    values: list[np.ndarray]


def origins(network: nn.Module, flatbuffer: bytes, example: Inputs) -> Origins:
    """Return which module of `network` each computed float32 tensor of the file comes from.

    Args:
        network: in evaluation mode, as its user wrote it.
        flatbuffer: float32, of any route.
        example: inputs with batch 1, best a real image: on constant ones different tensors are alike.
    """
    from compress.convert.proof import in_order

    model = read(flatbuffer, "the float32 file")
    whole = write(model, "the float32 file")
    values_of = Float(whole, "the float32 file").run(in_order(whole, example))
    tensors = {tensor: np.ravel(values_of(tensor)) for tensor in _computed(model)}
    calls = _calls(network, example)
    index = _index(tensors)
    matched = {number: found for number, call in enumerate(calls) if (found := _equal(call, tensors, index))}
    fused = _fused(calls, set(matched))
    modules: dict[int, str] = {}
    for number, found in matched.items():
        for tensor in found:
            modules.setdefault(tensor, calls[fused.get(number, number)].path)
    explained = set(matched) | {first for last in fused for first in _chain(calls, last, set(matched))}
    return Origins(modules, tuple(call.path for number, call in enumerate(calls) if number not in explained))


def _computed(model: Model) -> Iterator[int]:
    return (int(t) for op in model.operators for t in op.outputs if model.is_float(int(t)))


def _calls(network: nn.Module, example: Inputs) -> list[_Call]:
    """Run the network once; return the calls of its innermost modules, in order."""
    calls: list[_Call] = []
    alive: list[Any] = []  # an identity is a tensor's own as long as it lives

    def hook(path: str) -> Any:
        def note(module: nn.Module, given: Any, returned: Any) -> None:
            alive.append((given, returned))
            gave = outputs(returned)
            reads, writes = (frozenset(map(id, side)) for side in (outputs(given), gave))
            calls.append(_Call(path, reads, writes, [_flat(y) for y in gave]))

        return note

    inner = [(path, module) for path, module in network.named_modules() if not any(True for _ in module.children())]
    hooks = [module.register_forward_hook(hook(path)) for path, module in inner]
    try:
        with torch.no_grad():
            run(network, example)
    finally:
        for one in hooks:
            one.remove()
    return calls


def _flat(values: Tensor) -> np.ndarray:
    plain = values.detach().float().cpu()
    return np.ravel((plain.permute(0, 2, 3, 1) if plain.ndim == 4 else plain).numpy().copy())


def _index(tensors: Mapping[int, np.ndarray]) -> dict[int, list[tuple[float, int]]]:
    """Return the tensors by their number of elements, with their mean."""
    found: dict[int, list[tuple[float, int]]] = {}
    for tensor, values in tensors.items():
        found.setdefault(values.size, []).append((float(values.mean()) if values.size else 0.0, tensor))
    return found


def _equal(call: _Call, tensors: Mapping[int, np.ndarray], index: Mapping[int, list[tuple[float, int]]]) -> list[int]:
    """Return the tensors that hold one of a call's outputs."""
    found = []
    for values in call.values:
        if not values.size:
            continue
        most, mean = NEAR * max(float(np.abs(values).max()), 1e-6), float(values.mean())
        for other, tensor in index.get(values.size, ()):
            if abs(other - mean) <= most and np.abs(tensors[tensor] - values).max() <= most:
                found.append(tensor)
    return found


def _fused(calls: list[_Call], matched: set[int]) -> dict[int, int]:
    """Return the matched calls that end a chain of fused ones, and the first of each chain."""
    return {number: chain[-1] for number in matched if (chain := _chain(calls, number, matched))}


def _chain(calls: list[_Call], last: int, matched: set[int]) -> list[int]:
    """Return the unmatched calls that led to one, from its end: each gave what the next one read."""
    chain: list[int] = []
    reads = calls[last].reads
    for number in range(last - 1, -1, -1):
        if number in matched and calls[number].writes & reads:
            break
        if number not in matched and calls[number].writes & reads:
            chain.append(number)
            reads = calls[number].reads
    return chain
