"""A segmentation's mask as an image file, and drawn over the image for people."""

from __future__ import annotations

import io
from dataclasses import replace

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from edge import image as images
from edge.mask import Region
from edge.preprocess import Preprocessing
from edge.window import Window

TYPE_CHECKING = False
if TYPE_CHECKING:
    Font = ImageFont.ImageFont | ImageFont.FreeTypeFont

LABELLED = 10  # regions that get a number; more would hide the image
LARGEST, SMALLEST = 2048, 256  # pixels of the longer side: larger images are shrunk, smaller ones magnified

_COLOUR = (0, 255, 80)  # seldom inside of a body
_TINT = 56  # of 255
_LETTERS = 200  # of a caption; a JPEG is at most 65,500 pixels wide
_EMS = 34  # letters' sizes that the longest usual caption, the notice, needs in a row
_BLACK, _WHITE, _GREY = (0, 0, 0), (255, 255, 255), (170, 170, 170)
# JPEGs far larger than the overlay need not be decoded in full.
_DECODED = Preprocessing(height=LARGEST // 2, width=LARGEST // 2)


def mask_png(mask: np.ndarray) -> bytes:
    """Return a PNG of a bool (height, width) mask: 8-bit grey, 255 where it is true and 0 elsewhere."""
    buffer = io.BytesIO()
    Image.fromarray(mask.view(np.uint8) * np.uint8(255)).save(buffer, "PNG", compress_level=1)
    return buffer.getvalue()


def overlay_jpeg(
    data: bytes, mask: np.ndarray, regions: list[Region], captions: list[str], window: Window | None = None
) -> bytes:
    """Return a JPEG of the image in `data`, a file's bytes, with its mask tinted and outlined.

    The largest regions bear their number in `regions` and their score; `captions` are lines below the image.

    Args:
        mask: bool (height, width), in the image's own size.
        window: the manifest's; the image is drawn as the network saw it.

    Raises EdgeError where `data` is no image.
    """
    decoded = images.decode(data, spec=replace(_DECODED, window=window), max_pixels=mask.size)
    scale = _scale(decoded.size)
    size = (max(1, round(decoded.size[0] * scale)), max(1, round(decoded.size[1] * scale)))
    image = decoded.image.convert("RGB")
    if image.size != size:
        image = image.resize(size, Image.Resampling.NEAREST if scale > 1 else Image.Resampling.BILINEAR)
    shown = Image.fromarray(mask.view(np.uint8) * np.uint8(255)).resize(size, Image.Resampling.NEAREST)
    inside = np.asarray(shown) > 0
    image.paste(_COLOUR, mask=shown.point([0] * 255 + [_TINT]))
    image.paste(_COLOUR, mask=Image.fromarray(rim(inside, max(2, max(size) // 400)).view(np.uint8) * np.uint8(255)))
    letters = max(14, max(size) // 50)
    font = _font(letters)
    _number(image, regions[:LABELLED], size[0] / decoded.size[0], size[1] / decoded.size[1], font)
    buffer = io.BytesIO()
    # Thin lines need all the colour.
    _caption(image, captions, font, letters).save(buffer, "JPEG", quality=90, subsampling=0)
    return buffer.getvalue()


def _scale(size: tuple[int, int]) -> float:
    longer = max(size)
    return LARGEST / longer if longer > LARGEST else max(1, SMALLEST // longer)


def rim(inside: np.ndarray, thickness: int) -> np.ndarray:
    """Return the pixels of a bool (height, width) mask that are at most `thickness` from its outside or the edge."""
    core = np.pad(inside, 1)
    for _ in range(thickness):
        core[1:-1, 1:-1] &= core[:-2, 1:-1] & core[2:, 1:-1] & core[1:-1, :-2] & core[1:-1, 2:]
    return inside & ~core[1:-1, 1:-1]


def _number(image: Image.Image, regions: list[Region], across: float, down: float, font: Font) -> None:
    """Write number and score of each region above its box, inside of the image; the largest on top."""
    draw = ImageDraw.Draw(image)
    for number, region in reversed(list(enumerate(regions, 1))):
        text = f"{number}: {region['score']:.2f}"
        _, _, right, bottom = draw.textbbox((0, 0), text, font=font)
        x = max(0, min(int(region["box"][0] * across), image.width - int(right) - 4))
        y = max(0, int(region["box"][1] * down) - int(bottom) - 6)
        draw.rectangle((x, y, x + right + 3, y + bottom + 3), fill=_BLACK)
        draw.text((x + 2, y + 1), text, fill=_COLOUR, font=font)


def _caption(image: Image.Image, lines: list[str], font: Font, size: int) -> Image.Image:
    """Return the image with the lines below it, the first one bright.

    Its size follows from the letters' size and not from their shapes, which differ by the version of the font, unless a
    line needs more.
    """
    draw = ImageDraw.Draw(image)
    lines = [line[:_LETTERS] for line in lines]
    if not isinstance(font, ImageFont.FreeTypeFont):  # the small one has no other letters
        lines = [line.encode("latin-1", "replace").decode("latin-1") for line in lines]
    step = size * 6 // 5 + 7
    width = max(image.width, max(_EMS * size, *(int(draw.textbbox((0, 0), line, font=font)[2]) for line in lines)) + 12)
    canvas = Image.new("RGB", (width, image.height + step * len(lines) + 6), _BLACK)
    canvas.paste(image, (0, 0))
    draw = ImageDraw.Draw(canvas)
    for number, line in enumerate(lines):
        draw.text((6, image.height + 4 + number * step), line, fill=_GREY if number else _WHITE, font=font)
    return canvas


def _font(size: int) -> Font:
    try:
        return ImageFont.load_default(size)
    except (
        TypeError,
        ImportError,
    ):  # before Pillow 10.1, as Debian 12's, or without FreeType: a small font of fixed size
        return ImageFont.load_default()
