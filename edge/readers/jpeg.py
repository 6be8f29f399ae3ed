"""JPEG: its structure is checked against ITU-T T.81, its pixels are decoded by Pillow, and lost data is an error.

The native program's jpeg_structure.c has the same rules. Pillow is given what decides about pixels and nothing else, so
that other segments can neither stop nor turn it.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator
from typing import NamedTuple

from PIL import Image

from edge.errors import EdgeError, ImageWarning
from edge.readers import Request, Stored, exif
from edge.readers.libjpeg import lost_data
from edge.readers.pillow import opened, orientation_warnings

_TEM, _SOF0, _DHT, _JPG, _DAC, _SOI, _EOI, _SOS = 0x01, 0xC0, 0xC4, 0xC8, 0xCC, 0xD8, 0xD9, 0xDA
_DQT, _DNL, _DRI, _DHP, _EXP, _APP0, _APP1, _APP14, _COM = 0xDB, 0xDC, 0xDD, 0xDE, 0xDF, 0xE0, 0xE1, 0xEE, 0xFE
_FRAMES = frozenset(range(_SOF0, 0xD0)) - {_DHT, _JPG, _DAC}
_SEQUENTIAL, _PROGRESSIVE = (0xC0, 0xC1, 0xC9), (0xC2, 0xCA)  # Huffman and arithmetic coding
_TABLES = (_DHT, _DAC, _DQT, _DRI)
_BEHIND_DATA = re.compile(rb"\xff[^\x00\xd0-\xd7]")
_XMP = b"http://ns.adobe.com/xap/1.0/\0"
_NEVER, _COEFFICIENTS = 0xFF, 64
_OVERSIZE = 2  # it is decoded at least so many times as large as the network's input
_APP2 = 0xE2
_PREVIEWS = (0x010001, 0x010002)  # an MPO's types: large thumbnails of the first image


class Structure(NamedTuple):
    """What a JPEG's markers say.

    Attributes:
        width, height: pixels.
        exif, xmp: the first of each; None where there is none.
        image: the file without what does not decide about pixels, and without what follows its end.
    """

    width: int
    height: int
    exif: bytes | None
    xmp: bytes | None
    image: bytes


def read(data: bytes, request: Request) -> Stored:
    """Return the image; of several, as in an MPO, the first.

    For a network it is decoded at the smallest of 1/1, 1/2, 1/4 and 1/8 that leaves it twice as wide and as high as the
    network's input, at least.
    """
    parts = structure(data, request)
    request.check_size(parts.width, parts.height)
    orientation = exif.combined(parts.exif, parts.xmp)
    image = opened("JPEG", parts.image)
    request.check_size(*image.size)
    size = image.size
    reduction = _reduce(image, request.size, orientation in exif.TURNED) if request.size else 1
    image.load()
    warnings = (*_padding(parts.image), *orientation_warnings(orientation))
    return Stored(image, orientation, size, reduction, images=_images(data), warnings=warnings)


def structure(data: bytes, request: Request) -> Structure:
    """Return what the markers of the JPEG `data` say.

    Raises EdgeError for a process of JPEG that is not read, ValueError with the reason where the file is damaged.
    """
    kept, exif, xmp, frame, end = [b"\xff\xd8"], None, None, None, 0
    first_scan = 0
    for code, begin, start, stop in _segments(data):
        body = data[start:stop]
        end = stop
        if code in _FRAMES or code in (_DHP, _EXP):
            if frame is not None:
                raise ValueError("two frames")
            frame = _Frame(code, body, request)
        elif code == _SOS:
            if frame is None:
                raise ValueError("a scan before its frame")
            frame.scan(body)
            first_scan = first_scan or begin
        elif code == _DNL and (frame is None or body != frame.height.to_bytes(2, "big")):
            raise ValueError("two heights")
        elif code == _APP1 and not first_scan:
            if exif is None and body.startswith(b"Exif\0\0"):
                exif = body
            elif xmp is None and body.startswith(_XMP):
                xmp = body[len(_XMP) :]
        if not first_scan and (code < _APP0 or _decides_about_colour(code, body)):
            kept.append(data[begin:stop])
    if frame is None or not first_scan:
        raise ValueError("no image in it")
    frame.check_complete()
    return Structure(frame.width, frame.height, exif, xmp, b"".join([*kept, memoryview(data)[first_scan:end]]))


def _decides_about_colour(code: int, body: bytes) -> bool:
    return (code == _APP0 and body.startswith(b"JFIF\0") and len(body) >= 14) or (
        code == _APP14 and body.startswith(b"Adobe") and len(body) >= 12
    )


def _segments(data: bytes) -> Iterator[tuple[int, int, int, int]]:
    """Yield each marker's code, the offset of its first 0xFF, and the bounds of what belongs to it; EOI is the last."""
    at = 2
    while True:
        begin = at
        while data[at : at + 1] == b"\xff":
            at += 1
        if at >= len(data):
            raise ValueError("cut short")
        if at == begin:
            raise ValueError("no marker where one belongs")
        code, at = data[at], at + 1
        if code == _EOI:
            yield code, begin, at, at
            return
        if not (code in _FRAMES or code in _TABLES or _SOS <= code < _APP0 + 16 or code == _COM):
            raise ValueError(f"a marker 0x{code:02x} where none belongs")
        stop = at + int.from_bytes(data[at : at + 2], "big")
        if stop < at + 2 or stop > len(data):
            raise ValueError("cut short")
        yield code, begin, at + 2, stop
        at = _behind_data(data, stop) if code == _SOS else stop


