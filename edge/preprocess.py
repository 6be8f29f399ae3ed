"""From a decoded picture to the tensor that a network reads, in the one way for training, verification and the device.

Two halves. `pixels` is geometry and colour, and ends in 8-bit pixels. What follows is a function of one 8-bit value and
its channel, so it is a table of 256 entries: of floats for a float network, of int8 for a quantized one.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from PIL import Image

BLACK = 0


@dataclass(frozen=True)
class Preprocessing:
    """How a picture becomes a network's input; the manifest's `input` object holds these fields under the same names.

    Attributes:
        height, width: pixels of the network's input.
        color: "grey" (ITU-R 601 luma, as Pillow's mode L) or "rgb".
        channels: planes of the network's input: 3 for "rgb"; for "grey" 1, or 3 equal planes.
        fit: "stretch" (aspect ratio not kept), "crop" (centre, shorter side fills) or "pad" (longer side fills,
            black around).
        mean, std: one value per channel or one for all; the network reads (pixel / 255 - mean) / std.
    """

    height: int
    width: int
    color: str = "rgb"
    channels: int = 3
    fit: str = "stretch"
    mean: tuple[float, ...] = (0.0,)
    std: tuple[float, ...] = (1.0,)


def pixels(image: Image.Image, how: Preprocessing) -> np.ndarray:
    """Return uint8 (height, width, planes): 1 plane for grey, 3 for rgb.

    Resampling is Pillow's bilinear with antialiasing. Colour is converted before, so a grey network resamples one plane
    and not three.
    """
    mode = "L" if how.color == "grey" else "RGB"
    if image.mode != mode:
        image = image.convert(mode)
    size = (how.width, how.height)
    if image.size != size:
        image = _fit(image, size, how.fit)
    array = np.asarray(image)
    return array[:, :, None] if mode == "L" else array


def _fit(image: Image.Image, size: tuple[int, int], fit: str) -> Image.Image:
    width, height = image.size
    if fit == "stretch":
        return image.resize(size, Image.Resampling.BILINEAR)
    ratios = size[0] / width, size[1] / height
    if fit == "crop":
        scale = max(ratios)
        part = (size[0] / scale, size[1] / scale)
        left, top = (width - part[0]) / 2, (height - part[1]) / 2
        return image.resize(size, Image.Resampling.BILINEAR, box=(left, top, left + part[0], top + part[1]))
    scale = min(ratios)
    inner = (max(1, round(width * scale)), max(1, round(height * scale)))
    canvas = Image.new(image.mode, size, BLACK)
    canvas.paste(image.resize(inner, Image.Resampling.BILINEAR), ((size[0] - inner[0]) // 2, (size[1] - inner[1]) // 2))
    return canvas


def float_table(how: Preprocessing) -> np.ndarray:
    """Return float32 (256, channels): the network's input for each pixel value."""
    mean = np.broadcast_to(np.asarray(how.mean, np.float64), (how.channels,))
    std = np.broadcast_to(np.asarray(how.std, np.float64), (how.channels,))
    return ((np.arange(256)[:, None] / 255 - mean) / std).astype(np.float32)


def int8_table(how: Preprocessing, scale: float, zero_point: int) -> np.ndarray:
    """Return int8 (256, channels): `float_table` quantized as q = round_half_even(x / scale) + zero_point, clipped."""
    quantized = np.rint(float_table(how).astype(np.float64) / scale) + zero_point
    return np.clip(quantized, -128, 127).astype(np.int8)


def look_up(array: np.ndarray, table: np.ndarray) -> np.ndarray:
    """Return (1, height, width, channels): `array` of uint8 (height, width, planes) through `table` (256, channels).

    One plane serves every channel (grey into three equal planes); else plane c goes through column c.
    """
    out = np.empty((1, *array.shape[:2], table.shape[1]), table.dtype)
    for channel in range(table.shape[1]):
        np.take(table[:, channel], array[:, :, min(channel, array.shape[2] - 1)], out=out[0, :, :, channel])
    return out
