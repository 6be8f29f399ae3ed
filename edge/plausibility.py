"""Is an image what a network can make sense of? What makes its answer doubtful, as warnings.

Every rule is of whole numbers and looks at pixels that are the same in both programs, so their verdicts are, too. Where
a rule needs no more than an impression, it looks at a sample: pixels on a grid, as they are stored, before a window.
"""

from __future__ import annotations

import numpy as np
from PIL import Image

from edge.errors import ImageWarning
from edge.preprocess import Preprocessing, place
from edge.window import MOST, table

SAMPLED = 128  # rows and columns of the sample, at most
NEAR = 16  # of 255: values that differ by no more are nearly one
STRAY = 1000  # one pixel in so many may differ at either end
COLOURED = 16  # of 255: by how much channels differ at least in colour; the noise of a JPEG's colour stays below
FEW = 500  # colour in fewer than one pixel in so many is none
DEPTH = 4095  # the highest value of 12 bits
DARK = 16  # of 255: what 8 bits become in a window of 12, at most

_WITH_ALPHA = ("RGBA", "LA", "PA", "RGBa", "La")
_WITHOUT_COLOUR = ("1", "L", "LA", "La")


def doubts(
    image: Image.Image, size: tuple[int, int], spec: Preprocessing, bits: int = 8, images: int = 1
) -> tuple[ImageWarning, ...]:
    """Return what makes the answer about an image doubtful, before its network's input is made.

    Args:
        image: decoded, as it lies in the file, in any of Pillow's modes.
        size: (width, height) of the upright image itself.
        bits: 16 where the file has as many for a channel. images: how many the file holds.
    """
    found = [_further(images)]
    if bits == 16 or image.mode.startswith("I"):
        found += _deep(image, spec)
    elif spec.window is not None and spec.window[1] > 255:
        low, high = spec.window
        found.append(
            ImageWarning(
                "image.window",
                f"8-bit image for a window of {low} to {high}: no value of it is above 255; give the image with all of "
                "its bits",
            )
        )
    if not image.mode.startswith("I"):
        sample = image.resize((min(SAMPLED, image.width), min(SAMPLED, image.height)), Image.Resampling.NEAREST)
        found += [_transparent(sample), _coloured(sample) if spec.color == "grey" else None]
    found.append(_small(size, spec))
    return tuple(warning for warning in found if warning)


def uniform(pixels: np.ndarray, size: tuple[int, int], spec: Preprocessing) -> ImageWarning | None:
    """Return a warning where the network's input is nearly of one value.

    Args:
        pixels: uint8 (height, width, channels), as `edge.preprocess.pixels` returns them for an image of `size`.
    """
    left, top, right, bottom = place(size, spec).inner if size != (spec.width, spec.height) else (0, 0, *size)
    seen = pixels[top:bottom, left:right]
    shown = Image.fromarray(seen[:, :, 0] if seen.shape[2] == 1 else seen)
    if _spread(shown.histogram()) > NEAR:
        return None
    return ImageWarning(
        "image.uniform",
        "the image is nearly of one value: there is nothing in it that the network could see; check the file",
    )


def _spread(counts: list[int]) -> int:
    """Return how far the values of a channel lie apart, strays left out; of several channels the widest.

    `counts` says how often each of 256 values occurs, one channel after the other.
    """
    ends = []
    for channel in (counts[first : first + 256] for first in range(0, len(counts), 256)):
        stray, least, most = sum(channel) // STRAY, 0, 255
        below = above = 0
        while least < 255 and (below := below + channel[least]) <= stray:
            least += 1
        while most > least and (above := above + channel[most]) <= stray:
            most -= 1
        ends.append(most - least)
    return max(ends)


def _further(images: int) -> ImageWarning | None:
    if images == 1:
        return None
    return ImageWarning(
        "image.pages",
        f"the file holds {images} images (pages or frames) and the answer is about the first one: {images - 1} left "
        "out; give each in a file of its own",
    )


