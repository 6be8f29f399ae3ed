"""Reading a picture file that nobody vouches for."""

from __future__ import annotations

import io
import os
import zlib
from importlib import import_module

import numpy as np
from PIL import Image

from edge import frames
from edge.errors import EdgeError, was_interrupted
from edge.plausibility import doubts
from edge.preprocess import Picture, Preprocessing
from edge.silence import Silence
from edge.window import Window, apply, narrow

MAX_PIXELS = 64_000_000  # two and a half times the largest usual radiograph (about 4300 x 5000)
FORMATS = ("PNG", "JPEG", "GIF", "BMP", "TIFF", "WEBP")
SUFFIXES = (".png", ".jpg", ".jpeg", ".gif", ".bmp", ".tif", ".tiff", ".webp")

_SILENCE = Silence()
_ORIENTATION = 0x0112  # EXIF tag
_REDUCIBLE = ("JPEG", "MPO")  # MPO: a JPEG with further pictures behind it, as some cameras write them
_TURNED = (5, 6, 7, 8)  # its values that swap width and height
_OVERSIZE = 2  # a JPEG is decoded at least so many times as large as the network's input
_UNWRITTEN = 0xA5  # what a PNG's pixels hold before they are decoded
_CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}  # of a PNG, by its colour type
_ADAM7 = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2))
_DECODERS = (
    (b"\x89PNG\r\n\x1a\n", "PNG", "PngImagePlugin"),
    (b"\xff\xd8\xff", "JPEG", "JpegImagePlugin"),
    (b"GIF8", "GIF", "GifImagePlugin"),
    (b"BM", "BMP", "BmpImagePlugin"),
    (b"II*\0", "TIFF", "TiffImagePlugin"),
    (b"MM\0*", "TIFF", "TiffImagePlugin"),
    (b"RIFF", "WEBP", "WebPImagePlugin"),
)


def read(
    source: str | os.PathLike[str] | bytes, how: Preprocessing | None = None, max_pixels: int = MAX_PIXELS
) -> Picture:
    """Return the decoded, upright picture, in mode L or RGB. `source` is a path or a file's bytes.

    With `how`, it is decoded for a network with this input: a JPEG as small as `edge.preprocess.pixels` can use it.
    Without, in its own size.

    Raises EdgeError where the file is missing, empty, no picture, damaged, or has more than `max_pixels` pixels.
    """
    if isinstance(source, bytes):
        return decode(source, how=how, max_pixels=max_pixels)
    return decode(read_bytes(source), str(source), how, max_pixels)


def decode(
    data: bytes,
    name: str = "the image",
    how: Preprocessing | None = None,
    max_pixels: int = MAX_PIXELS,
    full_size: bool = False,
) -> Picture:
    """Return the decoded, upright picture in `data`, a file's bytes, in mode L or RGB. `name` is for messages.

    EXIF orientation is applied. Of a file with several frames the first counts. 16-bit grey keeps its high byte,
    transparency is dropped, palettes and CMYK become RGB, 1-bit becomes 0 and 255. With `how`, its window is applied to
    the stored values, the picture has warnings, and a JPEG is decoded at the smallest of 1/1, 1/2, 1/4 and 1/8 that
    leaves it twice as wide and as high as the network's input, at least (not with `full_size`); the limit of pixels and
    `Picture.size` are about its own size all the same.

    Raises EdgeError as `read` does.
    """
    if not data:
        raise EdgeError(f"{name} is empty: expected a picture ({', '.join(FORMATS)}); copy the file again")
    try:
        with _SILENCE:  # Pillow warns of damaged metadata, which is not read here
            image = _open(data)
            width, height = image.size
            if width * height > max_pixels:
                raise EdgeError(
                    f"{name} has {width}x{height} pixels, more than the limit of {max_pixels}: "
                    f"make it smaller, or raise the limit with --max-pixels {width * height}"
                )
            if image.format == "TIFF" and image.mode.startswith("I"):
                _hold_grey(image, name)
            reduction = 1 if how is None or full_size else _reduce(image, how)
            _load(image, data)
            size = width, height
            if reduction > 1 and image.getexif().get(_ORIENTATION) in _TURNED:
                size = height, width
            return take(image, name, how, None if reduction == 1 else size, reduction, _bits(image, data), data)
    except EdgeError:
        raise
    except Image.UnidentifiedImageError:
        raise EdgeError(
            f"{name} is not a picture that can be read (it begins with {data[:8]!r}): expected {', '.join(FORMATS)}; "
            "convert it first"
        ) from None
    except MemoryError:
        raise EdgeError(f"{name} does not fit into memory: make it smaller or set a lower --max-pixels") from None
    except Exception as error:  # decoders raise OSError, SyntaxError, ValueError, struct.error, EOFError, ...
        if was_interrupted(error):  # while a decoder was imported
            raise KeyboardInterrupt from None
        reason = str(error).split("\n")[0] or type(error).__name__
        raise EdgeError(f"{name} is damaged or cut short ({reason}): expected a whole picture; copy it again") from None


def read_bytes(path: str | os.PathLike[str]) -> bytes:
    """Return a file's bytes; EdgeError where it can't be read."""
    try:
        with open(path, "rb") as file:  # pathlib would cost a cold start 3 ms
            return file.read()
    except FileNotFoundError:
        raise EdgeError(f"{path} does not exist: expected a file; check the path") from None
    except IsADirectoryError:
        raise EdgeError(f"{path} is a folder: expected a file") from None
    except MemoryError:
        raise EdgeError(f"{path} does not fit into memory: expected a picture; check the path") from None
    except (OSError, ValueError) as error:  # ValueError: a null character in the path
        reason = getattr(error, "strerror", None) or error
        raise EdgeError(f"{path} can't be read ({reason}): check the file and its permissions") from None


