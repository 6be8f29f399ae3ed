"""The structure of a JPEG file, and whether its decoder had to make up what was lost. The same rules as native/jpeg.c.

By ITU-T T.81. Pillow is given what decides about pixels and nothing else, so that other segments can neither stop nor
turn it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from edge.errors import EdgeError

_TEM, _SOF0, _DHT, _JPG, _DAC, _SOI, _EOI, _SOS = 0x01, 0xC0, 0xC4, 0xC8, 0xCC, 0xD8, 0xD9, 0xDA
_DQT, _DNL, _DRI, _DHP, _EXP, _APP0, _APP1, _APP14, _COM = 0xDB, 0xDC, 0xDD, 0xDE, 0xDF, 0xE0, 0xE1, 0xEE, 0xFE
_FRAMES = frozenset(range(_SOF0, 0xD0)) - {_DHT, _JPG, _DAC}
_SEQUENTIAL, _PROGRESSIVE = (0xC0, 0xC1, 0xC9), (0xC2, 0xCA)  # Huffman and arithmetic coding
_TABLES = (_DHT, _DAC, _DQT, _DRI)
_BEHIND_DATA = re.compile(rb"\xff[^\x00\xd0-\xd7]")
_XMP = b"http://ns.adobe.com/xap/1.0/\0"
_NEVER, _COEFFICIENTS = 0xFF, 64


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


def structure(data: bytes, name: str) -> Structure:
    """Return what the markers of the JPEG `data` say. `name` is for messages.

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
            frame = _Frame(code, body, name)
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
    frame.hold_whole()
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

    def __init__(self, code: int, body: bytes, name: str) -> None:
        if code not in (*_SEQUENTIAL, *_PROGRESSIVE):
            kind = "lossless" if code in (0xC3, 0xCB) else "hierarchical"
            raise _unsupported(name, f"{kind} JPEG")
        if len(body) < 6 or len(body) != 6 + 3 * body[5]:
            raise ValueError("a frame header of the wrong length")
        if body[0] != 8:
            raise _unsupported(name, f"{body[0]}-bit JPEG")
        self.height, self.width = int.from_bytes(body[1:3], "big"), int.from_bytes(body[3:5], "big")
        if self.height == 0:
            raise _unsupported(name, "JPEG that gives its height after its pixels")
        if self.width == 0:
            raise ValueError("no pixels")
        if body[5] not in (1, 3, 4):
            raise _unsupported(name, f"JPEG of {body[5]} components")
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

    def hold_whole(self) -> None:
        """Raise ValueError where a bit of a coefficient was in no scan."""
        if any(map(any, self.missing)):
            raise ValueError("a scan is missing")


def _unsupported(name: str, what: str) -> EdgeError:
    return EdgeError(
        f"{name} is a {what}, which is not read: expected a baseline or progressive JPEG of 8 bits; convert it first",
        "image.unsupported",
    )
