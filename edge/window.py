"""From an image's stored values, of 8 or 16 bits, to the 8 bits that all that follows works on."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from PIL import Image

MOST_BITS = 16  # of a stored value
MOST = 2**MOST_BITS - 1  # the highest one
Window = tuple[int, int]


def is_window(value: object) -> bool:
    """Whether it is a list of two whole numbers, 0 <= low < high <= MOST: what recipes and manifests may say."""
    if not isinstance(value, list) or len(value) != 2 or any(type(end) is not int for end in value):
        return False
    return 0 <= value[0] < value[1] <= MOST


def is_bits(value: object) -> bool:
    """Whether it is a whole number N from 1 to MOST_BITS, which stands for the window `of_bits(N)`."""
    return type(value) is int and 1 <= value <= MOST_BITS


def of_bits(bits: int) -> Window:
    """Return the window [0, 2^bits - 1]."""
    return 0, 2**bits - 1


@lru_cache(maxsize=8)
def table(window: Window, count: int) -> np.ndarray:
    """Return uint8 (count,): what the stored values v = 0, 1, 2, ... become in a window of low and high.

    floor((2 * 255 * (v - low) + (high - low)) / (2 * (high - low))), clipped to 0..255: low is black, high white,
    linear between them, rounded half up. Integers throughout, so that every program gets the same.
    """
    low, high = window
    values = np.arange(count, dtype=np.int64)
    mapped = (2 * 255 * (values - low) + (high - low)) // (2 * (high - low))
    return np.clip(mapped, 0, 255).astype(np.uint8)


def narrow(values: np.ndarray, window: Window | None) -> np.ndarray:
    """Return uint8 of integers of 16 bits, what is beyond them clipped: through the window, else the high byte."""
    if values.dtype != np.uint16:
        values = np.clip(values, 0, MOST).astype(np.uint16)
    if window is None:
        return (values >> 8).astype(np.uint8)
    return table(window, MOST + 1)[values]


def apply(image: Image.Image, window: Window | None, high_bytes: bool = False) -> Image.Image:
    """Return an 8-bit image (mode L or RGB) through the window; each channel alike.

    With `high_bytes`, its values are the high bytes of 16 bits: b counts as 257 b.
    """
    if window is None:
        return image
    entries = table(window, MOST + 1)[:: MOST // 255] if high_bytes else table(window, 256)
    return image.point(entries.tolist() * len(image.getbands()))
