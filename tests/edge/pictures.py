"""Small images, made and encoded."""

from __future__ import annotations

import io
import struct
import zlib

import numpy as np
from PIL import Image


def grey_ramp(height: int = 50, width: int = 60) -> np.ndarray:
    """Return uint8 (height, width): dark at the top left, bright at the bottom right."""
    return (np.add.outer(np.arange(height), np.arange(width)) * 255 / (height + width - 2)).astype(np.uint8)


def blobs(height: int = 240, width: int = 320) -> np.ndarray:
    """Return uint8 (height, width, 3), dark, with a large bright box at the top left and a small one at the right."""
    array = np.full((height, width, 3), 30, np.uint8)
    array[height // 6 : height // 2, width // 8 : width // 2] = 230
    array[height // 3 : height // 2, 3 * width // 4 : 7 * width // 8] = 230
    return array


def png(array: np.ndarray) -> bytes:
    return encoded(Image.fromarray(array), "PNG")


def encoded(image: Image.Image, form: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, form, **options)
    return buffer.getvalue()


def turned(way: int) -> Image.Exif:
    """Return EXIF data that says how an image lies: 1 upright to 8."""
    exif = Image.Exif()
    exif[0x0112] = way
    return exif


def huge_png(width: int, height: int) -> bytes:
    """Return a PNG whose header says this size; there is next to no data behind it."""
    return raw_png(width, height, 8, 0, bytes(1000))


def raw_png(width: int, height: int, depth: int, colour: int, rows: bytes, interlaced: bool = False) -> bytes:
    """Return a PNG of this header and these rows, each with its filter's byte before it; its data is two chunks."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, interlaced)
    palette = chunk(b"PLTE", bytes(range(90))) if colour == 3 else b""
    packed = zlib.compress(rows)
    data = chunk(b"IDAT", packed[:7]) + chunk(b"IDAT", packed[7:])
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + palette + data + chunk(b"IEND", b"")


def mpo(images: list[Image.Image], kind: int = 0) -> bytes:
    """Return a JPEG with others behind it and an index of them; `kind` is theirs, 0x010001 a large thumbnail."""
    parts = [encoded(image, "JPEG") for image in images]
    entries = b"".join(
        struct.pack("<LLLHH", kind if number else 0x030000, len(part), 0, 0, 0) for number, part in enumerate(parts)
    )
    index = struct.pack("<2sHLH", b"II", 42, 8, 2) + struct.pack("<HHLL", 0xB001, 4, 1, len(parts))
    index += struct.pack("<HHLLL", 0xB002, 7, len(entries), 8 + 2 + 2 * 12 + 4, 0) + entries
    segment = b"MPF\0" + index
    return (
        parts[0][:2] + b"\xff\xe2" + struct.pack(">H", 2 + len(segment)) + segment + parts[0][2:] + b"".join(parts[1:])
    )


def tiff(pages: list[int]) -> bytes:
    """Return a TIFF of 8-bit grey pages, each 60 x 50; each number is a page's subfile type, 1 a smaller version."""
    grey = grey_ramp().tobytes()
    data, at = b"II*\0" + struct.pack("<L", 8 + len(grey)) + grey, 8 + len(grey)
    for number, kind in enumerate(pages, 1):
        at += 2 + 12 * 9 + 4
        tags = {254: kind, 256: 60, 257: 50, 258: 8, 259: 1, 262: 1, 273: 8, 278: 50, 279: len(grey)}
        data += struct.pack("<H", len(tags)) + b"".join(struct.pack("<HHLL", tag, 4, 1, tags[tag]) for tag in tags)
        data += struct.pack("<L", at if number < len(pages) else 0)
    return data
