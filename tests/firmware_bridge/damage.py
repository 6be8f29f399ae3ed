"""Damaged flatbuffers: a few changes at random, of bytes, of numbers and of floats."""

from __future__ import annotations

import random
import struct

WHOLE = [
    0,
    1,
    2,
    3,
    4,
    7,
    8,
    127,
    128,
    255,
    256,
    1000,
    2**15,
    2**16 - 1,
    2**24,
    2**31 - 1,
    2**31,
    2**32 - 128,
    2**32 - 1,
]
REAL = [0.0, -1.0, 1e-45, 1e38, float("inf"), float("nan"), 1e-10, 300.0]


def damaged(flatbuffer: bytes, generator: random.Random) -> bytes:
    """Return a copy with 1 to 8 changes; at times it is cut as well."""
    data = bytearray(flatbuffer)
    for _ in range(generator.choice([1, 1, 1, 2, 3, 4, 8])):
        kind, at = generator.random(), generator.randrange(len(data) - 8)
        aligned = at - at % 4
        if kind < 0.4:
            data[at] = generator.randrange(256)
        elif kind < 0.55:
            data[at] ^= 1 << generator.randrange(8)
        elif kind < 0.85:
            struct.pack_into("<I", data, aligned, generator.choice(WHOLE))
        elif kind < 0.95:
            struct.pack_into("<f", data, aligned, generator.choice(REAL))
        else:
            other = generator.randrange(0, len(data) - 8, 4)
            data[aligned : aligned + 4], data[other : other + 4] = data[other : other + 4], data[aligned : aligned + 4]
    return bytes(data[: generator.randrange(len(data))] if generator.random() < 0.02 else data)
