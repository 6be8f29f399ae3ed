"""How many images a file holds: pages of a TIFF, frames of an animation, parts of an MPO. The first one is answered.

Read off the file's own structure, which costs far less than to let Pillow go through the images. Damage ends a count.
"""

from __future__ import annotations

import struct

_IMAGE, _EXTENSION = 0x2C, 0x21  # a GIF's blocks
_SOF0, _SOS, _APP1, _APP2, _APP15, _COM = 0xC0, 0xDA, 0xE1, 0xE2, 0xEF, 0xFE  # a JPEG's markers
_PREVIEWS = (0x010001, 0x010002)  # an MPO's types: large thumbnails of the first image


def count(data: bytes, form: str | None) -> int:
    """Return how many images the file in `data` holds, at least 1. `form` is its format as Pillow calls it.

    Smaller versions of an image are none of their own: a TIFF's reduced pages, an MPO's large thumbnails, the gain map
    of a JPEG with high dynamic range.
    """
    counter = {"PNG": _png, "JPEG": _jpeg, "MPO": _jpeg, "GIF": _gif, "TIFF": _tiff, "WEBP": _webp}.get(form or "")
    try:
        return max(1, counter(data)) if counter else 1
    except (struct.error, IndexError):
        return 1


def _png(data: bytes) -> int:
    at, frames, first = 8, 0, 1
    while data[at + 4 : at + 8] != b"IDAT":
        size, kind = struct.unpack_from(">L4s", data, at)
        if kind == b"acTL":
            frames = struct.unpack_from(">L", data, at + 8)[0]
        elif kind == b"fcTL":  # the image is the first frame, too
            first = 0
        at += 12 + size
    return first + frames if 0 < frames <= 2**31 else 1


def _jpeg(data: bytes) -> int:
    at, images = 2, 1
    while at < len(data):
        if data[at] != 0xFF or data[at + 1] in (0, 0xFF):
            at += 1
            continue
        marker = data[at + 1]
        at += 2
        if marker == _SOS:
            break
        if _SOF0 <= marker < 0xD0 or _SOS < marker <= _APP15 or marker == _COM:
            size = struct.unpack_from(">H", data, at)[0]
            content = data[at + 2 : at + size]
            if marker == _APP1 and b' hdrgm:Version="' in content:
                return 1
            if marker == _APP2 and content.startswith(b"MPF\0"):
                images = _parts(content[4:])
            at += max(2, size)
    return images


def _parts(index: bytes) -> int:
    """Return the images of an MPO, by its index."""
    order = ">" if index.startswith(b"MM\0*") else "<"
    try:
        at = struct.unpack_from(f"{order}L", index, 4)[0]
        for entry in range(struct.unpack_from(f"{order}H", index, at)[0]):
            tag, _, size, place = struct.unpack_from(f"{order}HHLL", index, at + 2 + 12 * entry)
            if tag == 0xB002:
                kinds = [struct.unpack_from(f"{order}L", index, place + 16 * n)[0] for n in range(size // 16)]
                return sum(kind & 0xFFFFFF not in _PREVIEWS for kind in kinds)
    except struct.error:
        pass
    return 1


def _gif(data: bytes) -> int:
    images, at = 0, 13 + _colours(data[10])
    while at < len(data) and data[at] in (_IMAGE, _EXTENSION):
        if data[at] == _IMAGE:
            images += 1
            at += 11 + (_colours(data[at + 9]) if at + 9 < len(data) else 0)
        else:
            at += 2
        while at < len(data) and data[at]:  # the block's parts, each behind its length
            at += 1 + data[at]
        at += 1
    return images


def _colours(flags: int) -> int:
    """Return how many bytes the table of colours takes that a GIF's flags speak of."""
    return 3 * (2 << (flags & 7)) if flags & 0x80 else 0


def _tiff(data: bytes) -> int:
    order = "<" if data.startswith(b"II") else ">"
    pages, seen, at = 0, set(), struct.unpack_from(f"{order}L", data, 4)[0]
    while at and at not in seen:
        seen.add(at)
        try:
            entries = struct.unpack_from(f"{order}H", data, at)[0]
            tag, kind = struct.unpack_from(f"{order}HH", data, at + 2)
            subfile = struct.unpack_from(f"{order}{'H' if kind == 3 else 'L'}", data, at + 10)[0] if tag == 254 else 0
            pages += not subfile & 1  # 1: a smaller version of another page
            at = struct.unpack_from(f"{order}L", data, at + 2 + 12 * entries)[0]
        except struct.error:
            break
    return pages


def _webp(data: bytes) -> int:
    images, at = 0, 12
    while at + 8 <= len(data):
        kind, size = struct.unpack_from("<4sL", data, at)
        images += kind == b"ANMF"
        at += 8 + size + size % 2
    return images
