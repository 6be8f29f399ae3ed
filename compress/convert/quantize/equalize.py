"""Cross-layer equalization: channels of a tensor between two convolutions brought to one size, in float without effect.

f being ReLU, leaky ReLU, pooling, zero padding or nothing, and s positive for each channel, f(x / s) = f(x) / s, so
W2 f(W1 x + b1) = (W2 s) f((W1 / s) x + b1 / s) (Nagel et al. 2019, "Data-free quantization through weight equalization
and bias correction", eq. 6 and 7). Its s of eq. 11, sqrt(r1 r2) / r2, makes the ranges r1 of W1's channels and r2 of
W2's the same. In TFLite a convolution's weights have a scale for each output channel, so dividing W1's channels by s
costs no precision; what has one scale for all channels is the tensor between: r1 here is that tensor's largest value on
the calibration images. A depthwise W2 has a scale for each channel too, r2 is no matter, and s = r1.

A ReLU6 is not equalized: its bound would have to be another one for each channel.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from compress.convert.quantize.constants import WEIGHTED, bias_of
from compress.convert.quantize.model import Model
from compress.convert.quantize.ranges import Observed

_FIRST = ("CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED")
_BETWEEN = ("RELU", "LEAKY_RELU", "PAD", "MAX_POOL_2D", "AVERAGE_POOL_2D")
_SECOND = ("CONV_2D", "DEPTHWISE_CONV_2D")
_ACTIVATIONS = (schema.ActivationFunctionType.NONE, schema.ActivationFunctionType.RELU)
_MOST = 2.0**12  # that a channel is scaled by, either way


class _Chain(NamedTuple):
    """Two operators with weights, and the tensors between them, in order."""

    first: Any
    second: Any
    between: tuple[int, ...]


def equalize(model: Model, observed: Mapping[int, Observed]) -> dict[int, Observed]:
    """Change the weights of a float32 model; return what its tensors would have held."""
    changed = dict(observed)
    for chain in _chains(model):
        scale = _scale(model, chain, changed[chain.between[-1]])
        _scale_outputs(model, chain.first, 1 / scale)
        _scale_inputs(model, chain.second, scale)
        changed |= {tensor: changed[tensor].divided(scale) for tensor in chain.between}
    return changed


def _chains(model: Model) -> list[_Chain]:
    readers = model.readers()
    found = []
    for operator in model.operators:
        operator.inputs = list(map(int, operator.inputs))
        if model.kind(operator) not in _FIRST or not _is_plain(model, operator):
            continue
        between, last = [], operator
        while True:
            tensor = int(last.outputs[0])
            between.append(tensor)
            if len(readers.get(tensor, ())) != 1 or tensor in model.outputs:
                break
            last = model.operators[readers[tensor][0]]
            if model.kind(last) not in _BETWEEN or not _is_homogeneous(model, last):
                break
        if last is not operator and _reads_all(model, last, between[-1]):
            found.append(_Chain(operator, last, tuple(between)))
    return found


def _is_plain(model: Model, operator: Any) -> bool:
    """Return whether an operator's weights and bias are constants, and its activation lets positive factors through."""
    weighted = WEIGHTED[model.kind(operator)]
    has_bias = len(operator.inputs) > weighted.bias and operator.inputs[weighted.bias] >= 0
    constants = [operator.inputs[weighted.weights]] + [operator.inputs[weighted.bias]] * has_bias
    return _is_homogeneous(model, operator) and all(model.is_float(one) and model.is_constant(one) for one in constants)


def _is_homogeneous(model: Model, operator: Any) -> bool:
    if model.kind(operator) == "PAD" and np.ravel(model.values(int(operator.inputs[1])))[-2:].any():
        return False  # channels of its own
    return getattr(operator.builtinOptions, "fusedActivationFunction", _ACTIVATIONS[0]) in _ACTIVATIONS


def _reads_all(model: Model, operator: Any, tensor: int) -> bool:
    """Return whether an operator is a convolution over all channels of a tensor, or one for each."""
    if model.kind(operator) not in _SECOND or int(operator.inputs[0]) != tensor:
        return False
    weights = int(operator.inputs[1])
    return model.is_float(weights) and model.is_constant(weights) and model.shape(weights)[3] == model.shape(tensor)[-1]


def _scale(model: Model, chain: _Chain, held: Observed) -> np.ndarray:
    """Return s, float32 (channels)."""
    first = np.maximum(-held.lows, held.highs).max(0).astype(np.float64)
    second = np.ones_like(first)
    if model.kind(chain.second) == "CONV_2D":
        second = np.abs(model.values(int(chain.second.inputs[1]))).max((0, 1, 2)).astype(np.float64)
    alive = (first > 0) & (second > 0)
    scale = np.ones_like(first)
    scale[alive] = first[alive]
    if model.kind(chain.second) == "CONV_2D":
        scale[alive] = np.sqrt(first[alive] / second[alive])
    if alive.any():
        scale[alive] /= np.exp(np.log(scale[alive]).mean())
    return np.clip(scale, 1 / _MOST, _MOST).astype(np.float32)


def _scale_outputs(model: Model, operator: Any, by: np.ndarray) -> None:
    weighted = WEIGHTED[model.kind(operator)]
    values = model.values(operator.inputs[weighted.weights])
    along = [-1 if number == weighted.axis else 1 for number in range(values.ndim)]
    _change(model, operator, weighted.weights, values * by.reshape(along))
    bias = bias_of(model, operator, weighted)
    if bias is not None:
        _change(model, operator, weighted.bias, bias * by)


def _scale_inputs(model: Model, operator: Any, by: np.ndarray) -> None:
    operator.inputs = list(map(int, operator.inputs))
    _change(model, operator, 1, model.values(operator.inputs[1]) * by)


def _change(model: Model, operator: Any, place: int, values: np.ndarray) -> None:
    """Give an operator other constants: where others read the tensor too, in one of its own.

    So no tensor is dropped, and the numbers of all stay.
    """
    tensor = operator.inputs[place]
    if sum(list(map(int, other.inputs)).count(tensor) for other in model.operators) > 1:
        tensor = operator.inputs[place] = model.add_tensor(tensor)
    model.set_values(tensor, values.astype(np.float32))
