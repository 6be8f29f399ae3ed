"""What quantization gives back: the file, and what it did to each tensor."""

from __future__ import annotations

from typing import NamedTuple

from compress.report.tensors import Row


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
    tensors: tuple[Row, ...]
    gains: tuple[Gain, ...]
