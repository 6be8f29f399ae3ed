"""What quantization gives back: the file, and what it did to each tensor."""

from __future__ import annotations

from typing import NamedTuple


class TensorReport(NamedTuple):
    """One computed tensor, int8 against float on the calibration images.

    Attributes:
        tensor: its number in the float32 file. name: there. operator: the schema's name of what writes it.
        module: the path of the user's module whose output it is; "" where none was found.
        shape: with batch 1, NHWC where there are four.
        type: "int8", "int16" or "float32". scale, zero_point: of the first two.
        low, high: the least and the largest value on the calibration images, in float.
        range: how its range was chosen: one of `compress.convert.quantize.choices.RANGES`, "fixed" or "shared".
        snr_db: 10 log10 of the float values' energy by that of what int8 differs, both over all calibration images.
    """

    tensor: int
    name: str
    operator: str
    module: str
    shape: tuple[int, ...]
    type: str
    scale: float
    zero_point: int
    low: float
    high: float
    range: str
    snr_db: float


class Gain(NamedTuple):
    """What one choice gained.

    Attributes:
        choice: "range", "equalize", "correct_bias", ... taken: whether it is in the file.
        snr_db_without, snr_db_with: of the logits, centred, on calibration images that the choice was not fitted to.
    """

    choice: str
    taken: bool
    snr_db_without: float
    snr_db_with: float


class Quantized(NamedTuple):
    """A full-integer int8 flatbuffer, and what the way there was."""

    flatbuffer: bytes
    tensors: tuple[TensorReport, ...]
    gains: tuple[Gain, ...]
