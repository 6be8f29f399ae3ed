"""Which module of a network each tensor of its float32 file comes from, found by what they hold.

No converter has to tell: the network and the file run on the same image, and what is equal is the same.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence, Set
from typing import Any, NamedTuple

import numpy as np
import torch
from ai_edge_litert import schema_py_generated as schema
from torch import Tensor, nn
from torch.utils.weak import WeakTensorKeyDictionary

from compress.convert.layout import in_order
from compress.convert.quantize.model import Model, read, reads, write
from compress.convert.quantize.ranges import Float
from compress.inputs import Inputs, outputs, run

NEAR = 1e-3  # of the largest value: what differs less is the same tensor
SMALL = 1e-6  # the largest value of a tensor that counts as zero
# What a converter puts into the operator before it.
_FUSED: dict[int, Callable[[np.ndarray], np.ndarray]] = {
    schema.ActivationFunctionType.RELU: lambda x: np.maximum(x, 0),
    schema.ActivationFunctionType.RELU_N1_TO_1: lambda x: np.clip(x, -1, 1),
    schema.ActivationFunctionType.RELU6: lambda x: np.clip(x, 0, 6),
}


class Origins(NamedTuple):
    """Which modules a file's tensors come from.

    Attributes:
        modules: tensor of the file, by its number -> path of the module. What a tensor holds decides: the innermost
            module that gives it, of several the first. Where a converter has fused several (convolution,
            normalization, activation), it is the first of them. What a module needs on the way from its inputs to its
            output (the mean of a normalization, the products of an attention) is the innermost such module's.
        unmatched: modules without calls of others in them whose output no tensor has, in the order of execution; not
            those that were fused into one that has a tensor, nor parts of one that has. In a file that is right, none
            of them matters; in one that is not, the first of them is where it goes wrong.
    """

    modules: Mapping[int, str]
    unmatched: tuple[str, ...]


class _Call(NamedTuple):
    """One call of a module.

    Attributes:
        first: the number of the first call inside it; its own number where there is none.
        sources: the calls that gave what it reads, as it was when it was given.
        entries, found: the tensors of the file that hold what it reads, and what it gives.
        is_identity: whether it gives what it was given.
    """

    path: str
    first: int
    sources: frozenset[int]
    entries: frozenset[int]
    found: frozenset[int]
    is_identity: bool


def origins(network: nn.Module, flatbuffer: bytes, example: Inputs) -> Origins:
    """Return which module of `network` each computed float32 tensor of the file comes from.

    Tensors are numbered as `compress.convert.quantize.model.write` leaves them, which is how a quantization reports
    them. Of the network no more than one layer's values are held beside what it holds itself.

    Args:
        network: in evaluation mode, as its user wrote it.
        flatbuffer: float32, of any route.
        example: inputs with batch 1, best a real image: on constant ones different tensors are alike.
    """
    file = _File(flatbuffer, example)
    calls = _calls(network, file, example)
    fused = _fused(calls)
    modules: dict[int, str] = {}
    own = [(number, call) for number, call in enumerate(calls) if not call.is_identity]
    for number, call in own:
        for tensor in call.found:
            modules.setdefault(tensor, calls[fused.get(number, [number])[-1]].path)
    for number, call in own:
        begin = calls[fused.get(number, [number])[-1]]
        for tensor in file.between(begin.entries, call.found):
            modules.setdefault(tensor, begin.path)
    return Origins(modules, tuple(dict.fromkeys(calls[number].path for number in _unexplained(calls, fused))))


def _fused(calls: Sequence[_Call]) -> dict[int, list[int]]:
    """Return the calls that gave a tensor -> those whose outputs no tensor has, and that led to it, from its end."""
    found: dict[int, list[int]] = {}
    for number, call in enumerate(calls):
        chain, last = [], number
        while call.found and (before := max(calls[last].sources, default=-1)) >= 0 and not calls[before].found:
            chain.append(before)
            last = before
        if chain:
            found[number] = chain
    return found


def _unexplained(calls: Sequence[_Call], fused: Mapping[int, Sequence[int]]) -> Iterator[int]:
    """Yield the innermost calls that gave no tensor, were not fused into others, and are in none that gave one."""
    explained = {number for chain in fused.values() for number in chain}
    for number, call in enumerate(calls):
        if call.found:
            explained.update(range(call.first, number + 1))
    return (number for number, call in enumerate(calls) if call.first == number and number not in explained)


def _calls(network: nn.Module, file: _File, example: Inputs) -> list[_Call]:
    """Run the network once; return the calls of its modules, but not of itself, in the order in which they end."""
    trace = _Trace(file)
    hooks = []
    for path, module in network.named_modules():
        if path:
            hooks.append(module.register_forward_pre_hook(trace.begin, with_kwargs=True))
            hooks.append(module.register_forward_hook(trace.end(path), with_kwargs=True))
    try:
        with torch.no_grad():
            run(network, example)
    finally:
        for one in hooks:
            one.remove()
    return trace.calls


class _Trace:
    """The calls of a run, noted by hooks while it goes on."""

    def __init__(self, file: _File) -> None:
        self.calls: list[_Call] = []
        self._file = file
        self._opened: list[tuple[int, frozenset[int], frozenset[int], list[tuple[Tensor, int]]]] = []
        self._claimed: set[int] = set()  # tensors that a call has given already
        # Which call gave a tensor, and the version that it was in: what was changed in place since then is another.
        self._givers = WeakTensorKeyDictionary()

    def begin(self, module: nn.Module, given: Any, named: Any) -> None:
        tensors = outputs((given, named))
        sources = frozenset(number for x in tensors if (number := self._giver(x)) is not None)
        entries = frozenset[int]().union(*map(self._holding, tensors))
        self._claimed |= entries
        self._opened.append((len(self.calls), sources, entries, [(x, x._version) for x in tensors]))

    def end(self, path: str) -> Callable[..., None]:
        def note(module: nn.Module, given: Any, named: Any, returned: Any) -> None:
            first, sources, entries, read = self._opened.pop()
            gave, number = outputs(returned), len(self.calls)
            is_identity = all(any(x is y and x._version == version for y, version in read) for x in gave)
            found = entries if is_identity else frozenset[int]().union(*map(self._holding, gave))
            self._claimed |= found
            self.calls.append(_Call(path, first, sources, entries, found, is_identity))
            for x in gave:
                if not is_identity and ((giver := self._giver(x)) is None or giver < first):
                    self._givers[x] = number, x._version

        return note

    def _giver(self, x: Tensor) -> int | None:
        number, version = self._givers.get(x, (None, None))
        return number if version == x._version else None

    def _holding(self, x: Tensor) -> frozenset[int]:
        giver = self._giver(x)
        return self._file.holding(x, self._claimed) if giver is None else self.calls[giver].found


class _File:
    """A float32 file that has run on an image, and what its tensors hold."""

    def __init__(self, flatbuffer: bytes, example: Inputs) -> None:
        self._model = model = read(flatbuffer, "the float32 file")
        whole = write(model, "the float32 file")
        self._value = Float(whole, "the float32 file").run(in_order(whole, example))
        self._writers = model.writers()
        self._fused = {tensor: _activation(model, tensor, self._writers) for tensor in range(len(model.tensors))}
        self._like: dict[tuple[int, int], list[tuple[float, int]]] = {}
        for tensor in range(len(model.tensors)):
            if model.is_float(tensor) and not model.is_constant(tensor):
                values = self._value(tensor)
                for kind in {0, self._fused[tensor]} if values.size else ():
                    self._like.setdefault((values.size, kind), []).append((_mean(values), tensor))

    def holding(self, x: Tensor, claimed: Set[int]) -> frozenset[int]:
        """Return the tensors that hold the same values, or what a fused activation makes of them, in either layout.

        Where an addition of almost nothing, say, makes tensors equal, it is the first of them that nobody has claimed,
        with those that have its values in another shape or order.
        """
        if not x.numel() or not any((x.numel(), kind) in self._like for kind in (0, *_FUSED)):
            return frozenset()
        plain = x.detach().float().cpu().numpy()
        equal: set[int] = set()
        for kind in (0, *_FUSED):
            if (plain.size, kind) in self._like:
                equal.update(self._equal(_FUSED[kind](plain) if kind else plain, self._like[plain.size, kind]))
        found: set[int] = set()
        for tensor in sorted(equal - claimed or equal, key=lambda tensor: self._writers.get(tensor, -1)):
            if not found or self._moved(tensor) in found:
                found.add(tensor)
        return frozenset(found)

    def _moved(self, tensor: int) -> int:
        """Return the one tensor that a tensor is computed from; -1 where there are several."""
        if tensor not in self._writers:
            return -1
        computed = [t for t in reads(self._model.operators[self._writers[tensor]]) if not self._model.is_constant(t)]
        return computed[0] if len(computed) == 1 else -1

    def _equal(self, values: np.ndarray, candidates: Sequence[tuple[float, int]]) -> Iterator[int]:
        if not np.isfinite(values).all():
            return
        most, mean = NEAR * max(float(np.abs(values).max()), SMALL), _mean(values)
        near = [tensor for other, tensor in candidates if abs(other - mean) <= most]
        if not near:
            return
        layouts = [values.ravel()]
        if values.ndim > 2:
            layouts.append(np.moveaxis(values, 1, -1).ravel())
        for tensor in near:
            held = self._value(tensor).ravel()
            if any(np.abs(held - flat).max() <= most for flat in layouts):
                yield tensor

    def between(self, entries: frozenset[int], exits: frozenset[int]) -> list[int]:
        """Return the tensors that are computed on the way from some to others; none where more is needed on it."""
        seen: set[int] = set()
        left = [tensor for tensor in exits if tensor not in entries]
        while left:
            tensor = left.pop()
            if tensor in seen or tensor in entries or self._model.is_constant(tensor):
                continue
            if tensor not in self._writers:
                return []  # an input of the network that the module does not read
            seen.add(tensor)
            left += reads(self._model.operators[self._writers[tensor]])
        return sorted(seen)


def _mean(values: np.ndarray) -> float:
    """Return the mean; padding with the lowest number there is does not overflow."""
    return float(values.mean(dtype=np.float64))


def _activation(model: Model, tensor: int, writers: Mapping[int, int]) -> int:
    """Return the activation that is fused into the operator that writes a tensor; 0 for none."""
    options = model.operators[writers[tensor]].builtinOptions if tensor in writers else None
    found = getattr(options, "fusedActivationFunction", 0)
    return found if found in _FUSED else 0
