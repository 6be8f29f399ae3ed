"""Reading an image file that nobody vouches for."""

from __future__ import annotations

import io
import os
from collections.abc import Callable
from importlib import import_module
from typing import TypeVar

import numpy as np
from PIL import Image

from edge import exif, frames, jpeg, png
from edge.errors import EdgeError, ImageWarning, was_interrupted
from edge.files import form_of, read_image
from edge.plausibility import doubts
from edge.preprocess import Picture, Preprocessing
from edge.shortage import lacks_memory
from edge.silence import Silence
from edge.window import Window, apply, narrow

Result = TypeVar("Result")
MAX_PIXELS = 64_000_000  # two and a half times the largest usual radiograph (about 4300 x 5000)
FORMATS = ("PNG", "JPEG", "GIF", "BMP", "TIFF", "WEBP")
# What such files usually end in; what they are is told by how they begin.
SUFFIXES = (
    *(".png", ".apng", ".jpg", ".jpeg", ".jpe", ".jfif", ".jif", ".jfi", ".mpo"),
    *(".gif", ".bmp", ".dib", ".tif", ".tiff", ".webp"),
)

_SILENCE = Silence()
_OVERSIZE = 2  # a JPEG is decoded at least so many times as large as the network's input
_UNWRITTEN = 0xA5  # what a PNG's pixels hold before they are decoded
_PLUGINS = {
    "PNG": "PngImagePlugin",
    "JPEG": "JpegImagePlugin",
    "GIF": "GifImagePlugin",
    "BMP": "BmpImagePlugin",
    "TIFF": "TiffImagePlugin",
    "WEBP": "WebPImagePlugin",
}
_NO_ORIENTATION = (
    "the image's orientation can't be read from its EXIF data: it is taken as it lies; check which way up it is"
)
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

    With `how`, it is decoded for a network with this input: a JPEG as small as `edge.preprocess.pixels` can use it.
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
    transparency is dropped, palettes and CMYK become RGB, 1-bit becomes 0 and 255. With `how`, its window is applied to
    the stored values, the image has warnings, and a JPEG is decoded at the smallest of 1/1, 1/2, 1/4 and 1/8 that
    leaves it twice as wide and as high as the network's input, at least (not with `full_size`); the limit of pixels and
    `Picture.size` are about its own size all the same.

    Raises EdgeError as `read` does.
    """
    return _explained(lambda form: _decode(form, data, name, spec, max_pixels, full_size), data, name)


def stored(data: bytes, name: str = "the image", max_pixels: int = MAX_PIXELS) -> tuple[Image.Image, int]:
    """Return the image in `data`, a file's bytes, loaded as the file stores it, in any mode, and its orientation.

    It is not turned yet: `upright` does. This is for masks, whose values are labels and no grey levels.

    Raises EdgeError as `read` does.
    """
    return _explained(lambda form: _loaded(form, data, name, None, max_pixels, True)[:2], data, name)


def orientation(data: bytes, name: str = "the image", max_pixels: int = MAX_PIXELS) -> int:
    """Return EXIF's orientation of the image in `data`, a file's bytes, as `edge.exif` numbers it.

    Raises EdgeError as `read` does, for what shows without decoding.
    """
    return _explained(lambda form: _opened(form, data, name, max_pixels)[1], data, name)


def upright(image: Image.Image, orientation: int) -> Image.Image:
    """Return it as EXIF's `orientation`, 1 to 8, says that it is seen; other numbers change nothing."""
    way = _WAYS.get(orientation)
    return image if way is None else image.transpose(way)


def _explained(action: Callable[[str], Result], data: bytes, name: str) -> Result:
    """Return what `action` makes of the file's form; EdgeError says what is wrong with the file."""
    form = form_of(data)
    if form is None:
        raise _no_image(data, name)
    return _decoded(lambda: action(form), name)


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
        message = f"{name} is empty: expected an image ({', '.join(FORMATS)}); copy the file again"
        return EdgeError(message, "image.empty")
    return EdgeError(
        f"{name} is not an image that can be read (it begins with {data[:8]!r}): expected {', '.join(FORMATS)}; "
        "convert it first",
        "image.format",
    )


