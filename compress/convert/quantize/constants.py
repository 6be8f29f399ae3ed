"""Constants in int8: weights by channel, biases in the accumulator's steps, what is added or compared."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from compress.convert.quantize.groups import JOINS, MOVES
from compress.convert.quantize.model import Model, quantization
from compress.convert.quantize.parameters import (
    FLOAT32,
    INT16,
    WEIGHT,
    Scaled,
    asymmetric,
    in_steps,
    of_weights,
    quantized,
    symmetric,
)
from compress.convert.quantize.ranges import PADDING
from edge.errors import EdgeError


class Weighted(NamedTuple):
    """Which inputs of an operator are what it weighs, its weights and its bias; and the axis of the output channels."""

    source: int
    weights: int
    bias: int
    axis: int


WEIGHTED = {
    "CONV_2D": Weighted(0, 1, 2, 0),
    "DEPTHWISE_CONV_2D": Weighted(0, 1, 2, 3),
    "FULLY_CONNECTED": Weighted(0, 1, 2, 0),
    "TRANSPOSE_CONV": Weighted(2, 1, 3, 0),
}


def check(model: Model, where: str) -> None:
    """Raise EdgeError ("conversion.finite") where weights or biases are not finite."""
    for operator in model.operators:
        weighted = WEIGHTED.get(model.kind(operator))
        if weighted is None:
            continue
        for tensor in (operator.inputs[weighted.weights], *operator.inputs[weighted.bias : weighted.bias + 1]):
            if model.is_constant(tensor) and model.is_float(tensor) and not np.isfinite(model.values(tensor)).all():
                raise EdgeError(
                    f"{where} has weights that are not finite ({model.name(tensor)[:200]!r}): expected numbers; take "
                    "them from an earlier checkpoint, or train again with a lower lr",
                    "conversion.finite",
                )


def quantize_constants(model: Model, scaled: Mapping[int, Scaled]) -> None:
    """Give every float32 constant that an operator reads its integers; one that several read becomes one for each.

    Those of operators that stay float stay.
    """
    for operator in model.operators:
        operator.inputs = list(map(int, operator.inputs))
        if model.becomes(int(operator.outputs[0])) == FLOAT32:
            continue
        kind = model.kind(operator)
        weighted = WEIGHTED.get(kind)
        if weighted and model.is_constant(operator.inputs[weighted.weights]):
            _quantize_weights(model, operator, weighted, scaled)
            continue
        for place, tensor in enumerate(operator.inputs):
            if tensor >= 0 and model.is_float(tensor) and model.is_constant(tensor):
                _quantize_operand(model, operator, place, scaled)


def _quantize_weights(model: Model, operator: Any, weighted: Weighted, scaled: Mapping[int, Scaled]) -> None:
    weights = operator.inputs[weighted.weights]
    if not model.is_float(weights):
        return
    values, bias = model.values(weights), bias_of(model, operator, weighted)
    source = scaled[operator.inputs[weighted.source]]
    steps, scales, steps_of_bias = steps_of(values, weighted.axis, bias, source.scale)
    copied = operator.inputs[weighted.weights] = model.add_tensor(weights)
    model.set_values(copied, steps)
    model.tensors[copied].quantization = quantization(scales, np.zeros(len(scales)), weighted.axis)
    if bias is None:
        return
    copied = operator.inputs[weighted.bias] = model.add_tensor(operator.inputs[weighted.bias])
    kind = np.int64 if source.type == INT16 else np.int32
    limits = np.iinfo(np.int32)
    rounded = np.clip(in_steps(bias, steps_of_bias), limits.min, limits.max)
    model.set_values(copied, rounded.astype(kind))
    model.tensors[copied].quantization = quantization(steps_of_bias, np.zeros(len(scales)))


def steps_of(
    weights: np.ndarray, axis: int, bias: np.ndarray | None, input_scale: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return weights in int8, and the scales of each output channel's weights and bias."""
    scales, steps_of_bias = of_weights(weights, axis, bias, input_scale)
    along = [-1 if number == axis else 1 for number in range(weights.ndim)]
    steps = in_steps(weights, scales.reshape(along))
    return np.clip(steps, -WEIGHT, WEIGHT).astype(np.int8), scales, steps_of_bias


def bias_of(model: Model, operator: Any, weighted: Weighted) -> np.ndarray | None:
    """Return the bias, flat; None where there is none."""
    if len(operator.inputs) <= weighted.bias or operator.inputs[weighted.bias] < 0:
        return None
    return model.values(operator.inputs[weighted.bias]).ravel()


def _quantize_operand(model: Model, operator: Any, place: int, scaled: Mapping[int, Scaled]) -> None:
    """Quantize a constant that is added, multiplied, compared or padded with."""
    tensor = operator.inputs[place]
    values = np.maximum(model.values(tensor), PADDING)  # the lowest number there is stands for "less than all"
    kind, becomes = model.kind(operator), model.becomes(int(operator.outputs[0]))
    if kind in MOVES | JOINS:
        one = scaled[int(operator.outputs[0])]
        scale, zero_point = one.scale, one.zero_point
    else:
        # What Groups asks for of a computed second factor is right for a constant one.
        low, high = float(values.min()), float(values.max())
        is_symmetric = becomes == INT16 or (kind == "BATCH_MATMUL" and place == 1)
        scale, zero_point = symmetric(low, high, becomes) if is_symmetric else asymmetric(low, high)
    copied = operator.inputs[place] = model.add_tensor(tensor)
    model.set_values(copied, quantized(values, scale, zero_point, becomes))
    model.tensors[copied].quantization = quantization(scale, zero_point)
