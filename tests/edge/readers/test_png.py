"""PNGs around their pixels: metadata of any size is no matter, and any damage is."""

from __future__ import annotations

import struct
import tracemalloc
import zlib

import numpy as np
import pytest
from PIL import Image

from edge import image as images
from edge.errors import EdgeError
from edge.preprocess import Preprocessing
from tests.edge.pictures import encoded, grey_ramp
from tests.edge.strange import chunk

PIXELS = np.random.default_rng(4).integers(0, 256, (11, 13, 3), dtype=np.uint8)
SIGNATURE = b"\x89PNG\r\n\x1a\n"
IHDR = chunk(b"IHDR", struct.pack(">IIBBBBB", 13, 11, 8, 2, 0, 0, 0))
PACKED = zlib.compress(b"".join(b"\0" + row.tobytes() for row in PIXELS))
IDAT, IEND = chunk(b"IDAT", PACKED), chunk(b"IEND", b"")
MEGA = 1 << 20


def png(*chunks: bytes) -> bytes:
    return SIGNATURE + b"".join(chunks)


def answered(data: bytes) -> list[str]:
    """Hold that these are the pixels; return the codes of the warnings."""
    shown = images.decode(data)
    assert np.array_equal(np.asarray(shown.image), PIXELS)
    return [warning.code for warning in shown.warnings]


def refused(data: bytes) -> str:
    """Return the code."""
    with pytest.raises(EdgeError) as caught:
        images.decode(data)
    assert "\n" not in str(caught.value)
    return caught.value.code


LARGE = {
    "a colour profile of 8 MB": chunk(b"iCCP", b"display\0\0" + zlib.compress(bytes(8 * MEGA), 1)),
    "a profile that is not packed at all": chunk(b"iCCP", b"display\0\0" + bytes(2 * MEGA)),
    "a compressed text of 20 MB": chunk(b"zTXt", b"Comment\0\0" + zlib.compress(bytes(20 * MEGA), 1)),
    "a compressed international text": chunk(b"iTXt", b"Comment\0\1\0\0\0" + zlib.compress(b"x" * 9 * MEGA, 1)),
    "a text of 9 MB": chunk(b"tEXt", b"Comment\0" + b"x" * 9 * MEGA),
    "a compressed XMP of 9 MB": chunk(b"iTXt", b"XML:com.adobe.xmp\0\1\0\0\0" + zlib.compress(b" " * 9 * MEGA, 1)),
    "a packed EXIF text of 9 MB": chunk(b"zTXt", b"Raw profile type icc\0\0" + zlib.compress(b"0" * 9 * MEGA, 1)),
    "a private chunk of 9 MB": chunk(b"prIv", bytes(9 * MEGA)),
    "a suggested palette of 3 MB": chunk(b"sPLT", b"name\0\x08" + bytes(3 * MEGA)),
}


@pytest.mark.parametrize("name", LARGE)
@pytest.mark.parametrize("behind", [False, True])
def test_metadata_of_any_size_is_no_damage(name, behind):
    chunks = (IHDR, IDAT, LARGE[name], IEND) if behind else (IHDR, LARGE[name], IDAT, IEND)
    assert answered(png(*chunks)) == []


def test_thousands_of_texts_are_no_damage():
    packed = zlib.compress(bytes(MEGA), 1)
    texts = [chunk(b"zTXt", b"Comment %d\0\0" % number + packed) for number in range(200)]
    assert answered(png(IHDR, *texts, IDAT, IEND)) == []


def test_what_is_packed_is_not_unpacked():
    packed = zlib.compress(bytes(64 * MEGA), 1)
    bombs = [
        chunk(b"iCCP", b"display\0\0" + packed),
        chunk(b"zTXt", b"Raw profile type exif\0\0" + packed),
        chunk(b"iTXt", b"XML:com.adobe.xmp\0\1\0\0\0" + packed),
    ]
    data = png(IHDR, *bombs, IDAT, IEND)
    tracemalloc.start()
    assert answered(data) == []
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 4 * MEGA


