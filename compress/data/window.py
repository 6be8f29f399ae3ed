"""The window of stored values: how a recipe says it, and golden images that lie in it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from PIL import Image

from edge.errors import EdgeError
from edge.window import MOST, MOST_BITS, Window, is_bits, is_window, of_bits


def taken(raw: Mapping[str, Any], where: str) -> tuple[dict[str, Any], Window | None]:
    """Return a recipe's table `input` without `window` and `bits`, and the window that they say; None: none.

    `window = [low, high]` is the stored values that become black and white; `bits = 12` stands for [0, 4095].

    Raises EdgeError where both are there, and for what is no such window.
    """
    rest = {key: value for key, value in raw.items() if key not in ("window", "bits")}
    if "window" in raw and "bits" in raw:
        raise EdgeError(
            f"{where}: input has window = {raw['window']!r} and bits = {raw['bits']!r}: expected one of them; bits = N "
            "stands for window = [0, 2^N - 1]"
        )
    if "bits" in raw:
        bits = raw["bits"]
        if not is_bits(bits):
            raise EdgeError(f"{where}: input.bits is {bits!r}: expected a whole number from 1 to {MOST_BITS}")
        return rest, of_bits(bits)
    if "window" not in raw:
        return rest, None
    ends = raw["window"]
    if not is_window(ends):
        raise EdgeError(
            f"{where}: input.window is {ends!r}: expected two whole numbers, [low, high] with 0 <= low < high <= {MOST}"
        )
    return rest, (ends[0], ends[1])


def stored(image: Image.Image, window: Window | None) -> Image.Image:
    """Return a generated 8-bit image with its values spread over the window, so that a golden vector goes through it.

    In grey and with 16 bits where the window ends above 255: no other images of so many bits can be written.
    """
    if window is None:
        return image
    low, high = window
    values = np.asarray(image if high <= 255 else image.convert("L")).astype(np.int64)
    return Image.fromarray((low + values * (high - low) // 255).astype(np.uint8 if high <= 255 else np.uint16))
