"""PNG: its structure is checked against the specification, its pixels are decoded by Pillow.

The native program's png_chunks.c has the same rules.

Every chunk's checksum counts, the pixels' too: a PNG that was changed or cut is refused. Pillow is given what decides
about pixels and nothing else: a colour profile, a text or an animation can neither stop it nor cost memory.
"""

from __future__ import annotations

import binascii
import struct
import zlib
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from PIL import Image

from edge.readers import Request, Stored, exif
from edge.readers.exif import LONGEST
from edge.readers.pillow import opened, orientation_warnings

SIGNATURE = b"\x89PNG\r\n\x1a\n"

_CRITICAL = (b"IHDR", b"PLTE", b"IDAT", b"IEND")
_DEPTHS = {0: (1, 2, 4, 8, 16), 2: (8, 16), 3: (1, 2, 4, 8), 4: (8, 16), 6: (8, 16)}  # of the colour types
_PALETTE, _GREYS, _COLOURS, _LARGEST = 3, (0, 4), 256, 0x7FFFFFFF
_XMP, _PROFILE = b"XML:com.adobe.xmp", b"Raw profile type exif"  # the second is ImageMagick's
_CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}  # of the colour types
_ADAM7 = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2))
_PIECE = 1 << 20  # bytes that are unpacked at once
_TEXTS = (b"tEXt", b"zTXt", b"iTXt")
_UNWRITTEN = 0xA5  # what the pixels hold before they are decoded


class Structure(NamedTuple):
    """What a PNG's chunks say.

    Attributes:
        width, height: pixels.
        colours: entries of the palette, None where the pixels are none of its indices.
        exif, xmp: the first of each; None where there is none.
        image: the file without what does not decide about pixels.
    """

    width: int
    height: int
    colours: int | None
    exif: bytes | None
    xmp: bytes | None
    image: bytes


def read(data: bytes, request: Request) -> Stored:
    """Return the image, of an animation the default image. 16-bit grey is kept, of 16-bit colour the high bytes."""
    parts = structure(data, request)
    request.check_size(parts.width, parts.height)
    orientation = exif.combined(parts.exif, parts.xmp)
    image = opened("PNG", parts.image)
    request.check_size(*image.size)
    _load(image, parts)
    bits = 16 if data[24] == 16 else 8
    return Stored(image, orientation, bits=bits, images=_frames(data), warnings=orientation_warnings(orientation))


def structure(data: bytes, request: Request) -> Structure:
    """Return what the chunks of the PNG `data` say.

    Raises EdgeError for a critical chunk that is not known, ValueError with the reason where the file is damaged.
    """
    kept: list[bytes | memoryview] = [SIGNATURE]
    header = b""
    colours: int | None = None
    clear = False  # whether there is a tRNS that counts
    exif = profile = xmp = None
    kinds = [b""]  # of the chunks so far, neighbours of one kind once
    for kind, begin, start, stop in _chunks(data):
        if not kind[0] & 0x20 and kind not in _CRITICAL:
            raise request.unsupported(f"has a critical chunk {kind.decode()}", "a PNG by its standard")
        _check_order(kind, kinds)
        if kind != kinds[-1]:
            kinds.append(kind)
        is_kept = kind in _CRITICAL
        if kind == b"IHDR":
            header = _checked_header(data[start:stop])
        elif kind == b"PLTE":
            is_kept = header[9] not in _GREYS
            colours = _checked_palette(stop - start) if header[9] == _PALETTE else None
        elif kind == b"tRNS":
            is_kept = not clear and _fits(stop - start, header[9], colours) and b"IDAT" not in kinds
            clear = clear or is_kept
        elif kind == b"eXIf" and exif is None:
            exif = data[start:stop]
        elif kind in _TEXTS:
            key = data[start : min(stop, start + len(_PROFILE) + 1)].partition(b"\0")[0]
            if key == _XMP and xmp is None:
                xmp = _text(kind, data[start + len(key) + 1 : stop])
            elif key == _PROFILE and profile is None:
                profile = _bytes_of(_text(kind, data[start + len(key) + 1 : stop]))
        if is_kept:
            kept.append(memoryview(data)[begin : stop + 4])
    if header[9] == _PALETTE and colours is None:
        raise ValueError("no palette")
    if b"IDAT" not in kinds:
        raise ValueError("no pixels")
    width, height = int.from_bytes(header[:4], "big"), int.from_bytes(header[4:8], "big")
    return Structure(width, height, colours, exif if exif is not None else profile, xmp, b"".join(kept))


