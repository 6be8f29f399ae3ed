"""From a proved float32 file to int8, with the names of the user's modules for what is chosen and reported by them."""

from __future__ import annotations

from torch import nn

from compress.convert.layout import in_order
from compress.convert.origins import origins
from compress.convert.quantize import Choices, Quantized, quantize
from compress.inputs import Inputs


def to_int8(network: nn.Module, float32: bytes, calibration: Inputs, choices: Choices) -> Quantized:
    """Return what `compress.convert.quantize.quantize` makes of a network's float32 file.

    Args:
        network: in evaluation mode, as its user wrote it.
        float32: the network, by any route.
        calibration: for each input, float32 (N, channels, height, width) where it is an image.

    Raises EdgeError as `quantize` does.
    """
    modules = origins(network, float32, tuple(x[:1] for x in calibration)).modules
    return quantize(float32, in_order(float32, calibration), choices, modules=modules)
