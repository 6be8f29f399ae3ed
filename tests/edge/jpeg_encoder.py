"""A JPEG of random coefficients, baseline or progressive, as ITU-T T.81 lets one be: sampling, scans, restarts, tables.

Pillow writes few of them. The Huffman tables are those of the standard's annex K.3, for luminance.
"""

from __future__ import annotations

import struct
from random import Random

_DC = (bytes((0, 1, 5, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 0, 0, 0)), bytes(range(12)))
_AC = (
    bytes((0, 2, 1, 3, 3, 2, 4, 3, 5, 5, 4, 4, 0, 0, 1, 0x7D)),
    bytes.fromhex(
        "01020300041105122131410613516107227114328191a1082342b1c11552d1f02433627282090a161718191a25262728292a3435363738393a"
        "434445464748494a535455565758595a636465666768696a737475767778797a838485868788898a92939495969798999aa2a3a4a5a6a7a8a9"
        "aab2b3b4b5b6b7b8b9bac2c3c4c5c6c7c8c9cad2d3d4d5d6d7d8d9dae1e2e3e4e5e6e7e8e9eaf1f2f3f4f5f6f7f8f9fa"
    ),
)


def _codes(table: tuple[bytes, bytes]) -> dict[int, str]:
    counts, values = table
    codes, code, at = {}, 0, 0
    for length, count in enumerate(counts, 1):
        for _ in range(count):
            codes[values[at]] = f"{code:0{length}b}"
            code, at = code + 1, at + 1
        code *= 2
    return codes


_DC_CODES, _AC_CODES = _codes(_DC), _codes(_AC)


def _signed(value: int) -> tuple[int, str]:
    """Return how many bits a value has, and them."""
    size = abs(value).bit_length()
    return size, f"{value if value > 0 else value + 2**size - 1:0{size}b}" if size else ""


