"""Scales and zero points: from what a tensor holds to the integers that stand for it.

real = (q - zero_point) * scale. An activation's q is -128 to 127, a weight's -127 to 127 with zero point 0 and a scale
for each output channel, a bias's scale is its input's times its weight's (TensorFlow Lite's 8-bit quantization
specification).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from compress.convert.quantize.groups import Groups
from compress.convert.quantize.model import Model
from compress.convert.quantize.ranges import Observed
from edge.operator_rules import LEAST_STEP

LEAST, MOST = -128, 127
MOST_16 = 2**15 - 1
INT8, INT16, FLOAT32 = schema.TensorType.INT8, schema.TensorType.INT16, schema.TensorType.FLOAT32
NAMES = {INT8: "int8", INT16: "int16", FLOAT32: "float32"}
WEIGHT = 127
BIAS = 2**30 - 1  # of an accumulator's 2^31: what is added to it needs room
ZERO = 1 / 256  # scale of a tensor that is always zero: kernels refuse steps of 1 (comparisons) and tiny ones
TINY = 5e-7  # weights of a channel that has none larger are quantized as if it had


class Scaled(NamedTuple):
    """How a tensor is quantized.

    Attributes:
        low, high: the range that the integers cover.
        range: how it was chosen; "fixed", "shared" with other tensors that decided, "" of what stays float.
        type: the schema's; float32 has scale 1 and zero point 0.
    """

    scale: float
    zero_point: int
    low: float
    high: float
    range: str
    type: int = INT8


# From what the tensors of one group hold to the range of all, and the name of how it was chosen.
Choose = Callable[[Sequence[Observed]], tuple[float, float, str]]


def asymmetric(low: float, high: float) -> tuple[float, int]:
    """Return scale and zero point of int8 for a range; zero is always in it, and has an integer of its own.

    A range of zero alone, or hardly more, has scale `ZERO`.
    """
    low, high = min(low, 0.0), max(high, 0.0)
    # In float32, as TensorFlow's converter: equal files where the ranges are equal.
    scale = (np.float32(high) - np.float32(low)) / np.float32(MOST - LEAST)
    if scale < LEAST_STEP:
        return ZERO, LEAST
    return float(scale), int(np.clip(np.round(LEAST - low / np.float64(scale)), LEAST, MOST))


def symmetric(low: float, high: float, becomes: int = INT8) -> tuple[float, int]:
    """Return scale and zero point, which is 0, of int8 or int16 for a range."""
    scale = np.float32(_around_zero(low, high)[1]) / np.float32(MOST if becomes == INT8 else MOST_16)
    return (ZERO, 0) if scale < LEAST_STEP else (float(scale), 0)


def _around_zero(low: float, high: float) -> tuple[float, float]:
    most = max(-low, high)
    return -most, most


def in_steps(values: np.ndarray, scale: float | np.ndarray) -> np.ndarray:
    """Return real numbers in whole steps of `scale`, float64.

    Multiplied by the scale's inverse in float32 and halves away from zero, as TensorFlow's converter does it.
    """
    steps = np.asarray(values.astype(np.float32) * (np.float32(1) / np.asarray(scale, np.float32)), np.float64)
    return np.asarray(np.trunc(steps + np.copysign(0.5, steps)))


def quantized(values: np.ndarray, scale: float, zero_point: int, becomes: int = INT8) -> np.ndarray:
    """Return int8 or int16 of real numbers."""
    steps = in_steps(values, scale) + zero_point
    if becomes == INT16:
        return np.clip(steps, -MOST_16, MOST_16).astype(np.int16)
    return np.clip(steps, LEAST, MOST).astype(np.int8)


def of_activations(model: Model, groups: Groups, observed: Mapping[int, Observed], choose: Choose) -> dict[int, Scaled]:
    """Return how each observed tensor is quantized; the tensors of a group alike.

    What has 16 bits has no values to clip: its steps are fine enough for the extremes.
    """
    members: dict[int, list[int]] = {}
    for tensor in observed:
        members.setdefault(groups.of(tensor), []).append(tensor)
    found: dict[int, Scaled] = {}
    for group, tensors in members.items():
        becomes = model.becomes(tensors[0])
        low, high = min(observed[tensor].low for tensor in tensors), max(observed[tensor].high for tensor in tensors)
        if becomes == FLOAT32:
            one = Scaled(1.0, 0, low, high, "", becomes)
        elif group in groups.fixed:
            scale, zero_point = groups.fixed[group]
            least, most = (LEAST, MOST) if becomes == INT8 else (-MOST_16, MOST_16)
            one = Scaled(scale, zero_point, (least - zero_point) * scale, (most - zero_point) * scale, "fixed", becomes)
        elif becomes == INT16:
            one = Scaled(*symmetric(low, high, becomes), *_around_zero(low, high), "min-max", becomes)
        else:
            deciding = [tensor for tensor in tensors if tensor not in groups.clipped] or tensors
            low, high, name = choose([observed[tensor] for tensor in deciding])
            if group in groups.symmetric:
                one = Scaled(*symmetric(low, high), *_around_zero(low, high), name)
            else:
                one = Scaled(*asymmetric(low, high), min(low, 0.0), max(high, 0.0), name)
        found |= dict.fromkeys(tensors, one)
    return found


def of_weights(
    weights: np.ndarray, axis: int, bias: np.ndarray | None, input_scale: float
) -> tuple[np.ndarray, np.ndarray]:
    """Return the scales of each output channel's weights and bias, float64 (channels).

    A weight's is the largest one's 127th part, and larger where the bias, in steps of input times weight, would not
    fit.

    Args:
        weights: float32. axis: that of the output channels. bias: (channels), or None.
    """
    others = tuple(number for number in range(weights.ndim) if number != axis)
    largest = np.maximum(np.abs(weights).max(others), np.float32(TINY))
    scales = (largest / np.float32(WEIGHT)).astype(np.float64)
    of_bias = input_scale * scales
    if bias is None:
        return scales, of_bias
    needed = np.abs(bias.astype(np.float64)) / BIAS
    return np.where(needed > of_bias, needed / input_scale, scales), np.maximum(needed, of_bias)
