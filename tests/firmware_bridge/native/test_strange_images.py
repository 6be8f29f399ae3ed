"""Images as nobody should write them: both programs refuse the same with the same code, or see the same pixels.

Many more seeds were run by hand; a number in a failed check makes the file again.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Callable
from random import Random

import numpy as np
import pytest
from PIL import Image

from edge import image as images
from edge.errors import EdgeError
from edge.plausibility import uniform
from edge.preprocess import Preprocessing, int8_table, look_up, pixels
from tests.edge import strange
from tests.edge.jpeg_encoder import jpeg
from tests.edge.pictures import encoded, png, turned
from tests.edge.readers import test_exif, test_jpeg, test_png
from tests.firmware_bridge.native.test_preprocessing import SCALE, ZERO_POINT, Probe, probe  # noqa: F401  (a fixture)

SEEDS = 45
NOISE = Image.fromarray(np.random.default_rng(1).integers(0, 256, (10, 15, 3), dtype=np.uint8)).resize((150, 90))


def python(data: bytes, spec: Preprocessing, full: bool) -> object:
    """Return size, tensor and warnings, or the error's code."""
    try:
        picture = images.decode(data, spec=spec, full_size=full)
    except EdgeError as error:
        return error.code
    array = pixels(picture, spec)
    doubt = uniform(array, picture.size, spec)
    warnings = [tuple(warning) for warning in (*picture.warnings, doubt) if warning]
    return picture.size, look_up(array, int8_table(spec, SCALE, ZERO_POINT)).tobytes(), warnings


