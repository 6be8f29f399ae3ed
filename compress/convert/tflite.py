"""From a network to one TFLite flatbuffer: by a route to float32, proved against PyTorch, and from there to int8."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor, nn

from compress.convert.float32 import AUTO, to_float32
from compress.convert.int8 import to_int8
from compress.convert.quantize import DEFAULT, Choices, Quantized
from compress.convert.routes import Source
from compress.inputs import Inputs, as_inputs
from edge.errors import EdgeError

KINDS = ("float32", "int8")
PROVED_ON = 4  # of the calibration images, in addition to noise


def to_tflite(
    network: nn.Module,
    calibration: Tensor | Inputs,
    kind: str = "int8",
    route: str = AUTO,
    choices: Choices = DEFAULT,
    progress: Callable[[str], None] = lambda text: None,
) -> bytes:
    """Return a TFLite flatbuffer of `network`, which becomes one on the CPU and in evaluation mode.

    TFLite may order several inputs or outputs otherwise than the network does: inputs are told apart by their names,
    which have `image_00`, `image_01`, ... in them.

    Args:
        network: maps its inputs to logits.
        calibration: for each input, float32 (N, channels, height, width) as the network reads them: their ranges, and
            those of every activation that they cause, become the quantization steps.
        kind: "float32", or "int8": full-integer, inputs and outputs included.
        route: a name of `compress.convert.routes.ROUTES`, or "auto".
        choices: how float32 becomes int8.
        progress: gets what is being done.

    Raises EdgeError "conversion.choices" for what is no choice, and as `compress.convert.float32.to_float32` and
    `compress.convert.quantize.quantize` do.
    """
    return converted(network, calibration, kind, route, choices, progress).flatbuffer


def converted(
    network: nn.Module,
    calibration: Tensor | Inputs,
    kind: str,
    route: str,
    choices: Choices,
    progress: Callable[[str], None],
) -> Quantized:
    """Do what `to_tflite` does; return with the flatbuffer what int8 did to each tensor: of float32, nothing."""
    for name, found, expected in choices.faults():
        raise EdgeError(f"choices.{name} is {found!r}: expected {expected}", "conversion.choices")
    inputs = as_inputs(calibration)
    network = network.cpu().eval()
    source = Source(network, tuple(x[:1] for x in inputs))
    ((_, made),) = to_float32([source], [tuple(x[:PROVED_ON] for x in inputs)], route, progress)
    if kind == "float32":
        return Quantized(made.flatbuffer, (), ())
    progress("quantizing to int8")
    return to_int8(network, made.flatbuffer, inputs, choices)
