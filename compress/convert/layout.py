"""From PyTorch's order of axes and inputs to a TFLite file's."""

from __future__ import annotations

import re

import numpy as np

from compress.inputs import Inputs
from edge import flatbuffer as flatbuffers


def names(name: str, count: int) -> list[str]:
    """Return what `count` inputs or outputs are called: `image`, or `image_00`, `image_01`, ..."""
    return [name] if count == 1 else [f"{name}_{number:02}" for number in range(count)]


def in_order(flatbuffer: bytes, inputs: Inputs) -> tuple[np.ndarray, ...]:
    """Return a network's inputs as a file takes them: float32, channels last, in the file's order.

    A converter may change it; then it is in the names that the inputs were given, `image_00`, `image_01`, ...
    """
    called = [tensor.name for tensor in flatbuffers.read(flatbuffer, "the float32 file").inputs]
    numbers = [found and int(found[1]) for found in (re.search(r"image_(\d+)", name) for name in called)]
    order = [n for n in numbers if n is not None]
    if sorted(order) != list(range(len(inputs))):
        order = list(range(len(inputs)))
    arrays = [channels_last(x.float().cpu().numpy()) for x in inputs]
    return tuple(np.ascontiguousarray(arrays[number]) for number in order)


def channels_last(values: np.ndarray) -> np.ndarray:
    """Return (N, height, width, channels) of (N, channels, height, width); what has other axes as it is."""
    return np.moveaxis(values, 1, 3) if values.ndim == 4 else values
