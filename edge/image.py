"""Reading an image file that nobody vouches for: `edge.readers` decodes it, here it becomes upright and 8-bit."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import TypeVar

import numpy as np
from PIL import Image

from edge import readers
from edge.errors import EdgeError, was_interrupted
from edge.files import read_image
from edge.plausibility import doubts
from edge.preprocess import Picture, Preprocessing
from edge.readers import MAX_PIXELS, Reader, Request, Stored, exif
from edge.shortage import lacks_memory
from edge.silence import Silence
from edge.window import Window, apply, narrow

Result = TypeVar("Result")

_SILENCE = Silence()
# What Pillow calls the ways to turn and mirror, by orientation.
_WAYS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


def read(
    source: str | os.PathLike[str] | bytes, spec: Preprocessing | None = None, max_pixels: int = MAX_PIXELS
) -> Picture:
    """Return the decoded, upright image, in mode L or RGB. `source` is a path or a file's bytes.

    With `spec`, it is decoded for a network with this input: a JPEG as small as `edge.preprocess.pixels` can use it.
    Without, in its own size.

    Raises EdgeError where the file is missing, empty, no image, damaged, or has more than `max_pixels` pixels.
    """
    if isinstance(source, bytes):
        return decode(source, spec=spec, max_pixels=max_pixels)
    return decode(read_image(source), str(source), spec, max_pixels)


def decode(
    data: bytes,
    name: str = "the image",
    spec: Preprocessing | None = None,
    max_pixels: int = MAX_PIXELS,
    full_size: bool = False,
) -> Picture:
    """Return the decoded, upright image in `data`, a file's bytes, in mode L or RGB. `name` is for messages.

    EXIF orientation is applied. Of a file with several frames the first counts. 16-bit grey keeps its high byte,
    transparency is dropped, palettes and CMYK become RGB, 1-bit becomes 0 and 255. With `spec`, its window is applied
    to the stored values, the image has warnings, and a JPEG is decoded at the smallest of 1/1, 1/2, 1/4 and 1/8 that
    leaves it twice as wide and as high as the network's input, at least (not with `full_size`); the limit of pixels and
    `Picture.size` are about its own size all the same.

    Raises EdgeError as `read` does.
    """
    if spec is None:
        return _picture(_read(data, Request(name, max_pixels)), name, None)
    size = None if full_size else (spec.width, spec.height)
    return _picture(_read(data, Request(name, max_pixels, size, spec.window)), name, spec)


def stored(data: bytes, name: str = "the image", max_pixels: int = MAX_PIXELS) -> tuple[Image.Image, int]:
    """Return the image in `data`, a file's bytes, loaded as the file stores it, in any mode, and its orientation.

    It is not turned yet: `upright` does. This is for masks, whose values are labels and no grey levels.

    Raises EdgeError as `read` does.
    """
    found = _read(data, Request(name, max_pixels))
    return found.image, found.orientation


def upright(image: Image.Image, orientation: int) -> Image.Image:
    """Return it as EXIF's `orientation`, 1 to 8, says that it is seen; other numbers change nothing."""
    way = _WAYS.get(orientation)
    return image if way is None else image.transpose(way)


def _read(data: bytes, request: Request) -> Stored:
    """Return the image in `data` as its reader decodes it; EdgeError says what is wrong with the file."""
    reader = readers.find(data[: readers.HEAD])
    if reader is None:
        raise _no_image(data, request.name)
    return _decoded(lambda: _checked(reader, data, request), request.name)


def _checked(reader: Reader, data: bytes, request: Request) -> Stored:
    """Return what a reader decodes; those from outside may have forgotten something."""
    found = reader.read(data, request)
    if not isinstance(found, Stored) or not isinstance(found.image, Image.Image):
        raise EdgeError(
            f"the reader {reader.name} gave a {type(found).__name__} for {request.name}: expected an "
            "edge.readers.Stored with a Pillow image; correct the reader",
            "reader.invalid",
        )
    request.check_size(*(found.size or found.image.size))
    return found


