"""BMP, Windows' and OS/2's."""

from __future__ import annotations

from edge.readers import Request, Stored
from edge.readers.pillow import opened


def read(data: bytes, request: Request) -> Stored:
    """Return the image."""
    image = opened("BMP", data)
    request.check_size(*image.size)
    image.load()
    return Stored(image)
