"""From a float32 TFLite flatbuffer and calibration images to full-integer int8.

The way is the order of the modules: `model` reads the flatbuffer, `ranges` runs the images once, `groups` finds the
tensors that must share a scale, `parameters` makes scales of ranges, `constants` quantizes weights and biases, `error`
compares int8 with float, tensor by tensor.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from compress.convert.quantize import error, operators
from compress.convert.quantize.choices import Choices
from compress.convert.quantize.constants import quantize_constants
from compress.convert.quantize.groups import Groups, part_fixed
from compress.convert.quantize.model import Model, quantization, read, write
from compress.convert.quantize.parameters import Scaled, by_extremes, of_activations
from compress.convert.quantize.ranges import Observed, observe
from compress.convert.quantize.result import Quantized
from compress.convert.quantize.steps import widened

__all__ = ["Choices", "Quantized", "quantize"]

DEFAULT = Choices()
NAMELESS: Mapping[int, str] = {}


def quantize(
    flatbuffer: bytes,
    calibration: Sequence[np.ndarray],
    choices: Choices = DEFAULT,
    where: str = "the float32 network",
    modules: Mapping[int, str] = NAMELESS,
) -> Quantized:
    """Return the network in int8, inputs and outputs included; equal bytes for equal arguments.

    Args:
        flatbuffer: float32, of one graph, with batch 1.
        calibration: for each input, in the flatbuffer's order, float32 (N, ...) in its layout: images such as the
            network will see, none of them test images.
        where: names the network in messages.
        modules: which of the user's modules a tensor is the output of, where that is known; tensors are numbered as in
            `write(read(flatbuffer))`.

    Raises EdgeError: "model.network" for a flatbuffer that can't be read, "conversion.graphs",
    "conversion.calibration", "conversion.finite", and "conversion.operator" for an operator that has no int8 kernel.
    """
    model = read(flatbuffer, where)
    flatbuffer = write(model, where)  # weights taken in, numbers of tensors as in `model`
    operators.check(model, where)
    observed = observe(model, flatbuffer, calibration, where)
    made, scaled = integers(read(flatbuffer, where), observed, where)
    report = error.of_each(model, flatbuffer, made, scaled, observed, calibration, modules, where)
    return Quantized(made, report, ())


def integers(model: Model, observed: Mapping[int, Observed], where: str) -> tuple[bytes, dict[int, Scaled]]:
    """Return the int8 flatbuffer of a float32 model, which is used up, and how each tensor is quantized."""
    copies = part_fixed(model)
    held = dict(observed) | {copied: observed[source] for copied, source in copies.items()}
    groups = Groups(model)
    scaled = widened(model, groups, of_activations(groups, held, by_extremes))
    computed = [
        tensor for tensor in range(len(model.tensors)) if model.is_float(tensor) and not model.is_constant(tensor)
    ]
    quantize_constants(model, scaled, where)
    for tensor in computed:
        if tensor in scaled:
            model.tensors[tensor].type = schema.TensorType.INT8
            model.tensors[tensor].quantization = quantization(scaled[tensor].scale, scaled[tensor].zero_point)
    for operator in model.operators:
        operators.set_version(model, operator)
    return write(model, where), scaled