@pytest.mark.parametrize(
    "content",
    [
        chunk(b"iCCP", b""),
        chunk(b"iCCP", b"name without an end"),
        chunk(b"iCCP", b"name\0\7unknown method"),
        chunk(b"zTXt", b"Comment\0\7unknown method"),
        chunk(b"zTXt", b"Comment\0\0no zlib data"),
        chunk(b"iTXt", b"Comment\0\2\0"),
        chunk(b"iTXt", b"Comment\0\0\0en\0\xff\xfe\0\xff\xff"),
        chunk(b"tEXt", b""),
        chunk(b"gAMA", b"\0"),
        chunk(b"cHRM", b"\0"),
        chunk(b"sRGB", b""),
        chunk(b"pHYs", b"\0\0"),
        chunk(b"acTL", b"\0"),
        chunk(b"fcTL", bytes(26)),
        chunk(b"fdAT", bytes(9)),
        chunk(b"tRNS", b"\0"),
        chunk(b"PLTE", bytes(768)),
        chunk(b"tEXt", b"exif\0nonsense"),
    ],
)
def test_metadata_that_means_nothing_is_no_damage(content):
    assert answered(png(IHDR, content, IDAT, IEND)) == []


@pytest.mark.parametrize("place", range(6))
def test_a_wrong_checksum_is_damage(place):
    chunks = [IHDR, chunk(b"gAMA", b"\0\0\xb1\x8f"), IDAT, chunk(b"IDAT", b""), chunk(b"tEXt", b"a\0b"), IEND]
    assert answered(png(*chunks)) == []
    chunks[place] = chunks[place][:-1] + bytes([chunks[place][-1] ^ 1])
    assert refused(png(*chunks)) == "image.damaged"


@pytest.mark.parametrize(
    "chunks",
    [
        (IDAT, IEND),
        (IHDR, IEND),
        (IHDR, IDAT),
        (IHDR, IHDR, IDAT, IEND),
        (chunk(b"gAMA", bytes(4)), IHDR, IDAT, IEND),
        (IHDR, chunk(b"IDAT", PACKED[:20]), chunk(b"tEXt", b"a\0b"), chunk(b"IDAT", PACKED[20:]), IEND),
        (IHDR, IDAT, chunk(b"PLTE", bytes(9)), IEND),
        (IHDR, chunk(b"PLTE", bytes(9)), chunk(b"PLTE", bytes(9)), IDAT, IEND),
        (IHDR, chunk(b"IDAT", PACKED[:-20]), IEND),
        (IHDR, chunk(b"\0\0\0\0", b""), IDAT, IEND),
        (IHDR, b"\xff\xff\xff\xf0tEXt", IDAT, IEND),
        (chunk(b"IHDR", struct.pack(">IIBBBBB", 13, 11, 8, 2, 0, 0, 2)), IDAT, IEND),
        (chunk(b"IHDR", struct.pack(">IIBBBBB", 13, 11, 8, 2, 1, 0, 0)), IDAT, IEND),
        (chunk(b"IHDR", struct.pack(">IIBBBBB", 13, 11, 8, 2, 0, 1, 0)), IDAT, IEND),
        (chunk(b"IHDR", struct.pack(">IIBBBBB", 13, 11, 4, 2, 0, 0, 0)), IDAT, IEND),
        (chunk(b"IHDR", struct.pack(">IIBBBBB", 0, 11, 8, 2, 0, 0, 0)), IDAT, IEND),
        (chunk(b"IHDR", struct.pack(">IIBBBBB", 13, 11, 8, 2, 0, 0, 0) + b"\0"), IDAT, IEND),
    ],
)
def test_another_order_or_header_is_damage(chunks):
    assert refused(png(*chunks)) == "image.damaged"


@pytest.mark.parametrize("end", range(1, 40, 3))
def test_a_file_without_its_end_is_damage(end):
    """What is missing could have said which way up the image is."""
    assert refused(png(IHDR, IDAT, chunk(b"tEXt", b"a\0b"), IEND)[:-end]) == "image.damaged"


def test_what_follows_the_end_does_not_count():
    assert answered(png(IHDR, IDAT, IEND) + b"anything") == []


def test_pixels_in_many_pieces():
    pieces = [chunk(b"IDAT", PACKED[at : at + 1]) for at in range(len(PACKED))]
    assert answered(png(IHDR, chunk(b"IDAT", b""), *pieces, chunk(b"IDAT", b""), IEND)) == []


@pytest.mark.parametrize("kind", [b"CgBI", b"ABCD", b"IDAt"])
def test_a_critical_chunk_that_is_not_known_is_not_read(kind):
    assert refused(png(chunk(kind, b""), IHDR, IDAT, IEND)) == "image.unsupported"
    assert refused(png(IHDR, chunk(kind, b""), IDAT, IEND)) == "image.unsupported"
    assert refused(png(IHDR, IDAT, chunk(kind, b""), IEND)) == "image.unsupported"


