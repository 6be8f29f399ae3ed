"""Images as nobody should write them, from a seed: EXIF, PNG chunks and JPEG markers, whole and damaged."""

from __future__ import annotations

import struct
import zlib
from random import Random

from tests.edge.jpeg_encoder import jpeg

_SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4, 16: 8}
CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
KINDS = [
    (d, c)
    for c, depths in {0: (1, 2, 4, 8, 16), 2: (8, 16), 3: (1, 2, 4, 8), 4: (8, 16), 6: (8, 16)}.items()
    for d in depths
]
PASSES = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2))


def seldom(random: Random, share: float = 0.1) -> bool:
    return random.random() < share


def exif(random: Random) -> bytes:
    """Return EXIF data: mostly with an orientation, which is mostly one SHORT."""
    order = random.choice("<>")
    header = (
        (b"II*\0" if order == "<" else b"MM\0*")
        if not seldom(random, 0.05)
        else random.choice((b"MM*\0", b"II\0*", b"II+\0", b"nons"))
    )
    entries = []
    for _ in range(random.choice((0, 1, 1, 1, 1, 1, 2, 3))):
        tag = 0x0112 if not seldom(random, 0.2) else random.choice((0x0100, 0x0111, 0x8769, 0x1201, 0x012D))
        kind = 3 if not seldom(random, 0.3) else random.randrange(0, 18)
        count = 1 if not seldom(random, 0.3) else random.choice((0, 1, 2, 3, 2**31, 2**32 - 1))
        value = random.randrange(1, 9) if not seldom(random, 0.3) else random.choice((0, 9, 255, 256, 65535))
        size = _SIZES.get(kind, 1)
        single = {1: "B", 2: "H", 4: "I", 8: "Q"}[size]
        one = struct.pack(order + single, value & (256**size - 1))
        if kind in (5, 10) and not seldom(random):
            one = struct.pack(order + "II", value, random.choice((0, 1, 2)))
        if kind == 11:
            one = struct.pack(order + "f", value)
        if kind == 12:
            one = struct.pack(order + "d", value)
        entries.append((tag, kind, count, one * min(count, 4)))
    at = 8 if not seldom(random) else random.choice((0, 4, 6, 10, 100, 2**31, 2**32 - 1))
    body = struct.pack(
        order + "H", len(entries) if not seldom(random, 0.05) else random.choice((0, len(entries) + 1, 65535))
    )
    behind = b""
    place = 8 + 2 + 12 * len(entries) + 4
    for tag, kind, count, values in entries:
        inline = len(values) <= 4 and not seldom(random, 0.05)
        field = (
            values.ljust(4, b"\0")[:4]
            if inline
            else struct.pack(order + "I", place + len(behind) if not seldom(random) else random.choice((0, 8, 2**31)))
        )
        behind += b"" if inline else values
        body += struct.pack(order + "HHI", tag, kind, count) + field
    next_one = 0
    if seldom(random, 0.3):  # IFD1 with an orientation of its own; or a loop
        next_one = place + len(behind) if not seldom(random, 0.3) else 8
        behind += struct.pack(order + "HHHIHHI", 1, 0x0112, 3, 1, random.randrange(1, 9), 0, 0)
    data = header + struct.pack(order + "I", at) + body + struct.pack(order + "I", next_one) + behind
    if seldom(random):
        data = data[: random.randrange(len(data) + 1)]
    return b"Exif\0\0" * random.choice((0, 1, 1, 1, 1, 2)) + data


def xmp(random: Random) -> bytes:
    value = random.choice((*range(0, 10), 66, ""))
    equals = random.choice(('="{}"', "='{}'", ' = "{}"', "={}", '="{}', "> {} <", ">{}<", ">{}"))
    text = f'<x:xmpmeta><rdf:Description tiff:Orientation{equals.format(value)} a="b"/></x:xmpmeta>'
    if seldom(random, 0.2):
        text = text.replace("tiff:", random.choice(("exif:", "tiff :", "")))
    filler = " " * random.choice((0, 0, 0, 5000, 2**20 - 40, 2**20, 2**21)) if seldom(random, 0.2) else ""
    return (filler + text).encode()


def chunk(kind: bytes, content: bytes, checksum: int | None = None) -> bytes:
    right = zlib.crc32(kind + content)
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", right if checksum is None else checksum)