def take(
    image: Image.Image,
    name: str = "the image",
    how: Preprocessing | None = None,
    size: tuple[int, int] | None = None,
    reduction: int = 1,
    bits: int = 8,
    data: bytes = b"",
) -> Picture:
    """Return a loaded Pillow image as a picture for a network with this input, as `decode` does.

    Args:
        size: (width, height) of the upright picture itself, where the image is not as large.
        bits: 16 where the image holds the high bytes of so many.
        data: the file that it is from.

    Raises EdgeError as `plain` does.
    """
    upright = plain(image, name, how.window if how else None, bits == 16)
    size = size or upright.size
    if how is None:
        return Picture(upright, size, reduction)
    return Picture(upright, size, reduction, doubts(image, size, how, bits, frames.count(data, image.format)))


def plain(
    image: Image.Image, name: str = "the image", window: Window | None = None, high_bytes: bool = False
) -> Image.Image:
    """Return a loaded picture upright (by its EXIF orientation) and in mode L or RGB. `name` is for messages.

    `window` is the one that its stored values go through; `high_bytes`: colour of 16 bits has kept those.

    Raises EdgeError for floating-point pixels: nothing says which value is white.
    """
    image.load()
    # Pillow turns TIFFs while it loads them, and before version 10.1, which Debian 12 has, still says that they lie.
    if image.format != "TIFF" and image.getexif().get(_ORIENTATION, 1) != 1:
        from PIL import ImageOps  # most pictures lie upright and need none of it

        image = ImageOps.exif_transpose(image)
    if image.mode in ("L", "RGB"):
        return apply(image, window, high_bytes)
    if image.mode == "F":
        raise EdgeError(
            f"{name} has floating-point pixels, which are not read: expected 8 or 16 bits; convert it first"
        )
    if image.mode.startswith("I"):  # 16 bits: "I;16" in one of its byte orders, or "I" where Pillow is old
        return Image.fromarray(narrow(np.asarray(image), window))
    image = image.convert("L" if image.mode in ("1", "LA", "La") else "RGB")
    return apply(image, window, high_bytes)


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
            "black as 0; convert it first"
        )


def _load(image: Image.Image, data: bytes) -> None:
    """Decode the pixels of the picture in `data`.

    Raises OSError where those of a PNG end before its last row: Pillow takes the rows that are missing for black, and
    does not say so.
    """
    if image.format != "PNG":
        image.load()
        return
    bands = len(image.getbands())
    colour = _UNWRITTEN if bands == 1 else (_UNWRITTEN,) * bands
    width, height = image.size
    image.im = Image.new(image.mode, image.size, colour).im
    image.load()
    # A last row of this colour is seldom a picture's own; to count the data of all pictures would take too long.
    last = image.crop((0, height - 1, width, height)).tobytes()
    suspect = image.info.get("interlace") or last == Image.new(image.mode, (width, 1), colour).tobytes()
    if suspect and not _is_whole(data):
        raise OSError("image file is truncated")


def _is_whole(data: bytes) -> bool:
    """Whether a PNG's data is as long as its header says, at least."""
    width, height = int.from_bytes(data[16:20], "big"), int.from_bytes(data[20:24], "big")
    bits, interlaced = data[24] * _CHANNELS[data[25]], data[28]
    left = 0
    for x, y, across, down in _ADAM7 if interlaced else ((0, 0, 1, 1),):
        columns, rows = (width - x + across - 1) // across, (height - y + down - 1) // down
        left += rows * (1 + (columns * bits + 7) // 8) if columns > 0 else 0
    unpacker, at = zlib.decompressobj(), 8
    while left > 0 and at + 8 <= len(data) and not unpacker.eof:
        count, kind = int.from_bytes(data[at : at + 4], "big"), data[at + 4 : at + 8]
        packed = data[at + 8 : at + 8 + count] if kind == b"IDAT" else b""
        at += 12 + count
        while packed and left > 0 and not unpacker.eof:
            left -= len(unpacker.decompress(packed, 2**20))
            packed = unpacker.unconsumed_tail
    return left <= 0


def _reduce(image: Image.Image, how: Preprocessing) -> int:
    """Let a JPEG's decoder make it smaller; return by how much."""
    if image.format not in _REDUCIBLE:
        return 1
    width, height = image.size
    if image.getexif().get(_ORIENTATION) in _TURNED:
        width, height = height, width
    room = min(width // (_OVERSIZE * how.width), height // (_OVERSIZE * how.height))
    reduction = next((step for step in (8, 4, 2) if step <= room), 1)
    if reduction > 1:
        image.draft(None, (image.width // reduction, image.height // reduction))
    return reduction


def _open(data: bytes) -> Image.Image:
    """Return the picture with its header read and no pixel decoded.

    `Image.open` would import five decoders for one picture and more for others, and has a limit of pixels of its own
    that can't be set for one picture.
    """
    for magic, form, plugin in _DECODERS:
        if data.startswith(magic) and (form != "WEBP" or data[8:12] == b"WEBP"):
            import_module(f"PIL.{plugin}")
            return Image.OPEN[form][0](io.BytesIO(data), "")
    raise Image.UnidentifiedImageError
