"""GIF. Of an animation the first frame is read."""

from __future__ import annotations

from edge.readers import Request, Stored
from edge.readers.pillow import opened

_IMAGE, _EXTENSION = 0x2C, 0x21  # blocks


def read(data: bytes, request: Request) -> Stored:
    """Return the first frame."""
    image = opened("GIF", data)
    request.check_size(*image.size)
    image.load()
    return Stored(image, images=_frames(data))


def _frames(data: bytes) -> int:
    """Return how many frames there are, at least 1; damage ends the count."""
    frames, at = 0, 13 + _colours(data[10])
    try:
        while at < len(data) and data[at] in (_IMAGE, _EXTENSION):
            if data[at] == _IMAGE:
                frames += 1
                at += 11 + (_colours(data[at + 9]) if at + 9 < len(data) else 0)
            else:
                at += 2
            while at < len(data) and data[at]:  # the block's parts, each behind its length
                at += 1 + data[at]
            at += 1
    except IndexError:
        return 1
    return max(1, frames)


def _colours(flags: int) -> int:
    """Return how many bytes the table of colours takes that a GIF's flags speak of."""
    return 3 * (2 << (flags & 7)) if flags & 0x80 else 0
