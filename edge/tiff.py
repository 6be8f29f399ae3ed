"""Whether a TIFF's decoder had to make up what was lost. Pillow reads on, and libtiff writes to standard error."""

from __future__ import annotations

import re
from ctypes import CDLL, CFUNCTYPE, c_char_p
from threading import local
from typing import Any

from PIL import Image

from edge import jpeg
from edge.libjpeg import lost_data

_COMPRESSION, _JPEG, _TABLES = 259, 7, 347
_PLACES = ((273, 279), (324, 325))  # tags of where the parts are and how long: strips, tiles

_VALUES = re.compile(r"(?: at \w+)?[ (]*%")  # where those of printf's format begin, which are out of reach

_said = local()
_handlers: list[Any] = []  # libtiff calls it as long as the process lives


@CFUNCTYPE(None, c_char_p, c_char_p)
def _on_error(module: bytes | None, message: bytes | None) -> None:
    text = (message or module or b"").decode("ascii", "replace")
    _said.errors = [*getattr(_said, "errors", []), _VALUES.split(text)[0]]


def listen() -> None:
    """Let libtiff tell `hold_whole` of its errors in this thread, from now on, and not standard error."""
    _said.errors = []
    if not _handlers:
        _handlers.append(_on_error)
        library = CDLL(Image.core.__file__)
        if hasattr(library, "TIFFSetErrorHandler"):
            library.TIFFSetErrorHandler(_on_error)


def hold_whole(tags: Any, data: bytes, name: str) -> None:
    """Raise ValueError where libtiff had an error since `listen`, or libjpeg made up data of the TIFF file `data`.

    Pillow has decoded it.

    `tags` are Pillow's of the image: number -> value.
    """
    for error in _said.errors:
        raise ValueError(error)
    if tags.get(_COMPRESSION) != _JPEG:
        return
    tables = tags.get(_TABLES, b"")
    for places, lengths in _PLACES:
        for at, length in zip(tags.get(places, ()), tags.get(lengths, ()), strict=False):
            part = data[at : at + length]
            whole = tables[:-2] + part[2:] if tables else part  # without the one's end and the other's beginning
            lost, _ = lost_data(jpeg.structure(whole, name).image)
            if lost:
                raise ValueError(lost)