def _chunks(data: bytes) -> Iterator[tuple[bytes, int, int, int]]:
    """Yield each chunk's kind, its begin and the bounds of its content; IEND is the last. Checksums are checked."""
    at, kind = len(SIGNATURE), b""
    while kind != b"IEND":
        if len(data) - at < 12:
            raise ValueError("cut short")
        length, kind = int.from_bytes(data[at : at + 4], "big"), data[at + 4 : at + 8]
        if length > _LARGEST or not (kind.isalpha() and kind.isascii()):
            raise ValueError("no chunk where one belongs")
        stop = at + 8 + length
        if len(data) - stop < 4:
            raise ValueError("cut short")
        if zlib.crc32(memoryview(data)[at + 4 : stop]) != int.from_bytes(data[stop : stop + 4], "big"):
            raise ValueError(f"a chunk {kind.decode()} with a wrong checksum")
        yield kind, at, at + 8, stop
        at = stop + 4


def _check_order(kind: bytes, kinds: list[bytes]) -> None:
    """Raise ValueError where a chunk may not follow these: the header is the first, the pixels are in one piece."""
    is_first = kinds == [b""]
    again = kind in kinds and (kind == b"PLTE" or (kind == b"IDAT" and kinds[-1] != kind))
    late = kind == b"PLTE" and b"IDAT" in kinds
    if (kind == b"IHDR") != is_first or again or late:
        raise ValueError(f"a chunk {kind.decode()} out of place")


def _checked_header(header: bytes) -> bytes:
    """Return an IHDR's content; ValueError where it is none that the standard knows."""
    if len(header) != 13:
        raise ValueError("a header of the wrong length")
    size = int.from_bytes(header[:4], "big"), int.from_bytes(header[4:8], "big")
    depth, colour, packing, filtering, interlace = header[8:]
    known = depth in _DEPTHS.get(colour, ()) and (packing, filtering) == (0, 0) and interlace < 2
    if not known or not 0 < min(size) <= max(size) <= _LARGEST:
        raise ValueError("a header that means nothing")
    return header


def _checked_palette(length: int) -> int:
    if length % 3 or not 0 < length // 3 <= _COLOURS:
        raise ValueError("a palette of the wrong length")
    return length // 3


def _fits(length: int, colour: int, colours: int | None) -> bool:
    """Whether a tRNS of this length belongs to pixels of this colour type; one that does not is left out."""
    return length == {0: 2, 2: 6}.get(colour, 0) if colour != _PALETTE else 0 < length <= (colours or 0)


def _text(kind: bytes, content: bytes) -> bytes:
    """Return the text of a chunk, without the key: at most LONGEST bytes of one that is packed, b"" for nonsense."""
    packed = kind == b"zTXt"
    if kind == b"iTXt":
        flags, rest = content[:2], content[2:].split(b"\0", 2)
        if flags not in (b"\0\0", b"\1\0") or len(rest) != 3:
            return b""
        packed, content = flags == b"\1\0", rest[2]
    elif packed:
        if content[:1] != b"\0":
            return b""
        content = content[1:]
    if not packed:
        return content
    try:
        return zlib.decompressobj().decompress(content, LONGEST)
    except zlib.error:
        return b""


def _bytes_of(profile: bytes) -> bytes:
    """Return what the hexadecimal digits of ImageMagick's text stand for; they begin in its fourth line."""
    digits = b"".join(b"".join(profile[:LONGEST].split(b"\n", 3)[3:]).split())
    try:
        return binascii.unhexlify(digits[: len(digits) // 2 * 2])
    except ValueError:
        return b"?"  # no EXIF data


def _load(image: Image.Image, parts: Structure) -> None:
    """Decode the pixels.

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
    if suspect and not has_all_rows(parts.image):
        raise ValueError("the pixels end before the last row")
    if parts.colours is not None and int(np.asarray(image).max()) >= parts.colours:
        raise ValueError("a pixel of a colour that the palette has not")


def _frames(data: bytes) -> int:
    """Return how many frames there are, at least 1; damage ends the count."""
    at, frames, first = 8, 0, 1
    try:
        while data[at + 4 : at + 8] != b"IDAT":
            size, kind = struct.unpack_from(">L4s", data, at)
            if kind == b"acTL":
                frames = struct.unpack_from(">L", data, at + 8)[0]
            elif kind == b"fcTL":  # the image is the first frame, too
                first = 0
            at += 12 + size
    except struct.error:
        return 1
    return first + frames if 0 < frames <= 2**31 else 1


def has_all_rows(image: bytes) -> bool:
    """Whether the pixels of a PNG as `structure` returns it are as many bytes as its header says, at least."""
    width, height = int.from_bytes(image[16:20], "big"), int.from_bytes(image[20:24], "big")
    bits, interlaced = image[24] * _CHANNELS[image[25]], image[28]
    left = 0
    for x, y, across, down in _ADAM7 if interlaced else ((0, 0, 1, 1),):
        columns, rows = (width - x + across - 1) // across, (height - y + down - 1) // down
        left += rows * (1 + (columns * bits + 7) // 8) if columns > 0 else 0
    unpacker = zlib.decompressobj()
    for kind, _, start, stop in _chunks(image):
        packed = image[start:stop] if kind == b"IDAT" else b""
        while packed and left > 0 and not unpacker.eof:
            left -= len(unpacker.decompress(packed, _PIECE))
            packed = unpacker.unconsumed_tail
    return left <= 0
