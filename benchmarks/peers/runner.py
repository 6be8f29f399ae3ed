"""What a peer's file gives back: a loaded network with one way to run it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np


class Runner(NamedTuple):
    """A loaded network.

    Attributes:
        version: of the runtime.
        prepare: from the network's input in real numbers, float32 (1, height, width, channels), to what `run` takes in
            the runtime's own layout and type; it is not timed.
        run: one invoke, which is timed.
        real: from what `run` gives to real numbers, float32 in the order of (1, height, width, channels).
    """

    version: str
    prepare: Callable[[np.ndarray], Any]
    run: Callable[[Any], Any]
    real: Callable[[Any], np.ndarray]


def to_channels_first(image: np.ndarray) -> np.ndarray:
    """Return (1, channels, height, width) of (1, height, width, channels), laid out so in memory."""
    return np.ascontiguousarray(np.moveaxis(image, 3, 1))


def to_channels_last(output: np.ndarray) -> np.ndarray:
    """Return (1, height, width, channels) of (1, channels, height, width); what has other axes as it is."""
    return np.moveaxis(output, 1, 3) if output.ndim == 4 else output


def quantized(real: np.ndarray, steps: Sequence[float], kind: type[np.generic]) -> np.ndarray:
    """Return integers of real numbers; `steps` are scale and zero point."""
    scale, zero_point = steps
    limits = np.iinfo(kind)  # type: ignore[type-var]
    rounded = np.rint(real / np.float32(scale)) + zero_point
    return np.clip(rounded, limits.min, limits.max).astype(kind)
