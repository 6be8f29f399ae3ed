"""TIFF, decoded by Pillow; lost data is an error, where Pillow reads on and libtiff writes to standard error."""

from __future__ import annotations

import re
import struct
from ctypes import CDLL, CFUNCTYPE, c_char_p
from threading import local
from typing import Any

from PIL import Image

from edge.errors import EdgeError
from edge.readers import Request, Stored, exif, jpeg
from edge.readers.libjpeg import lost_data
from edge.readers.pillow import opened, orientation_warnings

_BITS, _KIND, _MEANING, _SUBFILE = 258, 339, 262, 254  # tags: of a channel, of a number, of 0, of a page
_COMPRESSION, _JPEG, _TABLES = 259, 7, 347
_PLACES = ((273, 279), (324, 325))  # tags of where the parts are and how long: strips, tiles

_VALUES = re.compile(r"(?: at \w+)?[ (]*%")  # where those of printf's format begin, which are out of reach

_heard = local()
_handlers: list[Any] = []  # libtiff calls it as long as the process lives


def read(data: bytes, request: Request) -> Stored:
    """Return the first page. 16-bit grey is kept, of 16-bit colour the high bytes."""
    orientation, file = exif.taken_out(data)
    image = opened("TIFF", file)
    request.check_size(*image.size)
    image.info.pop("xmp", None)  # newer Pillows turn by it, too
    if image.mode.startswith("I"):
        _check_grey(image, request)
    tags = dict(image.tag_v2)  # type: ignore[attr-defined]
    listen()
    image.load()
    check_complete(tags, data, request)
    bits = 16 if max(image.tag_v2.get(_BITS, (8,))) == 16 else 8  # type: ignore[attr-defined]
    return Stored(image, orientation, bits=bits, images=_pages(data), warnings=orientation_warnings(orientation))


def _check_grey(image: Image.Image, request: Request) -> None:
    """Raise EdgeError where greys are not 0 for black to 65535 for white, which is how they would be read."""
    tags = image.tag_v2  # type: ignore[attr-defined]
    bits, kinds, white_first = (tags.get(tag, usual) for tag, usual in ((_BITS, (1,)), (_KIND, (1,)), (_MEANING, 1)))
    if (bits, kinds, white_first) != ((16,), (1,), 1):
        sign = {1: "unsigned", 2: "signed"}.get(kinds[0], "strange")
        order = ", white as 0" if white_first == 0 else ""
        raise EdgeError(
            f"{request.name} has {bits[0]}-bit {sign} greys{order}, which are not read: expected 8 or 16 bits, "
            "unsigned, black as 0; convert it first",
            "image.unsupported",
        )


def _pages(data: bytes) -> int:
    """Return how many pages there are, at least 1; damage ends the count. Smaller versions of a page are none."""
    order = "<" if data.startswith(b"II") else ">"
    pages, seen, at = 0, set(), 0
    try:
        at = struct.unpack_from(f"{order}L", data, 4)[0]
        while at and at not in seen:
            seen.add(at)
            entries = struct.unpack_from(f"{order}H", data, at)[0]
            tag, kind = struct.unpack_from(f"{order}HH", data, at + 2)
            form = f"{order}{'H' if kind == 3 else 'L'}"
            subfile = struct.unpack_from(form, data, at + 10)[0] if tag == _SUBFILE else 0
            pages += not subfile & 1  # 1: a smaller version of another page
            at = struct.unpack_from(f"{order}L", data, at + 2 + 12 * entries)[0]
    except struct.error:
        pass
    return max(1, pages)


@CFUNCTYPE(None, c_char_p, c_char_p)
def _on_error(module: bytes | None, message: bytes | None) -> None:
    text = (message or module or b"").decode("ascii", "replace")
    _heard.errors = [*getattr(_heard, "errors", []), _VALUES.split(text)[0]]


def listen() -> None:
    """Let libtiff report its errors in this thread to `check_complete`, from now on, and not to standard error."""
    _heard.errors = []
    if not _handlers:
        _handlers.append(_on_error)
        library = CDLL(Image.core.__file__)
        if hasattr(library, "TIFFSetErrorHandler"):
            library.TIFFSetErrorHandler(_on_error)


def check_complete(tags: Any, data: bytes, request: Request) -> None:
    """Raise ValueError where libtiff had an error since `listen`, or libjpeg made up data of the TIFF file `data`.

    Pillow has decoded it.

    `tags` are Pillow's of the image: number -> value.
    """
    for error in _heard.errors:
        raise ValueError(error)
    if tags.get(_COMPRESSION) != _JPEG:
        return
    tables = tags.get(_TABLES, b"")
    for places, lengths in _PLACES:
        for at, length in zip(tags.get(places, ()), tags.get(lengths, ()), strict=False):
            part = data[at : at + length]
            whole = tables[:-2] + part[2:] if tables else part  # without the one's end and the other's beginning
            lost, _ = lost_data(jpeg.structure(whole, request).image)
            if lost:
                raise ValueError(lost)
