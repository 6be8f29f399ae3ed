"""The structure of a PNG file, held to its specification. The same rules as native/png_chunks.c.

Every chunk's checksum counts, the pixels' too: a PNG that was changed or cut is refused. Pillow is given what decides
about pixels and nothing else: a colour profile, a text or an animation can neither stop it nor cost memory.
"""

from __future__ import annotations

import binascii
import zlib
from collections.abc import Iterator
from typing import NamedTuple

from edge.errors import EdgeError
from edge.exif import LONGEST

SIGNATURE = b"\x89PNG\r\n\x1a\n"

_CRITICAL = (b"IHDR", b"PLTE", b"IDAT", b"IEND")
_DEPTHS = {0: (1, 2, 4, 8, 16), 2: (8, 16), 3: (1, 2, 4, 8), 4: (8, 16), 6: (8, 16)}  # of the colour types
_PALETTE, _GREYS, _COLOURS, _LARGEST = 3, (0, 4), 256, 0x7FFFFFFF
_XMP, _PROFILE = b"XML:com.adobe.xmp", b"Raw profile type exif"  # the second is ImageMagick's
_CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}  # of the colour types
_ADAM7 = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2))
_PIECE = 1 << 20  # bytes that are unpacked at once
_TEXTS = (b"tEXt", b"zTXt", b"iTXt")


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


def structure(data: bytes, name: str) -> Structure:
    """Return what the chunks of the PNG `data` say. `name` is for messages.

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
            raise EdgeError(
                f"{name} has a critical chunk {kind.decode()}, which is not read: expected a PNG by its standard; "
                "convert it first",
                "image.unsupported",
            )
        _hold_place(kind, kinds)
        if kind != kinds[-1]:
            kinds.append(kind)
        is_kept = kind in _CRITICAL
        if kind == b"IHDR":
            header = _held_header(data[start:stop])
        elif kind == b"PLTE":
            is_kept = header[9] not in _GREYS
            colours = _held_palette(stop - start) if header[9] == _PALETTE else None
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
    """Yield each chunk's kind, where it begins, and the bounds of its content; IEND is the last. Holds checksums."""
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


def _hold_place(kind: bytes, kinds: list[bytes]) -> None:
    """Raise ValueError where a chunk may not follow these: the header is the first, the pixels are in one piece."""
    is_first = kinds == [b""]
    again = kind in kinds and (kind == b"PLTE" or (kind == b"IDAT" and kinds[-1] != kind))
    late = kind == b"PLTE" and b"IDAT" in kinds
    if (kind == b"IHDR") != is_first or again or late:
        raise ValueError(f"a chunk {kind.decode()} out of place")


def _held_header(header: bytes) -> bytes:
    """Return an IHDR's content; ValueError where it is none that the standard knows."""
    if len(header) != 13:
        raise ValueError("a header of the wrong length")
    size = int.from_bytes(header[:4], "big"), int.from_bytes(header[4:8], "big")
    depth, colour, packing, filtering, interlace = header[8:]
    known = depth in _DEPTHS.get(colour, ()) and (packing, filtering) == (0, 0) and interlace < 2
    if not known or not 0 < min(size) <= max(size) <= _LARGEST:
        raise ValueError("a header that means nothing")
    return header


def _held_palette(length: int) -> int:
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
