"""What a network costs before anything is measured: parameters and multiply-accumulates.

Two numbers of MACs, both of one pass over the example inputs, in evaluation mode: give a batch of 1 for those of one
image. `macs` is what the pruning papers count (and often call
FLOPs) and what a recipe's `macs = 0.6` removes a share of: convolutions and linear layers. `macs_executed` adds the
products of activations with activations, which attention is made of, and recurrent layers. Normalizations, activation
functions, pooling, resampling and biases count in neither.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from compress.inputs import Inputs, as_inputs, run

RECURRENT = {"lstm", "gru", "rnn_tanh", "rnn_relu", "lstm_cell", "gru_cell", "rnn_tanh_cell", "rnn_relu_cell"}
CONTRACTIONS = {"einsum", "tensordot", "inner"}  # they may copy a weight before they multiply with it
aten = torch.ops.aten


@dataclass(frozen=True)
class Cost:
    """Parameters, and the MACs of one pass over the example inputs.

    Attributes:
        parameters: how many there are.
        macs: of convolutions and linear layers (what the pruning papers call FLOPs).
        products: MACs of attention's products and of recurrent layers, which no share to remove refers to.
    """

    parameters: int
    macs: int
    products: int = 0

    @property
    def macs_executed(self) -> int:
        """All MACs: of convolutions, linear layers, attention's products and recurrent layers."""
        return self.macs + self.products


@dataclass
class Count:
    """What one forward pass multiplies.

    Attributes:
        macs: of convolutions and linear layers. products: of attention and recurrent layers.
        weights: parameter or buffer -> the part of `macs` that it makes; what is computed from parameters (a
            normalized weight) is not in here.
    """

    macs: int = 0
    products: int = 0
    weights: Counter[Tensor] = field(default_factory=Counter)

    def of(self, network: nn.Module) -> Cost:
        """Return it as the cost of `network`, which was counted."""
        return Cost(sum(p.numel() for p in network.parameters()), self.macs, self.products)


def cost(network: nn.Module, inputs: Tensor | Inputs) -> Cost:
    """Return the cost of `network` for example inputs; see `count`."""
    return count(network, inputs).of(network)


def count(network: nn.Module, inputs: Tensor | Inputs) -> Count:
    """Run `network` once in evaluation mode on copies of `inputs`, one tensor or several, and count its products.

    Operators are counted as PyTorch runs them, whether a module calls them or `torch.nn.functional`:

    * a convolution is kernel * in_channels / groups MACs for each element of its output; a transposed one is
      kernel * out_channels / groups for each element of its input;
    * a linear layer is its weights, for each position that it is applied to. A matrix product with a parameter or a
      buffer, or with what is made of these alone (a cast, a transpose), is a linear layer, however it is written;
    * a matrix product of two activations, (n, k) by (k, m), is n * k * m; attention is two of them. A causal mask makes
      it no less;
    * a recurrent layer is all its weight matrices, for each step in time.
    """
    found = Count()
    weights = [*network.parameters(), *network.buffers()]
    training, fast = network.training, torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)  # one fused operator for a whole encoder layer
    try:
        with torch.no_grad(), _Operators(found, weights) as operators, _Calls(operators):
            run(network.eval(), as_inputs(inputs))
    finally:
        network.train(training)
        torch.backends.mha.set_fastpath_enabled(fast)
    return found


