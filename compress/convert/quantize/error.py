"""How far int8 is from float, tensor by tensor, on the calibration images."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np

from compress.convert.quantize.model import Model, read
from compress.convert.quantize.parameters import NAMES, Scaled, quantized
from compress.convert.quantize.ranges import Float, Observed, each, error_of, real
from compress.report.tensors import SAME_DB, Row

IMAGES = 16  # that the two files are compared on, evenly spread


def of_each(
    model: Model,
    flatbuffer: bytes,
    made: bytes,
    scaled: Mapping[int, Scaled],
    observed: Mapping[int, Observed],
    calibration: Sequence[np.ndarray],
    modules: Mapping[int, str],
    where: str,
) -> tuple[Row, ...]:
    """Return a report of each computed tensor, in the order of the graph.

    Args:
        model, flatbuffer: the float32 network. made: the int8 one, whose operators are in the same order.
        scaled: how each tensor is quantized.
    """
    pairs = _pairs(model, read(made, where))
    energies = dict.fromkeys(pairs, (0.0, 0.0))
    networks = Float(flatbuffer, where), Float(made, where)
    entries = [scaled[tensor] for tensor in model.inputs]
    for images in each([values[:: max(1, -(-len(values) // IMAGES))] for values in calibration]):
        steps = [quantized(image, one.scale, one.zero_point) for image, one in zip(images, entries, strict=True)]
        float_of, int8_of = networks[0].run(images), networks[1].run(steps)
        for tensor, twin in pairs.items():
            values = real(int8_of(twin), scaled[tensor].scale, scaled[tensor].zero_point)
            signal, noise = error_of(values, float_of(tensor))
            energies[tensor] = energies[tensor][0] + signal, energies[tensor][1] + noise
    writers = model.writers()
    return tuple(
        Row(
            model.name(tensor),
            modules.get(tensor, ""),
            model.kind(model.operators[writers[tensor]]) if tensor in writers else "",
            model.shape(tensor),
            NAMES[scaled[tensor].type],
            scaled[tensor].scale,
            scaled[tensor].zero_point,
            observed[tensor].low,
            observed[tensor].high,
            scaled[tensor].range,
            decibels(*energies[tensor]),
        )
        for tensor in pairs
    )


def decibels(signal: float, noise: float) -> float:
    """Return 10 log10 of signal by noise; 200 where they are the same, and never beyond that on either side."""
    if noise <= signal * 10 ** (-SAME_DB / 10):
        return SAME_DB
    return max(-SAME_DB, 10 * math.log10(signal / noise)) if signal else -SAME_DB


def _pairs(model: Model, twin: Model) -> dict[int, int]:
    """Return which tensor of the int8 file stands for which one of the float file.

    Operators are in the same order, but that QUANTIZE stands between them where scales had to be parted.
    """
    pairs = dict(zip(model.inputs, twin.inputs, strict=True))
    theirs = iter(op for op in twin.operators if twin.kind(op) not in ("QUANTIZE", "DEQUANTIZE"))
    for operator in model.operators:
        other = next(theirs)
        for ours, its in zip(map(int, operator.outputs), map(int, other.outputs), strict=True):
            if model.is_float(ours):
                pairs[ours] = its
    return pairs
