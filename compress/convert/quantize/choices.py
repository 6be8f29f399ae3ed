"""What a recipe may choose about quantization."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

RANGES = ("min-max", "percentile", "mse", "measured")


@dataclass(frozen=True)
class Choices:
    """How a float32 network becomes full-integer int8.

    Attributes:
        range: how an activation's range comes from the calibration images: the least and largest value, a percentile,
            the range of least mean squared error, or whichever of these does best on the tensor's output.
        equalize: cross-layer equalization of weights (Nagel et al. 2019), where a chain of convolutions lets it.
        correct_bias: take the mean error that quantized weights cause out of the biases (the same).
        int16: parts, by fnmatch patterns of tensor names or modules, whose activations have 16 bits.
        float32: parts, by the same, that stay float.
        full: int8 throughout, as Coral and microcontrollers want it. Otherwise operators that have no fast int8 kernel
            stay float with what is around them (`compress.convert.quantize.parts`).
    """

    range: str = "measured"
    equalize: bool = True
    correct_bias: bool = True
    int16: tuple[str, ...] = ()
    float32: tuple[str, ...] = ()
    full: bool = False

    def faults(self) -> Iterator[tuple[str, object, str]]:
        """Yield (field, what it is, what was expected) for what is wrong."""
        if self.range not in RANGES:
            yield "range", self.range, " or ".join(map(repr, RANGES))
