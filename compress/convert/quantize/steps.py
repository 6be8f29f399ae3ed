"""Steps of outputs that are not too small for those of the inputs.

Kernels multiply by quotients of steps, which they keep as fixed point numbers of limited size. What a nearly dead layer
gives has a tiny range; its steps are made as large as the kernel needs, which costs nothing: they stay far below those
of what is computed from.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from compress.convert.quantize.constants import WEIGHTED, bias_of
from compress.convert.quantize.groups import Groups
from compress.convert.quantize.model import Model
from compress.convert.quantize.parameters import FLOAT32, Scaled, asymmetric, of_weights
from edge.operator_rules import LEAST_STEP, MAX_MULTIPLIER

ROOM = 1.01  # beyond what is needed: float32 rounds
HARD_SWISH = 128  # its input has so many steps within one
SUM_SHIFT, SQUARE_SHIFT = 2.0**20, 2.0**14  # of the fixed point inputs of ADD and SUB, and of SQUARED_DIFFERENCE


def widened(model: Model, groups: Groups, scaled: Mapping[int, Scaled]) -> dict[int, Scaled]:
    """Return how each tensor is quantized, with larger steps where an operator's output needs them.

    Args:
        model: in float32 still. scaled: of its computed tensors.
    """
    found = dict(scaled)
    for _ in range(len(model.operators)):  # a group may lie before the operator that widens it
        before = dict(found)
        for operator in model.operators:
            output = int(operator.outputs[0]) if len(operator.outputs) else -1
            if output not in found or found[output].type == FLOAT32 or groups.of(output) in groups.fixed:
                continue
            needed = _needed(model, operator, found)
            if found[output].scale < needed:
                _widen(groups, found, output, needed * ROOM)
        if found == before:
            break
    return found


def _needed(model: Model, operator: Any, scaled: Mapping[int, Scaled]) -> float:
    """Return the least step that an operator's output may have."""
    kind, inputs = model.kind(operator), list(map(int, operator.inputs))
    weighted = WEIGHTED.get(kind)
    if weighted and model.is_constant(inputs[weighted.weights]) and inputs[weighted.source] in scaled:
        step = scaled[inputs[weighted.source]].scale
        weights = model.values(inputs[weighted.weights])
        of_channels, _ = of_weights(weights, weighted.axis, bias_of(model, operator, weighted), step)
        return max(LEAST_STEP, step * float(of_channels.max()) / MAX_MULTIPLIER)
    if kind == "HARD_SWISH":
        return max(LEAST_STEP, _step(model, inputs[0], scaled) / HARD_SWISH)
    if kind not in ("ADD", "SUB", "SQUARED_DIFFERENCE"):
        return LEAST_STEP
    largest = max(_step(model, tensor, scaled) for tensor in inputs)
    if kind == "SQUARED_DIFFERENCE":
        return max(LEAST_STEP, 4 * largest**2 / SQUARE_SHIFT)
    return max(LEAST_STEP, 2 * largest / SUM_SHIFT)


def _step(model: Model, tensor: int, scaled: Mapping[int, Scaled]) -> float:
    """Return the step of an operand, computed or constant; 0 of what has none."""
    if tensor in scaled:
        return scaled[tensor].scale
    if not model.is_float(tensor) or not model.is_constant(tensor):
        return 0.0
    values = model.values(tensor)
    return asymmetric(float(values.min(initial=0)), float(values.max(initial=0)))[0]


def _widen(groups: Groups, scaled: dict[int, Scaled], tensor: int, scale: float) -> None:
    group = groups.of(tensor)
    for other, one in scaled.items():
        if groups.of(other) == group:
            by = scale / one.scale
            scaled[other] = one._replace(scale=float(np.float32(scale)), low=one.low * by, high=one.high * by)