@pytest.mark.parametrize("depth", [1, 2, 4, 8])
def test_a_colour_that_the_palette_has_not_is_damage(depth):
    top = min(2**depth, 9) - 1
    head = chunk(b"IHDR", struct.pack(">IIBBBBB", 1, 2, depth, 3, 0, 0, 0))
    data = chunk(b"IDAT", zlib.compress(b"\0\0\0" + bytes([top << 8 - depth])))
    for colours in (top, top + 1, top + 2):
        file = png(head, chunk(b"PLTE", bytes(range(3 * colours))), data, IEND)
        if colours > top:
            assert images.decode(file).image.getpixel((0, 1)) == (3 * top, 3 * top + 1, 3 * top + 2)
        else:
            assert refused(file) == "image.damaged"
    assert refused(png(head, data, IEND)) == "image.damaged"


def turned(*chunks: bytes, behind: bool = False) -> tuple[tuple[int, int], list[str]]:
    parts = (IHDR, IDAT, *chunks, IEND) if behind else (IHDR, *chunks, IDAT, IEND)
    shown = images.decode(png(*parts), spec=Preprocessing(5, 5))
    return shown.image.size, [warning.code for warning in shown.warnings]


def eight(value: int) -> bytes:
    return struct.pack("<2sHIHHHII", b"II", 42, 8, 1, 0x0112, 3, 1, value) + bytes(4)


XMP = b'<x tiff:Orientation="6" y="z">'
UPRIGHT, TURNED = ((13, 11), []), ((11, 13), [])


@pytest.mark.parametrize("behind", [False, True])
def test_where_a_png_says_which_way_up_it_is(behind):
    digits = eight(6).hex().encode()
    text = b"\nexif\n%8d\n%s\n%s\n" % (len(digits) // 2, digits[:30], digits[30:])
    for chunks in (
        [chunk(b"eXIf", eight(6))],
        [chunk(b"eXIf", b"Exif\0\0" + eight(6))],
        [chunk(b"tEXt", b"XML:com.adobe.xmp\0" + XMP)],
        [chunk(b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + XMP)],
        [chunk(b"iTXt", b"XML:com.adobe.xmp\0\1\0\0\0" + zlib.compress(XMP + b" " * 9 * MEGA))],
        [chunk(b"zTXt", b"Raw profile type exif\0\0" + zlib.compress(text))],
        [chunk(b"tEXt", b"Raw profile type exif\0" + text)],
        [chunk(b"eXIf", eight(6)), chunk(b"eXIf", eight(1))],
        [chunk(b"eXIf", eight(6)), chunk(b"tEXt", b"XML:com.adobe.xmp\0" + XMP.replace(b"6", b"1"))],
        [chunk(b"eXIf", eight(0)), chunk(b"tEXt", b"XML:com.adobe.xmp\0" + XMP)],
    ):
        assert turned(*chunks, behind=behind) == TURNED
    for chunks in (
        [chunk(b"eXIf", eight(1)), chunk(b"tEXt", b"XML:com.adobe.xmp\0" + XMP)],
        [chunk(b"eXIf", eight(1)), chunk(b"tEXt", b"Raw profile type exif\0" + text)],
        [chunk(b"tEXt", b"exif\0" + eight(6))],
        [chunk(b"eXIf", b"")],
    ):
        assert turned(*chunks, behind=behind) == UPRIGHT
    assert turned(chunk(b"eXIf", b"nonsense"), behind=behind) == ((13, 11), ["image.orientation"])
    assert turned(chunk(b"tEXt", b"Raw profile type exif\0\n\n\nxyz")) == ((13, 11), ["image.orientation"])


def test_an_animation_is_its_still_image():
    frames = [Image.fromarray(PIXELS), Image.fromarray(255 - PIXELS)]
    assert answered(encoded(frames[0], "PNG", save_all=True, append_images=frames[1:])) == []


def test_16_bits_and_transparency_stay_what_they_are():
    deep = png(
        chunk(b"IHDR", struct.pack(">IIBBBBB", 2, 1, 16, 0, 0, 0, 0)),
        chunk(b"tRNS", b"\x12\x34"),
        chunk(b"IDAT", zlib.compress(b"\0\x12\x34\xab\xcd")),
        IEND,
    )
    assert np.array_equal(np.asarray(images.decode(deep).image), [[0x12, 0xAB]])
    clear = encoded(Image.fromarray(grey_ramp()).quantize(5), "PNG", transparency=bytes(5))
    codes = [warning.code for warning in images.decode(clear, spec=Preprocessing(9, 9)).warnings]
    assert "image.alpha" in codes