def _decode(form: str, data: bytes, name: str, spec: Preprocessing | None, max_pixels: int, full_size: bool) -> Picture:
    image, orientation, size, reduction, warnings = _loaded(form, data, name, spec, max_pixels, full_size)
    turned = size[::-1] if orientation in exif.TURNED else size
    picture = take(
        image, name, spec, turned if reduction > 1 else None, reduction, _bits(image, data), data, orientation
    )
    return picture._replace(warnings=(*warnings, *picture.warnings))


def _loaded(
    form: str, data: bytes, name: str, spec: Preprocessing | None, max_pixels: int, full_size: bool
) -> tuple[Image.Image, int, tuple[int, int], int, list[ImageWarning]]:
    """Return the image as it lies, its orientation, its own size, the reduction, and warnings of its file."""
    image, orientation, parts, file = _opened(form, data, name, max_pixels)
    size = image.size
    turned = orientation in exif.TURNED
    reduction = _reduce(image, spec, turned) if form == "JPEG" and spec and not full_size else 1
    if isinstance(parts, png.Structure):
        _load_png(image, parts)
    elif form == "TIFF":
        _load_tiff(image, data, name)
    else:
        image.load()
    warnings = _spare(file) if form == "JPEG" else []
    if orientation == exif.UNREADABLE:
        warnings.append(ImageWarning("image.orientation", _NO_ORIENTATION))
    return image, orientation, size, reduction, warnings


def _opened(
    form: str, data: bytes, name: str, max_pixels: int
) -> tuple[Image.Image, int, png.Structure | jpeg.Structure | None, bytes]:
    """Return the image with no pixel decoded, its orientation, its structure, and what of its file was opened."""
    orientation, file, parts = exif.NONE, data, None
    if form in ("PNG", "JPEG"):
        parts = png.structure(data, name) if form == "PNG" else jpeg.structure(data, name)
        _hold_size(name, (parts.width, parts.height), max_pixels)
        orientation, file = exif.combined(parts.exif, parts.xmp), parts.image
    elif form == "TIFF":
        orientation, file = exif.taken_out(data)
    image = _open(form, file)
    _hold_size(name, image.size, max_pixels)
    if form == "TIFF":
        image.info.pop("xmp", None)  # newer Pillows turn by it, too
    elif form == "WEBP":
        orientation = exif.combined(image.info.get("exif"), image.info.get("xmp"))
    if form == "TIFF" and image.mode.startswith("I"):
        _hold_grey(image, name)
    return image, orientation, parts, file


def _hold_size(name: str, size: tuple[int, int], max_pixels: int) -> None:
    width, height = size
    if width * height > max_pixels:
        raise EdgeError(
            f"{name} has {width}x{height} pixels, more than the limit of {max_pixels}: "
            f"make it smaller, or raise the limit with --max-pixels {width * height}",
            "image.too-large",
        )


def _spare(data: bytes) -> list[ImageWarning]:
    """Return a warning where a JPEG has more data than pixels; ValueError where it has less."""
    from edge.libjpeg import lost_data  # other forms do not need it

    lost, spare = lost_data(data)
    if lost:
        raise ValueError(lost)
    if not spare:
        return []
    return [ImageWarning("image.padding", f"{spare} zero bytes follow the data of the image's pixels; check the file")]


