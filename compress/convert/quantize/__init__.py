"""From a float32 TFLite flatbuffer and calibration images to full-integer int8.

The way is the order of the modules: `model` reads the flatbuffer, `parts` says what stays float, `ranges` runs the
images once; `search` tries what `equalize`, `spread` and `bias` do for the network; `groups` finds the tensors that
must share a scale, `parameters` makes scales of ranges, `constants` quantizes weights and biases, `error` compares int8
with float, tensor by tensor.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from compress.convert.quantize import constants, operators
from compress.convert.quantize.choices import Choices
from compress.convert.quantize.error import of_each
from compress.convert.quantize.model import read, write
from compress.convert.quantize.parts import of_operators
from compress.convert.quantize.ranges import observe
from compress.convert.quantize.result import Quantized
from compress.convert.quantize.search import Network, fit, search

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

    Raises EdgeError: "model.network" for a flatbuffer that can't be read, "conversion.graphs", "conversion.quantized",
    "conversion.ends", "conversion.calibration", "conversion.finite", "conversion.part" for a part that is not there,
    and "conversion.operator" for an operator that has no kernel for what it shall become.
    """
    model = read(flatbuffer, where)
    flatbuffer = write(model, where)  # weights taken in, numbers of tensors as in `model`
    operators.check_types(model, where)
    operators.check_ends(model, where)
    constants.check(model, where)
    types = of_operators(model, choices, modules, where)
    network = Network(flatbuffer, types, observe(model, flatbuffer, calibration, where), where, choices.full)
    plan, gains = search(network, calibration, choices)
    fitted = fit(network, plan)
    report = of_each(
        model, fitted.reference, fitted.flatbuffer, fitted.scaled, network.observed, calibration, modules, where
    )
    return Quantized(fitted.flatbuffer, report, gains)
