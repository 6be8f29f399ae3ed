"""From a decoded image to the tensor that a network reads, in the one way for training, verification and the device.

Two halves. `pixels` is geometry and colour, and ends in 8-bit pixels. What follows is a function of one 8-bit value and
its channel, so it is a table of 256 entries: of floats for a float network, of int8 for a quantized one.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, NamedTuple

import numpy as np
from PIL import Image

from edge.errors import ImageWarning

BLACK = 0


@dataclass(frozen=True)
class Preprocessing:
    """How an image becomes a network's input; the manifest's `input` object holds these fields under the same names.

    Attributes:
        height, width: pixels of the network's input.
        color: "grey" (ITU-R 601 luma, as Pillow's mode L) or "rgb".
        channels: channels of the network's input: 3 for "rgb"; for "grey" 1, or 3 equal channels.
        fit: "stretch" (aspect ratio not kept), "crop" (centre, shorter side fills) or "pad" (longer side fills,
            black around).
        mean, std: one value per channel or one for all; the network reads (pixel / 255 - mean) / std.
        window: the stored values, low and high, that become black and white (`edge.window.table`), before all else;
            0 <= low < high <= 65535. None: 8-bit values as they are, of 16 bits the high byte.
    """

    height: int
    width: int
    color: str = "rgb"
    channels: int = 3
    fit: str = "stretch"
    mean: tuple[float, ...] = (0.0,)
    std: tuple[float, ...] = (1.0,)
    window: tuple[int, int] | None = None

    def record(self) -> dict[str, Any]:
        """Return the manifest's `input`, as JSON has it; what is optional and was not said is not in it."""
        values = {key: list(value) if isinstance(value, tuple) else value for key, value in asdict(self).items()}
        return {key: value for key, value in values.items() if value is not None}


class Picture(NamedTuple):
    """A decoded, upright image.

    Attributes:
        image: in mode L or RGB.
        size: (width, height) of the image itself.
        reduction: how many of its pixels one of the image's stands for, in either direction: 1, or 2, 4 or 8 where a
            JPEG was decoded smaller (`edge.image.read`). The last one stands for fewer where the size is no multiple.
        warnings: what makes an answer about it doubtful.
        orientation: EXIF's, by which it was turned, as `edge.readers.exif` numbers it.
    """

    image: Image.Image
    size: tuple[int, int]
    reduction: int = 1
    warnings: tuple[ImageWarning, ...] = ()
    orientation: int = 0


class Placement(NamedTuple):
    """Which part of an image a network sees, and where in its input.

    Attributes:
        box: left, top, right, bottom of the part, in the image's pixels; they may be fractions.
        inner: left, top, right, bottom of the rectangle in the network's input that shows the part, in its pixels.
    """

    box: tuple[float, float, float, float]
    inner: tuple[int, int, int, int]


def place(size: tuple[int, int], spec: Preprocessing) -> Placement:
    """Return how `spec.fit` lays an image of `size` (width, height) into the network's input."""
    width, height = size
    whole, full = (0.0, 0.0, float(width), float(height)), (0, 0, spec.width, spec.height)
    ratios = spec.width / width, spec.height / height
    if spec.fit == "crop":
        scale = max(ratios)
        part = (spec.width / scale, spec.height / scale)
        left, top = max(0.0, (width - part[0]) / 2), max(0.0, (height - part[1]) / 2)  # rounding can fall below
        return Placement((left, top, min(left + part[0], width), min(top + part[1], height)), full)
    if spec.fit == "pad":
        scale = min(ratios)
        inner = (max(1, round(width * scale)), max(1, round(height * scale)))
        left, top = (spec.width - inner[0]) // 2, (spec.height - inner[1]) // 2
        return Placement(whole, (left, top, left + inner[0], top + inner[1]))
    return Placement(whole, full)


def pixels(picture: Picture | Image.Image, spec: Preprocessing) -> np.ndarray:
    """Return uint8 (height, width, channels): 1 channel for grey, 3 for rgb.

    Resampling is Pillow's bilinear with antialiasing, along rows, then columns. Colour is converted before, so a grey
    network resamples one channel and not three. A Pillow image counts as the whole image.
    """
    whole = picture if isinstance(picture, Picture) else Picture(picture, picture.size)
    image, size, reduction = whole.image, whole.size, whole.reduction
    mode = "L" if spec.color == "grey" else "RGB"
    if image.mode != mode:
        image = image.convert(mode)
    if size != (spec.width, spec.height):
        (left, top, right, bottom), inner = place(size, spec)
        box = (left / reduction, top / reduction, right / reduction, bottom / reduction)
        image = resample(image, (inner[2] - inner[0], inner[3] - inner[1]), box)
        if image.size != (spec.width, spec.height):
            canvas = Image.new(mode, (spec.width, spec.height), BLACK)
            canvas.paste(image, inner[:2])
            image = canvas
    array = np.asarray(image)
    return array[:, :, None] if mode == "L" else array


def resample(image: Image.Image, size: tuple[int, int], box: tuple[float, float, float, float]) -> Image.Image:
    """Return what `box` (left, top, right, bottom) shows, at `size` (width, height): rows first, then columns.

    Asked for both at once, Pillow chooses the order by the sizes, from version 13 on, and rounds differently for it.
    """
    left, top, right, bottom = box
    across = image.resize((size[0], image.height), Image.Resampling.BILINEAR, (left, 0, right, image.height))
    return across.resize(size, Image.Resampling.BILINEAR, (0, top, size[0], bottom))


def float_table(spec: Preprocessing) -> np.ndarray:
    """Return float32 (256, channels): the network's input for each pixel value."""
    mean = np.broadcast_to(np.asarray(spec.mean, np.float64), (spec.channels,))
    std = np.broadcast_to(np.asarray(spec.std, np.float64), (spec.channels,))
    with np.errstate(over="ignore"):  # a very large scale ends in logits that are refused
        return ((np.arange(256)[:, None] / 255 - mean) / std).astype(np.float32)


def int8_table(spec: Preprocessing, scale: float, zero_point: int) -> np.ndarray:
    """Return int8 (256, channels): `float_table` quantized as q = round_half_even(x / scale) + zero_point, clipped."""
    quantized = np.rint(float_table(spec).astype(np.float64) / scale) + zero_point
    return np.clip(quantized, -128, 127).astype(np.int8)


def look_up(array: np.ndarray, table: np.ndarray) -> np.ndarray:
    """Return (1, height, width, channels): `array` of uint8 (height, width, channels) through `table` (256, channels).

    One channel is used for every channel (grey into three equal ones); else channel c goes through column c.
    """
    given, channels = array.shape[2], table.shape[1]
    if table.itemsize == 1 and given == channels and (table == table[:, :1]).all():
        translated = array.tobytes().translate(table[:, 0].tobytes())  # far faster than taking one by one
        return np.frombuffer(translated, table.dtype).reshape(1, *array.shape)
    out = np.empty((1, *array.shape[:2], channels), table.dtype)
    for channel in range(channels):
        values = array[:, :, min(channel, given - 1)]
        if table.itemsize == 1:
            # tobytes alone is slow on one channel of several
            translated = np.ascontiguousarray(values).tobytes().translate(table[:, channel].tobytes())
            out[0, :, :, channel] = np.frombuffer(translated, table.dtype).reshape(values.shape)
        else:
            np.take(table[:, channel], values, out=out[0, :, :, channel])
    return out
