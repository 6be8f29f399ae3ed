"""Bias correction: the mean error that quantized weights and inputs cause, taken out of the biases.

Nagel et al. 2019, "Data-free quantization through weight equalization and bias correction", section 4.2: with weights W
and W~ and inputs x and x~, float and quantized, E[y~] - E[y] = W~ E[x~] - W E[x] goes from the bias. The means are
those on the calibration images, not ones that a normalization promises.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from compress.convert.quantize.constants import WEIGHTED, bias_of, steps_of
from compress.convert.quantize.model import Model
from compress.convert.quantize.parameters import FLOAT32, INT8, LEAST, MOST, Scaled
from compress.convert.quantize.ranges import Observed

_KINDS = ("CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED")


def correct(model: Model, scaled: Mapping[int, Scaled], observed: Mapping[int, Observed]) -> None:
    """Correct the float32 biases of convolutions and fully connected layers, before they are quantized."""
    for operator in model.operators:
        operator.inputs = list(map(int, operator.inputs))
        kind = model.kind(operator)
        if kind not in _KINDS or model.becomes(int(operator.outputs[0])) == FLOAT32:
            continue
        weighted = WEIGHTED[kind]
        source, weights = operator.inputs[weighted.source], operator.inputs[weighted.weights]
        bias = bias_of(model, operator, weighted)
        if bias is None or source not in observed or not model.is_constant(weights):
            continue
        shift = _shift(model, operator, observed[source], scaled[source], bias)
        if shift is not None:
            copied = operator.inputs[weighted.bias] = model.add_tensor(operator.inputs[weighted.bias])
            model.set_values(copied, (bias - shift).astype(np.float32))


def _shift(model: Model, operator: Any, observed: Observed, scaled: Scaled, bias: np.ndarray) -> np.ndarray | None:
    """Return the mean error of each output channel, float64; None where the input's channels are not known."""
    kind = model.kind(operator)
    weighted = WEIGHTED[kind]
    values = model.values(operator.inputs[weighted.weights]).astype(np.float64)
    steps, scales, _ = steps_of(values.astype(np.float32), weighted.axis, bias, scaled.scale)
    along = [-1 if number == weighted.axis else 1 for number in range(values.ndim)]
    rounded = steps.astype(np.float64) * scales.reshape(along)
    means = observed.means.mean(0, np.float64)
    quantized = means + _mean_error(observed, scaled)
    if kind == "FULLY_CONNECTED":
        return rounded @ quantized - values @ means if len(means) == values.shape[1] else None
    covered = _covered(model, operator, values.shape)[..., None]
    if kind == "DEPTHWISE_CONV_2D":
        if values.shape[3] % len(means):
            return None
        each = np.repeat(np.stack([quantized, means]), values.shape[3] // len(means), axis=1)
        return np.asarray((covered * (rounded[0] * each[0] - values[0] * each[1])).sum((0, 1)))
    if len(means) % values.shape[3]:
        return None
    groups = len(means) // values.shape[3]
    each = np.repeat(np.stack([quantized, means]).reshape(2, groups, -1), len(values) // groups, axis=1)
    change = rounded * each[0][:, None, None] - values * each[1][:, None, None]
    return np.asarray((covered * change).sum((1, 2, 3)))


def _mean_error(observed: Observed, scaled: Scaled) -> np.ndarray:
    """Return by how much quantization moves the mean of each channel."""
    if scaled.type != INT8:
        return np.zeros(observed.sample.shape[-1])
    steps = np.rint(observed.sample / np.float32(scaled.scale))
    steps = np.clip(steps, LEAST - scaled.zero_point, MOST - scaled.zero_point)
    return np.asarray((steps * np.float64(scaled.scale) - observed.sample).mean((0, 1)))


def _covered(model: Model, operator: Any, shape: tuple[int, ...]) -> np.ndarray:
    """Return at which part of the output's positions a weight meets the input, and no padding, (height, width)."""
    options = operator.builtinOptions
    same = options.padding == schema.Padding.SAME
    source, output = model.shape(operator.inputs[0]), model.shape(int(operator.outputs[0]))
    parts = []
    for axis, stride, dilation in (
        (1, options.strideH, options.dilationHFactor),
        (2, options.strideW, options.dilationWFactor),
    ):
        reach = (shape[axis] - 1) * dilation + 1
        before = max(0, (output[axis] - 1) * stride + reach - source[axis]) // 2 if same else 0
        places = np.arange(output[axis])[None] * stride - before + np.arange(shape[axis])[:, None] * dilation
        parts.append(((places >= 0) & (places < source[axis])).mean(1))
    return np.outer(*parts)
