"""A contact sheet of the images on which a segmenter did worst: the truth, the float mask, the int8 mask."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageDraw

from edge.overlay import rim

SIDE, BAR = 224, 18
COLORS = {"truth": (60, 220, 90), "float": (70, 140, 255), "int8": (255, 160, 40)}


class Entry(NamedTuple):
    """One row: `image` uint8 (h, w, 1 or 3); masks bool of any size, by column; what is written above each."""

    image: np.ndarray
    masks: dict[str, np.ndarray]
    captions: dict[str, str]


def sheet(entries: Sequence[Entry]) -> bytes:
    """Return a PNG with one row for each entry and one column for each of COLORS."""
    canvas = Image.new("RGB", (SIDE * len(COLORS), (SIDE + BAR) * len(entries)), "white")
    draw = ImageDraw.Draw(canvas)
    for row, entry in enumerate(entries):
        ground = np.broadcast_to(entry.image, (*entry.image.shape[:2], 3))
        base = Image.fromarray(np.ascontiguousarray(ground)).resize((SIDE, SIDE), Image.Resampling.BILINEAR)
        for column, (name, color) in enumerate(COLORS.items()):
            left, top = column * SIDE, row * (SIDE + BAR)
            draw.text((left + 3, top + 3), entry.captions[name], fill="black")
            canvas.paste(outlined(base, entry.masks[name], color), (left, top + BAR))
    buffer = io.BytesIO()
    canvas.save(buffer, format="PNG", optimize=True)
    return buffer.getvalue()


def outlined(base: Image.Image, mask: np.ndarray, color: tuple[int, int, int]) -> Image.Image:
    """Return `base` with the mask's outline on it, two pixels wide."""
    drawn = Image.fromarray(mask.astype(np.uint8) * 255).resize(base.size, Image.Resampling.NEAREST)
    pixels = np.array(base)
    pixels[rim(np.asarray(drawn) > 0, 2)] = color
    return Image.fromarray(pixels)