class _Operators(TorchDispatchMode):
    """Counts operators below autograd, where a linear layer and attention are both matrix products."""

    def __init__(self, found: Count, weights: list[Tensor]):
        super().__init__()
        self.found = found
        self._owners = {_storage(weight): weight for weight in weights if weight.numel()}
        self._copies: dict[int, Tensor] = {}  # what is made of weights alone: cast, transposed, scaled
        self._linear = self._counted = False

    @contextmanager
    def within(self, linear: bool = False, counted: bool = False) -> Iterator[None]:
        """Take all matrix products for linear layers meanwhile, or for counted already."""
        before = self._linear, self._counted
        self._linear, self._counted = linear, counted
        try:
            yield
        finally:
            self._linear, self._counted = before

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        out = func(*args, **(kwargs or {}))
        if self._counted:
            return out
        name = func.overloadpacket
        if name in (aten.convolution, aten._convolution):
            self._add_layer(_convolution(args, out), args[1])
        elif name is aten._trilinear:  # nn.Bilinear
            self._add_layer(out.numel() // out.shape[-1] * args[1].numel(), args[1])
        elif name is aten.mkldnn_rnn_layer:  # of a network that TorchScript runs; others are seen as they are called
            self.found.products += args[0].shape[:-1].numel() * (args[1].numel() + args[2].numel())
        elif name in _PRODUCTS:
            a, b = _PRODUCTS[name](args)
            weight = next((t for t in (b, a) if self._is_weight(t)), None)
            if self._linear or weight is not None:
                self._add_layer(_product(a, b), weight)
            else:
                self.found.products += _product(a, b)
        elif str(name).startswith("aten._scaled_dot_product"):
            q, k, v = args[:3]
            self.found.products += q.shape[:-1].numel() * k.shape[-2] * (q.shape[-1] + v.shape[-1])
        elif isinstance(out, Tensor) and not self._is_weight(out):
            read = [leaf for leaf in tree_leaves((args, kwargs)) if isinstance(leaf, Tensor)]
            if read and all(map(self._is_weight, read)):
                self._copies[_storage(out)] = out  # kept, so that nothing else gets its place
        return out

    def _is_weight(self, tensor: Tensor) -> bool:
        return _storage(tensor) in self._owners or _storage(tensor) in self._copies

    def own_one_of(self, values: Any) -> bool:
        """Whether a tensor among `values`, or in lists there, is a parameter or a buffer."""
        return any(isinstance(leaf, Tensor) and _storage(leaf) in self._owners for leaf in tree_leaves(values))

    def _add_layer(self, macs: int, weight: Tensor | None) -> None:
        self.found.macs += macs
        if weight is not None and (owner := self._owners.get(_storage(weight))) is not None:
            self.found.weights[owner] += macs


class _Calls(TorchFunctionMode):
    """Sees PyTorch's functions as a network calls them, before they are taken apart into operators."""

    def __init__(self, operators: _Operators):
        super().__init__()
        self._operators = operators

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs, name = kwargs or {}, getattr(func, "__name__", "")
        values = [*args, *kwargs.values()]
        if func is F.linear or (name in CONTRACTIONS and self._operators.own_one_of(values)):
            with self._operators.within(linear=True):
                return func(*args, **kwargs)
        if name in RECURRENT:
            self._operators.found.products += _recurrent(name, values)
            with self._operators.within(counted=True):
                return func(*args, **kwargs)
        return func(*args, **kwargs)


_PRODUCTS: dict[Any, Callable[[Any], tuple[Tensor, Tensor]]] = {
    **dict.fromkeys((aten.mm, aten.bmm, aten.mv, aten.dot, aten.vdot), lambda args: args[:2]),
    **dict.fromkeys((aten.addmm, aten.baddbmm, aten.addbmm, aten.addmv, aten._addmm_activation), lambda a: a[1:3]),
}


def _product(a: Tensor, b: Tensor) -> int:
    """Return the MACs of a product of vectors, matrices or batches of matrices."""
    return a.numel() * (b.shape[-1] if b.ndim > 1 else 1)


def _convolution(args: Any, out: Tensor) -> int:
    x, weight, transposed = args[0], args[1], args[6]
    return weight.numel() * (x.numel() // weight.shape[0] if transposed else out.numel() // weight.shape[0])


def _recurrent(name: str, args: list[Any]) -> int:
    """Return the MACs of a recurrent layer, for each step (or element of a packed sequence) all matrices of weights."""
    weights = args[2:4] if name.endswith("_cell") else [arg for arg in args if isinstance(arg, list | tuple)][-1]
    return int(args[0].shape[:-1].numel() * sum(w.numel() for w in weights if w.ndim == 2))


def _storage(tensor: Tensor) -> int:
    return tensor.untyped_storage()._cdata