def take(
    image: Image.Image,
    name: str = "the image",
    spec: Preprocessing | None = None,
    size: tuple[int, int] | None = None,
    reduction: int = 1,
    bits: int = 8,
    data: bytes = b"",
    orientation: int | None = None,
) -> Picture:
    """Return a Pillow image as an image for a network with this input, as `decode` does.

    Args:
        size: (width, height) of the upright image itself, where the image is not as large.
        bits: 16 where the image holds the high bytes of so many.
        data: the file that it is from.
        orientation: EXIF's; None: the image's own metadata says it.

    Raises EdgeError as `plain` does.
    """
    shown = plain(image, name, spec.window if spec else None, bits == 16, orientation)
    size = size or shown.size
    if spec is None:
        return Picture(shown, size, reduction)
    return Picture(shown, size, reduction, doubts(image, size, spec, bits, frames.count(data, image.format)))


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


def _bits(image: Image.Image, data: bytes) -> int:
    """Return how many bits a channel has in the file, as far as that is more than Pillow keeps: 16, else 8."""
    if image.format == "PNG":
        return 16 if data[24] == 16 else 8
    stored = image.tag_v2.get(258, (8,)) if image.format == "TIFF" else (8,)  # type: ignore[attr-defined]
    return 16 if max(stored) == 16 else 8


def _hold_grey(image: Image.Image, name: str) -> None:
    """Raise EdgeError where a TIFF's greys are not 0 for black to 65535 for white, which is how they would be read."""
    bits, kinds, white_first = (image.tag_v2.get(tag, usual) for tag, usual in ((258, (1,)), (339, (1,)), (262, 1)))  # type: ignore[attr-defined]
    if (bits, kinds, white_first) != ((16,), (1,), 1):
        sign = {1: "unsigned", 2: "signed"}.get(kinds[0], "strange")
        order = ", white as 0" if white_first == 0 else ""
        raise EdgeError(
            f"{name} has {bits[0]}-bit {sign} greys{order}, which are not read: expected 8 or 16 bits, unsigned, "
            "black as 0; convert it first",
            "image.unsupported",
        )


def _load_png(image: Image.Image, parts: png.Structure) -> None:
    """Decode the pixels of a PNG.

    Raises ValueError where they end before the last row, which Pillow takes for black without a word, and where one is
    none of the palette's colours.
    """
    bands = len(image.getbands())
    colour = _UNWRITTEN if bands == 1 else (_UNWRITTEN,) * bands
    width, height = image.size
    image.im = Image.new(image.mode, image.size, colour).im
    image.load()
    # A last row of this colour is seldom an image's own; to count the data of all images would take too long.
    last = image.crop((0, height - 1, width, height)).tobytes()
    suspect = image.info.get("interlace") or last == Image.new(image.mode, (width, 1), colour).tobytes()
    if suspect and not png.has_all_rows(parts.image):
        raise ValueError("the pixels end before the last row")
    if parts.colours is not None and int(np.asarray(image).max()) >= parts.colours:
        raise ValueError("a pixel of a colour that the palette has not")


def _load_tiff(image: Image.Image, data: bytes, name: str) -> None:
    from edge.tiff import hold_whole, listen  # other forms do not need it

    tags = dict(image.tag_v2)  # type: ignore[attr-defined]
    listen()
    image.load()
    hold_whole(tags, data, name)


def _reduce(image: Image.Image, spec: Preprocessing, turned: bool) -> int:
    """Let a JPEG's decoder make it smaller; return by how much."""
    width, height = image.size[::-1] if turned else image.size
    room = min(width // (_OVERSIZE * spec.width), height // (_OVERSIZE * spec.height))
    reduction = next((step for step in (8, 4, 2) if step <= room), 1)
    if reduction > 1:
        image.draft(None, (image.width // reduction, image.height // reduction))
    return reduction


def _open(form: str, data: bytes) -> Image.Image:
    """Return the image with its header read and no pixel decoded.

    `Image.open` would import five decoders for one image and more for others, and has a limit of pixels of its own
    that can't be set for one image.
    """
    import_module(f"PIL.{_PLUGINS[form]}")
    return Image.OPEN[form][0](io.BytesIO(data), "")
