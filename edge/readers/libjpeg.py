"""What Pillow's own JPEG decoder, libjpeg, warns of while it decodes. Pillow does not pass that on.

libjpeg makes up what is missing and counts a warning. Here the same library decodes the same bytes again, an eighth as
large, through its C interface, whose structures have begun with these fields since 1991 (jpeglib.h). Everything that
could end in its error handler, which may not return, has been decoded by Pillow before.
"""

from __future__ import annotations

import ctypes
import os
from collections.abc import Callable
from ctypes import (
    CDLL,
    CFUNCTYPE,
    POINTER,
    Structure,
    byref,
    c_char,
    c_double,
    c_int,
    c_long,
    c_size_t,
    c_uint,
    c_ulong,
    c_void_p,
    cast,
    pointer,
)

from PIL import Image

from edge.errors import EdgeError

_EIGHTH = 8
_MESSAGE_BYTES = 200  # JMSG_LENGTH_MAX
_ROOM = 4096  # for what the structures hold behind the fields that are used; they are of 150 and 700 bytes
# What libjpeg says of files whose pixels are whole all the same.
_EXTRANEOUS = " extraneous bytes before marker"
_HARMLESS = ("Warning: unknown JFIF revision", "Invalid SOS parameters for sequential JPEG")


class _Errors(Structure):
    """jpeg_error_mgr."""

    _fields_ = [
        ("error_exit", c_void_p),
        ("emit_message", c_void_p),
        ("output_message", c_void_p),
        ("format_message", c_void_p),
        ("reset_error_mgr", c_void_p),
        ("code", c_int),
        ("parameters", c_int * 20),
        ("trace_level", c_int),
        ("warnings", c_long),
        ("rest", c_char * _ROOM),
    ]


class _Decompress(Structure):
    """jpeg_decompress_struct."""

    _fields_ = [
        ("errors", POINTER(_Errors)),
        ("memory", c_void_p),
        ("progress", c_void_p),
        ("client", c_void_p),
        ("is_decompressor", c_int),
        ("state", c_int),
        ("source", c_void_p),
        ("width", c_uint),
        ("height", c_uint),
        ("components", c_int),
        ("color_space", c_int),
        ("out_color_space", c_int),
        ("scale_num", c_uint),
        ("scale_denom", c_uint),
        ("gamma", c_double),
        ("settings", c_int * 12),
        ("output_width", c_uint),
        ("output_height", c_uint),
        ("out_color_components", c_int),
        ("output_components", c_int),
        ("rest", c_char * _ROOM),
    ]


_Callback = CFUNCTYPE(None, POINTER(_Decompress), c_int)
_Formatter = CFUNCTYPE(None, POINTER(_Decompress), c_char * _MESSAGE_BYTES)
_found: list[tuple[ctypes.CDLL, int, int]] = []  # once it is: the library, its version, and the size of its structure


def lost_data(data: bytes) -> tuple[str, int]:
    """Return what libjpeg says is wrong with the data of the JPEG `data`, "" where nothing is, and how many zero bytes
    it has left over: some encoders fill up to a whole number of words.

    `data` has been decoded by Pillow without an error. Raises EdgeError where Pillow's libjpeg can't be asked.
    """
    library, version, size = _library()
    said: list[str] = []
    spare: list[int] = []

    def on_message(decompress: ctypes._Pointer[_Decompress], level: int) -> None:
        if level >= 0 or said:
            return
        text = _message(decompress)
        if _EXTRANEOUS in text and (zeros := _zeros_left(decompress)):
            spare.append(zeros)
        elif not text.startswith(_HARMLESS):
            said.append(text)

    def on_error(decompress: ctypes._Pointer[_Decompress], _: int) -> None:
        # It may not return, and only a full memory brings libjpeg here.
        os.write(2, f"edge-infer: the memory is full ({_message(decompress)}): use smaller images\n".encode())
        os._exit(2)

    decompress, callbacks = _prepared(library, on_message, on_error)
    library.jpeg_CreateDecompress(byref(decompress), version, c_size_t(size))
    try:
        library.jpeg_mem_src(byref(decompress), data, c_ulong(len(data)))
        library.jpeg_read_header(byref(decompress), 1)
        decompress.scale_num, decompress.scale_denom = 1, _EIGHTH
        library.jpeg_start_decompress(byref(decompress))
        line = ctypes.create_string_buffer(decompress.output_width * decompress.output_components)
        lines = (c_void_p * 1)(ctypes.addressof(line))
        for _ in range(decompress.output_height):
            library.jpeg_read_scanlines(byref(decompress), lines, 1)
        library.jpeg_finish_decompress(byref(decompress))
    finally:
        library.jpeg_destroy_decompress(byref(decompress))
        del callbacks
    return said[0] if said else "", sum(spare)


def _zeros_left(decompress: ctypes._Pointer[_Decompress]) -> int:
    """Return how many bytes before a marker libjpeg has just skipped, 0 where one of them is not zero."""
    count = decompress.contents.errors.contents.parameters[0]
    behind = c_void_p.from_address(decompress.contents.source).value or 0  # jpeg_source_mgr begins with it
    return 0 if any(ctypes.string_at(behind - count, count)) else count


def _prepared(
    library: ctypes.CDLL, on_message: Callable[..., None], on_error: Callable[..., None]
) -> tuple[_Decompress, list[object]]:
    """Return a structure with these handlers, and what must live as long as it does."""
    errors, decompress = _Errors(), _Decompress()
    library.jpeg_std_error(byref(errors))
    callbacks = [_Callback(on_message), _Callback(on_error)]
    errors.emit_message, errors.error_exit = (cast(callback, c_void_p) for callback in callbacks)
    decompress.errors = pointer(errors)
    return decompress, [errors, *callbacks]


def _message(decompress: ctypes._Pointer[_Decompress]) -> str:
    text = (c_char * _MESSAGE_BYTES)()
    cast(decompress.contents.errors.contents.format_message, _Formatter)(decompress, text)
    return text.value.decode("ascii", "replace")


def _library() -> tuple[ctypes.CDLL, int, int]:
    """Return the libjpeg that Pillow decodes with, its version, and the size of its jpeg_decompress_struct.

    It is found through Pillow's module, which is linked to it. Asked for version 0 and size 0 it says its own; its
    error handler may return from that, as the structure here is larger than any.
    """
    if not _found:
        library = CDLL(Image.core.__file__)
        if not hasattr(library, "jpeg_mem_src"):
            raise EdgeError(
                "Pillow's libjpeg is built in, so that it can't be asked for lost data: expected a shared library; "
                "`pip install pillow` brings one",
                "runtime.broken",
            )
        own: list[int] = []
        decompress, callbacks = _prepared(
            library, lambda *_: None, lambda refused, _: own.append(refused.contents.errors.contents.parameters[0])
        )
        library.jpeg_CreateDecompress(byref(decompress), 0, c_size_t(0))
        library.jpeg_destroy_decompress(byref(decompress))
        del callbacks
        _found.append((library, own[0], own[1]))
    return _found[0]