def _deep(image: Image.Image, spec: Preprocessing) -> list[ImageWarning | None]:
    """Of an image with 16 bits a channel; Pillow keeps no more than the high bytes of colour."""
    grey = image.mode.startswith("I")
    values = np.asarray(image)
    if grey:
        least, most = int(values.min()), int(values.max())
    else:
        ends = [ends for name, ends in zip(image.getbands(), _extrema(image), strict=True) if name in "LRGB"]
        if not ends:  # of ink: white is 0
            return [None]
        least, most = 256 * min(low for low, _ in ends), 256 * max(high for _, high in ends) + 255
    if spec.window is None:
        if most > DEPTH:
            return [None]
        likely = 2 ** max(8, most.bit_length()) - 1
        return [
            ImageWarning(
                "image.depth",
                f"16-bit image without a value above {most}: read as 16 bits, it is almost black; give its range of "
                f"values as input.window, [0, {likely}] for example",
            )
        ]
    low, high = spec.window
    if not grey and high - low < MOST:
        return [
            ImageWarning(
                "image.window",
                f"16-bit colour, of which the high bytes are read, for a window of {low} to {high}: expected grey, or "
                "8 bits; convert it first",
            )
        ]
    ends_at = table(spec.window, MOST + 1)[[max(0, min(least, MOST)), max(0, min(most, MOST))]]
    beyond = least < 0 or most > MOST or ends_at[1] <= DARK or ends_at[0] >= 255 - DARK
    # A narrow window may cut off what it likes; of an image with more bits it leaves white.
    if grey and (beyond or (most > 2 * high + 1 and 2 * np.count_nonzero(values > high) > values.size)):
        return [
            ImageWarning(
                "image.window",
                f"16-bit image with values from {least} to {most}, for a window of {low} to {high}: they do not fit; "
                "check the file, or the window",
            )
        ]
    return [None]


def _extrema(image: Image.Image) -> tuple[tuple[int, int], ...]:
    ends = image.getextrema()
    return ends if isinstance(ends[0], tuple) else (ends,)  # type: ignore[return-value]


def _transparent(sample: Image.Image) -> ImageWarning | None:
    pixels = _rgba(sample)
    opacity = pixels.getchannel("A") if pixels else None
    if pixels is None or opacity is None or opacity.getextrema()[0] == 255:
        return None
    visible = opacity.point([0] + [255] * 255)
    if not visible.getbbox():
        return ImageWarning(
            "image.alpha",
            "the image is transparent all over, and what lies below that is answered: give it without transparency",
        )
    for some in (None, visible):
        counts = pixels.histogram(some)
        if _spread(counts[:768]) <= NEAR < _spread(counts[768:]):
            return ImageWarning(
                "image.alpha",
                "what the image shows is in its transparency, which is dropped, and below it there is nearly one "
                "colour: lay it on a background first",
            )
    return None


def _rgba(sample: Image.Image) -> Image.Image | None:
    """Return it in mode RGBA, colour and opacity; None where it has no transparency, or one colour is transparent."""
    if sample.mode == "P" and (said := sample.info.get("transparency")) is not None:
        opaque = [255] * 256
        for index, alpha in enumerate(said[:256]) if isinstance(said, bytes) else [(int(said) & 255, 0)]:
            opaque[index] = alpha
        opacity = Image.frombytes("L", sample.size, sample.tobytes()).point(opaque)
        coloured = sample.convert("RGB")
        coloured.putalpha(opacity)
        return coloured
    if sample.mode == "La":
        sample = sample.convert("LA")
    return sample.convert("RGBA") if sample.mode in _WITH_ALPHA else None


def _coloured(sample: Image.Image) -> ImageWarning | None:
    if sample.mode in _WITHOUT_COLOUR:
        return None
    channels = np.asarray(sample.convert("RGB")).reshape(-1, 3).T
    red, green, blue = channels
    highest, lowest = np.maximum(np.maximum(red, green), blue), np.minimum(np.minimum(red, green), blue)
    if np.count_nonzero(highest - lowest > COLOURED) * FEW < len(red):
        return None
    return ImageWarning(
        "image.colour",
        "the image has colours and the network reads grey: check that it is of the kind that it has learned",
    )


def _small(size: tuple[int, int], spec: Preprocessing) -> ImageWarning | None:
    narrow, low = size[0] < spec.width, size[1] < spec.height
    if not (narrow and low if spec.fit == "pad" else narrow or low):
        return None
    return ImageWarning(
        "image.small",
        f"the image has {size[0]}x{size[1]} pixels and the network reads {spec.width}x{spec.height}: it is magnified; "
        "give a larger one",
    )
