"""Which way up an image lies, by its metadata: EXIF's orientation, else XMP's. The native exif.c has the same rules.

By EXIF 2.32 (JEITA CP-3451, 4.6.4 A) the orientation is one SHORT, tag 0x0112, in the first image file directory
(IFD0). Anything else under that tag is no orientation. Pillow's own reading differs from version to version.
"""

from __future__ import annotations

import re

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Literal

TAG = 0x0112
UPRIGHT, NONE, UNREADABLE = 1, 0, -1
TURNED = (5, 6, 7, 8)  # the values that swap width and height
LONGEST = 1 << 20  # bytes of metadata, unpacked, that are looked at

_SHORT = 3
_HEADER, _ENTRY = 8, 12  # bytes
_PREFIX = b"Exif\0\0"
_XMP = re.compile(rb"""tiff:Orientation(?:\s*=\s*["']|\s*>\s*)([1-8])(?=["'\s<])""")


def exif_orientation(exif: bytes) -> int:
    """Return the orientation in EXIF data, with or without "Exif" in front: 1 to 8.

    NONE where there is no such entry, or its value is 0; UNREADABLE where the data is no EXIF, ends within its
    directory, or where the entry is not one SHORT of 0 to 8, or there are two that differ.
    """
    exif = exif.removeprefix(_PREFIX)
    if not exif:
        return NONE
    return _agreed(_entries(exif))


def taken_out(tiff: bytes) -> tuple[int, bytes]:
    """Return the orientation of a TIFF file, as above, and the file with that set to upright.

    Pillow turns such a file by itself, by rules of its own.
    """
    entries = _entries(tiff)
    orientation, file = _agreed(entries), tiff
    if orientation not in (NONE, UPRIGHT):
        changed = bytearray(tiff)
        upright = b"".join(
            number.to_bytes(size, _order(tiff)) for number, size in ((TAG, 2), (_SHORT, 2), (1, 4), (UPRIGHT, 2))
        )
        for at, _ in entries:
            if at:
                changed[at : at + len(upright)] = upright
        file = bytes(changed)
    return orientation, file


def _agreed(entries: list[tuple[int, int]]) -> int:
    values = {value for _, value in entries}
    return UNREADABLE if len(values) > 1 or UNREADABLE in values else max(values, default=NONE)


def _entries(tiff: bytes) -> list[tuple[int, int]]:
    """Return (offset, value) of IFD0's orientations; UNREADABLE is the value of one that is not one SHORT of 0 to 8.

    The last one is (0, UNREADABLE) where the data is no TIFF or the directory does not end within it.
    """
    if tiff[:4] not in (b"II*\0", b"MM\0*") or len(tiff) < _HEADER:
        return [(0, UNREADABLE)]

    def number(at: int, size: int) -> int:
        return int.from_bytes(tiff[at : at + size], _order(tiff))

    at = number(4, 4)
    if at + 2 > len(tiff):
        return [(0, UNREADABLE)]
    found, end = [], at + 2 + number(at, 2) * _ENTRY
    for entry in range(at + 2, min(end, len(tiff) - _ENTRY + 1), _ENTRY):
        if number(entry, 2) == TAG:
            is_one_short = (number(entry + 2, 2), number(entry + 4, 4)) == (_SHORT, 1)
            value = number(entry + 8, 2) if is_one_short else UNREADABLE
            found.append((entry, value if value <= max(TURNED) else UNREADABLE))
    return found if end <= len(tiff) else [*found, (0, UNREADABLE)]


def _order(tiff: bytes) -> Literal["little", "big"]:
    return "little" if tiff[:1] == b"I" else "big"


def xmp_orientation(xmp: bytes) -> int:
    """Return the orientation that XMP data gives, 1 to 8, or NONE."""
    found = _XMP.search(xmp, 0, LONGEST)
    return int(found[1]) if found else NONE


def combined(exif: bytes | None, xmp: bytes | None) -> int:
    """Return the orientation of an image with this metadata: EXIF's, else XMP's; NONE and UNREADABLE as above."""
    value = exif_orientation(exif) if exif else NONE
    if value < UPRIGHT and xmp:
        value = xmp_orientation(xmp) or value
    return value