def _block(block: list[int], before: int, first: int, last: int) -> str:
    """Return the bits of a block's coefficients from `first` to `last`."""
    bits = ""
    if first == 0:
        size, more = _signed(block[0] - before)
        bits = _DC_CODES[size] + more
    zeros = 0
    for value in block[max(1, first) : last + 1]:
        if value == 0:
            zeros += 1
            continue
        bits += _AC_CODES[0xF0] * (zeros // 16)
        size, more = _signed(value)
        bits += _AC_CODES[zeros % 16 << 4 | size] + more
        zeros = 0
    return bits + (_AC_CODES[0] if zeros and last else "")


def _packed(bits: str) -> bytes:
    bits += "1" * (-len(bits) % 8)
    return (int(bits, 2).to_bytes(len(bits) // 8, "big") if bits else b"").replace(b"\xff", b"\xff\0")


def _segment(code: int, body: bytes) -> bytes:
    return struct.pack(">BBH", 0xFF, code, len(body) + 2) + body


class _Component:
    def __init__(
        self, random: Random, name: int, sampling: tuple[int, int], mcus: tuple[int, int], size: tuple[int, int]
    ) -> None:
        self.name, (self.across, self.down) = name, sampling
        self.columns, self.rows = mcus[0] * self.across, mcus[1] * self.down
        # A scan of one component alone has no blocks beyond its own size.
        self.own = (-(-size[0] // 8), -(-size[1] // 8))
        self.blocks = {}
        for place in range(self.columns * self.rows):
            block = [random.randrange(-60, 60)] + [0] * 63
            for _ in range(random.choice((0, 1, 3, 8))):
                block[random.randrange(1, 64)] = random.randrange(-9, 10)
            self.blocks[divmod(place, self.columns)] = block


def _data(scan: list[_Component], mcus: tuple[int, int], interval: int, first: int, last: int) -> bytes:
    """Return a scan's entropy-coded data."""
    if len(scan) == 1:
        order = [[(0, (row, column))] for row in range(scan[0].own[1]) for column in range(scan[0].own[0])]
    else:
        order = [
            [
                (index, (row * part.down + y, column * part.across + x))
                for index, part in enumerate(scan)
                for y in range(part.down)
                for x in range(part.across)
            ]
            for row in range(mcus[1])
            for column in range(mcus[0])
        ]
    data, bits, before = b"", [], [0] * len(scan)
    for number, unit in enumerate(order):
        if interval and number and number % interval == 0:
            data += _packed("".join(bits)) + bytes([0xFF, 0xD0 + (number // interval - 1) % 8])
            bits, before = [], [0] * len(scan)
        for index, place in unit:
            block = scan[index].blocks[place]
            bits.append(_block(block, before[index], first, last))
            before[index] = block[0]
    return data + _packed("".join(bits))


def jpeg(random: Random) -> bytes:
    """Return a JPEG; some are of kinds that no decoder reads."""
    count = random.choice((1, 1, 3, 3, 3, 4, 2))
    width, height = random.randrange(1, 60), random.randrange(1, 50)
    usual = random.random() < 0.7
    samplings = (
        [(1, 1)] * count
        if random.random() < 0.4
        else [random.choice(((1, 1), (2, 1), (2, 2), (1, 2)))] + [(1, 1)] * (count - 1)
    )
    if not usual:
        samplings = [(random.randrange(1, 5), random.randrange(1, 5)) for _ in range(count)]
    most = max(across for across, _ in samplings), max(down for _, down in samplings)
    interleaved = count == 1 or random.random() < 0.7
    mcus = -(-width // (8 * most[0])), -(-height // (8 * most[1]))
    names = random.choice(
        (list(range(1, count + 1)), list(range(count)), [ord(letter) for letter in "RGBA"][:count], [7] * count)
    )
    parts = [
        _Component(
            random, name, sampling, mcus, (-(-width * sampling[0] // most[0]), -(-height * sampling[1] // most[1]))
        )
        for name, sampling in zip(names, samplings, strict=True)
    ]
    progressive = random.random() < 0.3
    frame_code = 0xC2 if progressive else random.choice((0xC0, 0xC0, 0xC0, 0xC1))
    precision = 8
    if random.random() < 0.04:
        frame_code = random.choice((0xC3, 0xC5, 0xC6, 0xC7, 0xC9, 0xCA, 0xCB, 0xCF, 0xDE, 0xC8))
    if random.random() < 0.02:
        precision = random.choice((12, 16, 0))
    shown_height = height if random.random() > 0.02 else random.choice((0, height + 16, max(1, height - 9)))
    body = struct.pack(">BHHB", precision, shown_height, width, count)
    body += b"".join(bytes([part.name, part.across << 4 | part.down, 0]) for part in parts)
    frame = _segment(frame_code, body)
    tables = _segment(0xDB, bytes([0, *[random.randrange(1, 20) for _ in range(64)]]))
    huffman = _segment(0xC4, b"\0" + _DC[0] + _DC[1] + b"\x10" + _AC[0] + _AC[1])
    interval = random.choice((0, 0, 0, 1, 2, 5))
    restart = _segment(0xDD, struct.pack(">H", interval)) if interval else b""
    head = [tables, huffman, restart, frame]
    if random.random() < 0.5:
        random.shuffle(head)
    scans: list[tuple[list[_Component], int, int]] = []
    bands = [(0, 0), (1, 5), (6, 63)] if progressive else [(0, 63)]
    for first, last in bands:
        whole = interleaved and first == 0
        scans += [(parts, first, last)] if whole else [([part], first, last) for part in parts]
    if random.random() < 0.04:
        way = random.randrange(3)
        index = random.randrange(len(scans))
        if way == 0:
            del scans[index]
        elif way == 1:
            scans.insert(index, scans[index])
        else:
            random.shuffle(scans)
    data = b"\xff\xd8" + b"".join(head)
    for scan, first, last in scans:
        odd = not progressive and random.random() < 0.05
        header = bytes([len(scan)]) + b"".join(bytes([part.name, 0]) for part in scan)
        data += _segment(0xDA, header + bytes([first, 0 if odd else last, 0]))
        data += _data(scan, mcus, interval, first, last)
        if random.random() < 0.03:
            data += random.choice(
                (bytes(4), bytes(12), b"\x12\x34", random.randbytes(12).replace(b"\xff", b""), b"\xff\xff")
            )
        if random.random() < 0.02:
            data += random.choice(
                (
                    _segment(0xFE, b"between"),
                    _segment(0xDC, struct.pack(">H", height)),
                    _segment(0xDC, b"\0\7"),
                    restart,
                    huffman,
                )
            )
    return data + b"\xff" * random.choice((0, 0, 0, 1, 5)) + b"\xff\xd9"