def _text(random: Random, key: bytes, text: bytes) -> bytes:
    packed = zlib.compress(text, 1)
    if seldom(random, 0.05):
        packed = random.choice((packed[: len(packed) // 2], b"x" + packed, b"", packed + b"more"))
    way = random.randrange(5)
    if way == 0:
        return chunk(b"tEXt", key + b"\0" + text)
    if way == 1:
        return chunk(b"zTXt", key + b"\0" + bytes([seldom(random, 0.05)]) + packed)
    if way == 2:
        return chunk(b"iTXt", key + b"\0\0\0en\0key\0" + text)
    if way == 3:
        return chunk(b"iTXt", key + b"\0\1" + bytes([seldom(random, 0.05)]) + b"\0\0" + packed)
    return chunk(
        random.choice((b"tEXt", b"zTXt", b"iTXt")), random.choice((key, key + b"\0", key + b"\0\1", b"", b"\0"))
    )


def _profile(random: Random) -> bytes:
    digits = exif(random).hex()
    lines = "\n".join(digits[at : at + 72] for at in range(0, len(digits), 72))
    if seldom(random):
        lines = random.choice((lines.upper(), lines[:-1], lines.replace("0", " 0"), "g" + lines, "", lines + "zz"))
    front = "\nexif\n" + f"{len(digits) // 2:8}\n" if not seldom(random) else random.choice(("", "\n\n", "\nexif\n"))
    return (front + lines).encode()


def _ancillary(random: Random, colour: int) -> bytes:
    way = random.randrange(14)
    if way == 0:
        return chunk(b"eXIf", exif(random))
    if way == 1:
        return _text(random, b"XML:com.adobe.xmp", xmp(random))
    if way == 2:
        return _text(random, b"Raw profile type exif", _profile(random))
    if way == 3:
        return _text(
            random,
            random.choice((b"exif", b"Comment", b"", b"Raw profile type APP1")),
            random.choice((b"hello", exif(random))),
        )
    if way == 4:
        profile = zlib.compress(bytes(random.choice((10, 3000, 2 * 2**20))), 1)
        return chunk(
            b"iCCP", random.choice((b"name\0\0" + profile, b"name\0\1" + profile, b"name", b"name\0\0junk", b""))
        )
    if way == 5:
        length = {0: 2, 2: 6, 3: 3}.get(colour, 2) if not seldom(random, 0.3) else random.randrange(0, 9)
        return chunk(b"tRNS", bytes(random.randrange(256) for _ in range(length)))
    if way == 6:
        return chunk(b"PLTE", bytes(random.randrange(256) for _ in range(random.choice((3, 6, 48, 768, 4)))))
    if way == 7:
        return chunk(random.choice((b"ABCD", b"CgBI", b"FdAT", b"IEnd")), b"what")
    if way == 8:
        kind = random.choice((b"acTL", b"fcTL", b"fdAT"))
        return chunk(kind, bytes(random.choice((0, 1, 4, 8, 26, 30))))
    kind = random.choice(
        (b"gAMA", b"cHRM", b"sRGB", b"pHYs", b"sBIT", b"bKGD", b"hIST", b"tIME", b"sPLT", b"oFFs", b"abCd", b"teSt")
    )
    return chunk(kind, bytes(random.randrange(256) for _ in range(random.choice((0, 1, 3, 4, 7, 9, 32, 60)))))


def png(random: Random) -> bytes:
    depth, colour = random.choice(KINDS)
    width, height, interlaced = random.randrange(1, 40), random.randrange(1, 30), seldom(random, 0.3)
    bits = depth * CHANNELS[colour]
    rows = []
    for left, top, across, down in PASSES if interlaced else ((0, 0, 1, 1),):
        columns = (width - left + across - 1) // across
        for _ in range((height - top + down - 1) // down if columns > 0 else 0):
            rows.append(
                bytes([random.randrange(5 if not seldom(random, 0.002) else 7)])
                + random.randbytes((columns * bits + 7) // 8)
            )
    packed = zlib.compress(b"".join(rows), random.choice((0, 1, 9)))
    if seldom(random, 0.03):
        packed = packed[:-4] + bytes(4)  # the checksum of zlib's own
    entries = min(256, 2**depth) if not seldom(random, 0.2) else random.choice((1, 2, 256, 0, 257))
    head = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, interlaced)
    if seldom(random, 0.03):
        changed = bytearray(head)
        changed[random.randrange(13)] ^= 1 << random.randrange(8)
        head = bytes(changed)
    cuts = sorted(random.randrange(len(packed) + 1) for _ in range(random.choice((0, 0, 1, 3))))
    parts = [chunk(b"IDAT", packed[a:b]) for a, b in zip([0, *cuts], [*cuts, len(packed)], strict=True)]
    front = [_ancillary(random, colour) for _ in range(random.choice((0, 0, 1, 1, 2, 4)))]
    palette = chunk(b"PLTE", random.randbytes(3 * entries))
    if colour == 3 and not seldom(random, 0.03):
        front.insert(random.randrange(len(front) + 1), palette)
    behind = [_ancillary(random, colour) for _ in range(random.choice((0, 0, 0, 1, 2)))]
    chunks = [chunk(b"IHDR", head), *front, *parts, *behind, chunk(b"IEND", b"")]
    if seldom(random, 0.06):  # in another order, twice, or with another checksum
        index = random.randrange(len(chunks))
        way = random.randrange(4)
        if way == 0:
            chunks.insert(random.randrange(len(chunks) + 1), chunks.pop(index))
        elif way == 1:
            chunks.insert(index, chunks[index])
        elif way == 2:
            chunks[index] = chunks[index][:-4] + random.randbytes(4)
        else:
            del chunks[index]
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks) + (random.randbytes(9) if seldom(random) else b"")


def _segment(code: int, body: bytes) -> bytes:
    return struct.pack(">BBH", 0xFF, code, len(body) + 2) + body


def _application(random: Random) -> bytes:
    way = random.randrange(8)
    if way <= 1:
        return _segment(0xE1, exif(random))
    if way == 2:
        return _segment(0xE1, b"http://ns.adobe.com/xap/1.0/\0" + xmp(random)[:60000])
    if way == 3:
        body = b"JFIF\0" + struct.pack(
            ">HBHHBB", random.choice((0x0101, 0x0102, 0x0201)), random.randrange(4), 72, 0, 0, 0
        )
        return _segment(0xE0, body[: random.choice((14, 14, 14, 5, 7, 12, 0))])
    if way == 4:
        body = b"Adobe" + struct.pack(">HHHB", 100, 0, 0, random.choice((0, 1, 2, 3)))
        return _segment(0xEE, body[: random.choice((12, 12, 12, 11, 5))])
    if way == 5:
        return _segment(0xED, b"Photoshop 3.0\0" + b"8BIM" + random.randbytes(random.randrange(30)))
    if way == 6:
        return _segment(
            0xE2,
            random.choice((b"MPF\0" + exif(random), b"ICC_PROFILE\0\1\1" + bytes(99), b"ICC_PROFILE\0", b"FPXR\0")),
        )
    return _segment(random.choice((0xFE, 0xE3, 0xEF)), random.randbytes(random.randrange(20)))


def strange_jpeg(random: Random) -> bytes:
    data = jpeg(random)
    segments = [_application(random) for _ in range(random.choice((0, 0, 1, 1, 2, 3)))]
    if seldom(random):
        segments.append(
            random.choice(
                (
                    b"\xff",
                    b"\xff\xff",
                    b"\0",
                    b"junk",
                    b"\xff\0",
                    b"\xff\x01",
                    b"\xff\xd0",
                    b"\xff\xf0\0\2",
                    b"\xff\xdc\0\4\0\1",
                )
            )
        )
    random.shuffle(segments)
    data = data[:2] + b"".join(segments) + data[2:]
    return data + (random.randbytes(9) if seldom(random) else b"")


def damaged(random: Random, data: bytes) -> bytes:
    """Return it with some bytes changed, lost or put in; the beginning that says what it is and the end are left."""
    for _ in range(random.choice((1, 1, 1, 2, 5))):
        if len(data) < 20:
            break
        at = random.randrange(8, len(data) - 2)
        way = random.randrange(8)
        count = random.choice((1, 2, 7, 40, 200))
        if way <= 2:
            data = data[:at] + data[min(len(data) - 2, at + count) :]
        elif way <= 4:
            data = data[:at] + bytes([data[at] ^ 1 << random.randrange(8)]) + data[at + 1 :]
        elif way == 5:
            data = (
                data[:at]
                + random.choice((b"\xff\xd9", b"\xff\xd0", b"\xff\0", random.randbytes(3), bytes(8)))
                + data[at:]
            )
        elif way == 6:
            restart = data.find(b"\xff" + bytes([0xD0 + random.randrange(8)]), at)
            data = data[:restart] + data[restart + 2 :] if restart > 0 else data
        else:
            data = data[: random.randrange(len(data))]
    return data