def _behind_data(data: bytes, at: int) -> int:
    """Return where the marker behind a scan's entropy-coded data begins."""
    while found := _BEHIND_DATA.search(data, at):
        begin = at = found.start()
        while data[at : at + 1] == b"\xff":
            at += 1
        if at < len(data) and data[at] and not 0xD0 <= data[at] <= 0xD7:  # stuffing, restart markers
            return begin
    raise ValueError("cut short")


class _Frame:
    """A frame header, and what its scans have given so far."""

    def __init__(self, code: int, body: bytes, request: Request) -> None:
        if code not in (*_SEQUENTIAL, *_PROGRESSIVE):
            kind = "lossless" if code in (0xC3, 0xCB) else "hierarchical"
            raise _unsupported(request, f"{kind} JPEG")
        if len(body) < 6 or len(body) != 6 + 3 * body[5]:
            raise ValueError("a frame header of the wrong length")
        if body[0] != 8:
            raise _unsupported(request, f"{body[0]}-bit JPEG")
        self.height, self.width = int.from_bytes(body[1:3], "big"), int.from_bytes(body[3:5], "big")
        if self.height == 0:
            raise _unsupported(request, "JPEG that gives its height after its pixels")
        if self.width == 0:
            raise ValueError("no pixels")
        if body[5] not in (1, 3, 4):
            raise _unsupported(request, f"JPEG of {body[5]} components")
        self.names = body[6::3]
        self.is_progressive = code in _PROGRESSIVE
        # For each coefficient, how many of its low bits are still to come.
        self.missing = [bytearray([_NEVER] * _COEFFICIENTS) for _ in self.names]

    def scan(self, body: bytes) -> None:
        """Note what a scan with this header gives."""
        count = body[0] if body else 0
        if not 1 <= count <= 4 or len(body) != 2 * count + 4:
            raise ValueError("a scan header of the wrong length")
        first, last, bits = body[-3], body[-2], body[-1]
        high, low = bits >> 4, bits & 15
        left = list(range(len(self.names)))
        for name in body[1:-3:2]:
            component = next((index for index in left if self.names[index] == name), None)
            if component is None:
                raise ValueError("a scan of a component that the frame has not")
            left.remove(component)
            if not self.is_progressive:  # some programs write other numbers than 0, 63, 0 then
                first, last, high, low = 0, _COEFFICIENTS - 1, 0, 0
            missing = self.missing[component]
            if not first <= last < _COEFFICIENTS or any(
                (0 if bits == _NEVER else bits) != high for bits in missing[first : last + 1]
            ):
                raise ValueError("a scan is missing")
            missing[first : last + 1] = bytes([low]) * (last + 1 - first)

    def check_complete(self) -> None:
        """Raise ValueError where a bit of a coefficient was in no scan."""
        if any(map(any, self.missing)):
            raise ValueError("a scan is missing")


def _unsupported(request: Request, what: str) -> EdgeError:
    return request.unsupported(f"is a {what}", "a baseline or progressive JPEG of 8 bits")


def _reduce(image: Image.Image, size: tuple[int, int], turned: bool) -> int:
    """Let the decoder make the image smaller for a network's input of `size` (width, height); return by how much."""
    width, height = image.size[::-1] if turned else image.size
    room = min(width // (_OVERSIZE * size[0]), height // (_OVERSIZE * size[1]))
    reduction = next((step for step in (8, 4, 2) if step <= room), 1)
    if reduction > 1:
        image.draft(None, (image.width // reduction, image.height // reduction))
    return reduction


def _padding(file: bytes) -> tuple[ImageWarning, ...]:
    """Return a warning where the file has more data than pixels; ValueError where it has less."""
    lost, spare = lost_data(file)
    if lost:
        raise ValueError(lost)
    if not spare:
        return ()
    return (ImageWarning("image.padding", f"{spare} zero bytes follow the data of the image's pixels; check the file"),)


def _images(data: bytes) -> int:
    """Return how many images there are, at least 1; damage ends the count.

    Smaller versions are none of their own: an MPO's large thumbnails, the gain map of an image with high dynamic range.
    """
    at, images = 2, 1
    try:
        while at < len(data):
            if data[at] != 0xFF or data[at + 1] in (0, 0xFF):
                at += 1
                continue
            marker = data[at + 1]
            at += 2
            if marker == _SOS:
                break
            if _SOF0 <= marker < 0xD0 or _SOS < marker <= _APP0 + 15 or marker == _COM:
                size = struct.unpack_from(">H", data, at)[0]
                content = data[at + 2 : at + size]
                if marker == _APP1 and b' hdrgm:Version="' in content:
                    return 1
                if marker == _APP2 and content.startswith(b"MPF\0"):
                    images = _parts(content[4:])
                at += max(2, size)
    except (struct.error, IndexError):
        return 1
    return max(1, images)


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
