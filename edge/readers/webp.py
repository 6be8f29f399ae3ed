"""WebP. Of an animation the first frame is read."""

from __future__ import annotations

import struct

from edge.readers import Request, Stored, exif
from edge.readers.pillow import opened, orientation_warnings


def read(data: bytes, request: Request) -> Stored:
    """Return the first frame."""
    image = opened("WEBP", data)
    request.check_size(*image.size)
    orientation = exif.combined(image.info.get("exif"), image.info.get("xmp"))
    image.load()
    return Stored(image, orientation, images=_frames(data), warnings=orientation_warnings(orientation))


def _frames(data: bytes) -> int:
    """Return how many frames there are, at least 1."""
    frames, at = 0, 12
    while at + 8 <= len(data):
        kind, size = struct.unpack_from("<4sL", data, at)
        frames += kind == b"ANMF"
        at += 8 + size + size % 2
    return max(1, frames)