def _decoded(action: Callable[[], Result], name: str) -> Result:
    """Return what `action` returns, which decodes an image; EdgeError says what is wrong with that."""
    try:
        with _SILENCE:  # Pillow warns of damaged metadata, which is not read here
            return action()
    except EdgeError:
        raise
    except Exception as error:  # decoders raise OSError, SyntaxError, ValueError, struct.error, EOFError, ...
        if was_interrupted(error):  # while a decoder was imported
            raise KeyboardInterrupt from None
        if isinstance(error, MemoryError) or lacks_memory():  # some say so in words of their own
            raise EdgeError(
                f"{name} does not fit into memory: make it smaller or set a lower --max-pixels", "image.memory"
            ) from None
        reason = str(error).split("\n")[0] or type(error).__name__
        raise EdgeError(
            f"{name} is damaged or cut short ({reason}): expected a whole image; copy it again", "image.damaged"
        ) from None


def _no_image(data: bytes, name: str) -> EdgeError:
    if not data:
        message = f"{name} is empty: expected an image ({readers.expected()}); copy the file again"
        return EdgeError(message, "image.empty")
    return EdgeError(
        f"{name} is not an image that can be read (it begins with {data[:8]!r}): expected {readers.expected()}; "
        "convert it first",
        "image.format",
    )


def _picture(found: Stored, name: str, spec: Preprocessing | None) -> Picture:
    image, orientation = found.image, found.orientation
    shown = plain(image, name, spec.window if spec else None, found.bits == 16, orientation)
    size = found.size or image.size
    turned = size[::-1] if orientation in exif.TURNED else size
    if spec is None:
        return Picture(shown, turned, found.reduction, found.warnings, orientation)
    warnings = (*found.warnings, *doubts(image, turned, spec, found.bits, found.images))
    return Picture(shown, turned, found.reduction, warnings, orientation)


def take(image: Image.Image, name: str = "the image", spec: Preprocessing | None = None) -> Picture:
    """Return a Pillow image, whose own metadata says how it lies, as an image for a network with this input.

    Raises EdgeError as `plain` does.
    """
    shown = plain(image, name, spec.window if spec else None)
    return Picture(shown, shown.size, warnings=doubts(image, shown.size, spec) if spec else ())


def plain(
    image: Image.Image,
    name: str = "the image",
    window: Window | None = None,
    high_bytes: bool = False,
    orientation: int | None = None,
) -> Image.Image:
    """Return a loaded image upright (by its EXIF orientation) and in mode L or RGB. `name` is for messages.

    `window` is the one that its stored values go through; `high_bytes`: colour of 16 bits has kept those. Without an
    `orientation`, the image's own metadata says it.

    Raises EdgeError for floating-point pixels, as nothing says which value is white, and where the file that Pillow has
    opened can't be decoded.
    """
    if orientation is None:
        _decoded(image.load, name)  # a file that was opened is not decoded yet
        # Pillow turns TIFFs while it loads them, and before 10.1, which Debian 12 has, still says that they lie.
        orientation = exif.NONE if image.format == "TIFF" else _orientation_of(image)
    image = upright(image, orientation)
    if image.mode in ("L", "RGB"):
        return apply(image, window, high_bytes)
    if image.mode == "F":
        raise EdgeError(
            f"{name} has floating-point pixels, which are not read: expected 8 or 16 bits; convert it first",
            "image.unsupported",
        )
    if image.mode.startswith("I"):  # 16 bits: "I;16" in one of its byte orders, or "I" where Pillow is old
        return Image.fromarray(narrow(np.asarray(image), window))
    image = image.convert("L" if image.mode in ("1", "LA", "La") else "RGB")
    return apply(image, window, high_bytes)


def _orientation_of(image: Image.Image) -> int:
    """Return the orientation of an image that is no file's but the caller's, where it has one."""
    data, xmp = image.info.get("exif"), image.info.get("xmp") or image.info.get("XML:com.adobe.xmp")
    if isinstance(data, bytes):
        return exif.combined(data, xmp.encode() if isinstance(xmp, str) else xmp)
    value = image.getexif().get(exif.TAG)
    return value if value in _WAYS else exif.NONE