def same(probe: Probe, data: bytes, whole: bool = True) -> object:  # noqa: F811
    """Check that both programs say the same; return what. `whole`: of every pixel, else of a network's input."""
    try:
        width, height = images.decode(data).size
    except EdgeError:
        width, height = 8, 8
    spec = Preprocessing(height, width) if whole else Preprocessing(max(1, height // 9), max(1, width // 9))
    theirs, mine = python(data, spec, whole), probe(data, spec, "int8", whole)
    assert (mine.partition(" ")[0] if isinstance(mine, str) else mine) == theirs
    return theirs


def by_pillow(random: Random) -> bytes:
    image = NOISE.convert(random.choice(("L", "RGB", "CMYK")))
    options = {
        "quality": random.randrange(20, 99),
        "progressive": random.random() < 0.4,
        "optimize": random.random() < 0.5,
    }
    if image.mode == "RGB":
        options["subsampling"] = random.randrange(3)
    return encoded(image, "JPEG", restart_marker_blocks=random.choice((0, 0, 3, 10)), **options)


MAKERS: dict[str, tuple[Callable[[Random], bytes], int]] = {
    # and how many of the files are answered at least
    "PNG": (strange.png, 20),
    "JPEG": (strange.strange_jpeg, 12),
    "damaged PNG": (lambda random: strange.damaged(random, strange.png(random)), 0),
    "damaged JPEG": (lambda random: strange.damaged(random, strange.strange_jpeg(random)), 1),
    "damaged JPEG by Pillow": (lambda random: strange.damaged(random, by_pillow(random)), 4),
}


@pytest.mark.parametrize("kind", MAKERS)
def test_strange_files_mean_the_same(probe: Probe, kind: str) -> None:  # noqa: F811
    make, least = MAKERS[kind]
    answered = 0
    for seed in range(SEEDS):
        random = Random(f"{kind} {seed}")
        data = make(random)
        try:
            answered += not isinstance(same(probe, data, random.random() < 0.8), str)
        except AssertionError as error:
            raise AssertionError(f"{kind}, seed {seed}") from error
    assert least <= answered < SEEDS


def test_files_that_are_whole_are_answered(probe: Probe) -> None:  # noqa: F811
    """Of the encoder's, those that every decoder reads; else the damaged ones would show nothing."""
    answered = sum(not isinstance(same(probe, jpeg(Random(seed))), str) for seed in range(60))
    assert answered > 30
    assert all(not isinstance(same(probe, by_pillow(Random(seed))), str) for seed in range(10))


# Grey, 24 x 16, by libjpeg; Pillow writes none. Sequential and progressive.
ARITHMETIC = [
    "ffd8ffe000104a46494600010100000100010000ffdb004300080606070605080707070909080a0c140d0c0b0b0c1912130f141d1a1f1e1d1a"
    "1c1c20242e2720222c231c1c2837292c30313434341f27393d38323c2e333432ffc9000b080010001801011100ffcc000600101005ffda0008"
    "010100003f00ff00c8c6f516f532e1a4fa7b4db004931a8a20b8934ae0ffd9",
    "ffd8ffe000104a46494600010100000100010000ffdb004300080606070605080707070909080a0c140d0c0b0b0c1912130f141d1a1f1e1d1a"
    "1c1c20242e2720222c231c1c2837292c30313434341f27393d38323c2e333432ffca000b080010001801011100ffcc00040010ffda00080101"
    "00000001ff0091a138ffcc00041005ffda0008010100010502c0ffcc00041005ffda0008010100063f02c0ffcc00041005ffda000801010001"
    "3f21d340ffda000801010000001008ffcc00041005ffda0008010100013f10630cbdb66b9a7c5166360c8c87689218ffd9",
]


@pytest.mark.parametrize("digits", ARITHMETIC)
def test_arithmetic_coding(probe: Probe, digits: str) -> None:  # noqa: F811
    data = bytes.fromhex(digits)
    assert same(probe, data)[0] == (24, 16)
    for seed in range(30):
        same(probe, strange.damaged(Random(seed), data))


@pytest.mark.parametrize("order", ["<", ">"])
def test_every_orientation_that_is_none_or_one(probe: Probe, order: str) -> None:  # noqa: F811
    upright = encoded(NOISE, "JPEG")
    for kind in range(17):
        for count in (0, 1, 2, 3):
            for value in (1, 6, 9) if count == 1 else (6,):
                field = struct.pack(order + ("I" if kind in (4, 9) else "H"), value)
                entry = test_exif.entry(order, kind=kind, count=count, field=field)
                body = b"Exif\0\0" + test_exif.tiff(entry, order=order)
                size, _, warnings = same(
                    probe, upright[:2] + struct.pack(">BBH", 0xFF, 0xE1, len(body) + 2) + body + upright[2:]
                )
                is_one = (kind, count) == (3, 1) and value <= 8
                assert size == ((90, 150) if is_one and value == 6 else (150, 90))
                assert ("image.orientation" in [code for code, _ in warnings]) is not is_one


def test_orientations_in_every_place_of_a_png(probe: Probe) -> None:  # noqa: F811
    one = test_png.eight(6)
    for content in (one, b"Exif\0\0" + one, one[:20], b"nonsense", b"", test_png.eight(0), test_png.eight(9)):
        chunk = strange.chunk(b"eXIf", content)
        for parts in ((test_png.IHDR, chunk, test_png.IDAT), (test_png.IHDR, test_png.IDAT, chunk)):
            same(probe, test_png.png(*parts, test_png.IEND))


@pytest.mark.parametrize("name", test_png.LARGE)
def test_large_metadata_is_no_damage(probe: Probe, name: str) -> None:  # noqa: F811
    for chunks in ((test_png.LARGE[name], test_png.IDAT), (test_png.IDAT, test_png.LARGE[name])):
        size, _, warnings = same(probe, test_png.png(test_png.IHDR, *chunks, test_png.IEND))
        assert size == (13, 11) and not [code for code, _ in warnings if code != "image.small"]


@pytest.mark.parametrize("name", test_jpeg.ALL)
def test_every_byte_that_a_jpeg_can_lose(probe: Probe, name: str) -> None:  # noqa: F811
    data, refused = test_jpeg.ALL[name], 0
    begin = data.index(b"\xff\xda") + 14
    places = range(begin, len(data) - 2, (len(data) - begin) // 12)
    for at in places:
        refused += isinstance(same(probe, data[:at] + data[min(at + 90, len(data) - 3) :], whole=False), str)
        same(probe, data[:at] + bytes([data[at] ^ 0x40]) + data[at + 1 :], whole=False)
    assert refused > len(places) // 2
    for spare in (1, 8, 32):
        same(probe, data[:-2] + bytes(spare) + data[-2:])
        same(probe, data[:-2] + b"\x55" * spare + data[-2:])


def test_files_that_are_no_images_have_the_same_codes(programs, model, tmp_path) -> None:
    whole = encoded(NOISE, "JPEG")
    made = {
        "empty.png": b"",
        "text.png": b"I am a text.\n",
        "lost.jpg": whole[: len(whole) // 2] + whole[len(whole) // 2 + 300 :],
        "cut.png": png(np.asarray(NOISE))[:-30],
        "two.jpg": encoded(NOISE, "JPEG", exif=turned(6)).replace(
            b"\x01\x12\x00\x03\x00\x00\x00\x01", b"\x01\x12\x00\x03\x00\x00\x00\x02"
        ),
    }
    for name, data in made.items():
        (tmp_path / name).write_bytes(data)
    paths = [*(tmp_path / name for name in made), "/dev/zero", "/dev/null", "/proc/self/status", tmp_path / "none.png"]
    codes = []
    for program in programs.values():
        done = program("--model", model, "--json", *paths)
        records = [json.loads(line) for line in done.out.splitlines()]
        codes.append(
            [record["error"]["code"] if "error" in record else record["warnings"][0]["code"] for record in records]
        )
        assert done.status == 2
    expected = ["empty", "format", "damaged", "damaged", "orientation", "format", "empty", "format", "missing"]
    assert codes[0] == codes[1] == [f"image.{what}" for what in expected]
