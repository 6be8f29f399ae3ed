"""Masks are judged by what their files store: the thing, the rest, what nobody labelled, or a refusal."""

from __future__ import annotations

import io
from collections.abc import Callable

import numpy as np
import pytest
from PIL import Image

from compress.data.mask_values import ALPHA, BLACK_AND_WHITE, Meaning, Values, meaning, stored
from edge.errors import EdgeError

THING = np.zeros((40, 48), bool)
THING[10:25, 12:36] = True
VOID = np.zeros((40, 48), bool)
VOID[:6] = True
VOC = [0, 0, 0, 128, 0, 0, 0, 128, 0, 128, 128, 0] + [0] * (3 * 251) + [224, 224, 192]


def file_of(image: Image.Image, form: str = "PNG", **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, form, **options)
    return buffer.getvalue()


def labelled(thing: int, void: int = 0, kind: type = np.uint8) -> np.ndarray:
    values = np.where(THING, thing, 0).astype(kind)
    values[VOID] = void
    return values


def palette(values: np.ndarray, colors: list[int]) -> Image.Image:
    image = Image.fromarray(values, "P")
    image.putpalette(colors)
    return image


def colored(thing: tuple[int, ...], other: tuple[int, ...] = (), rest: tuple[int, ...] = ()) -> Image.Image:
    """An image of one colour for the thing, one at the top and one elsewhere: black, or transparent black."""
    values = np.zeros((*THING.shape, len(thing)), np.uint8)
    values[:] = rest or 0
    values[THING], values[VOID] = thing, other or 0
    return Image.fromarray(values)


def read(data: bytes, values: Values = BLACK_AND_WHITE) -> Meaning:
    return meaning(stored(data, "mask"), values)


CLEAR: dict[str, Callable[[], bytes]] = {
    "8 bits": lambda: file_of(Image.fromarray(labelled(255))),
    "1 bit": lambda: file_of(Image.fromarray(THING)),
    "16 bits": lambda: file_of(Image.fromarray(labelled(65535, kind=np.uint16))),
    "16-bit TIFF": lambda: file_of(Image.fromarray(labelled(65535, kind=np.uint16)), "TIFF"),
    "palette of greys": lambda: file_of(palette(labelled(255), [v for n in range(256) for v in (n, n, n)])),
    "palette of two": lambda: file_of(palette(labelled(1), [0, 0, 0, 255, 255, 255])),
    "palette, white first": lambda: file_of(palette(1 - labelled(1), [255, 255, 255, 0, 0, 0])),
    "RGB": lambda: file_of(colored((255, 255, 255))),
    "RGBA, opaque": lambda: file_of(colored((255,) * 4, (0, 0, 0, 255), (0, 0, 0, 255))),
    "RGBA, white and opaque": lambda: file_of(colored((255,) * 4, (0, 0, 0, 0), (0, 0, 0, 0))),
    "LA, white and opaque": lambda: file_of(Image.merge("LA", [Image.fromarray(labelled(255))] * 2)),
    "grey, black transparent": lambda: file_of(Image.fromarray(labelled(255)), transparency=0),
    "16 bits, black transparent": lambda: file_of(Image.fromarray(labelled(65535, kind=np.uint16)), transparency=0),
    "JPEG": lambda: file_of(Image.fromarray(labelled(255)), "JPEG", quality=80),
    "JPEG in RGB": lambda: file_of(colored((255, 255, 255)), "JPEG", quality=80),
    "GIF": lambda: file_of(Image.fromarray(labelled(255)), "GIF"),
    "BMP": lambda: file_of(Image.fromarray(THING), "BMP"),
    "WebP": lambda: file_of(colored((255, 255, 255)), "WEBP", lossless=True),
}


@pytest.mark.parametrize("kind", CLEAR)
def test_black_and_white_is_read_however_it_is_stored(kind: str) -> None:
    found = read(CLEAR[kind]())
    assert not found.fault
    wrong = (found.mask != THING).sum()
    assert wrong == 0 if "JPEG" not in kind else wrong < 12
    assert not found.void.any()


UNCLEAR: dict[str, tuple[Callable[[], bytes], str]] = {
    "8-bit 1": (lambda: file_of(Image.fromarray(labelled(1))), "values"),
    "16-bit 1": (lambda: file_of(Image.fromarray(labelled(1, kind=np.uint16))), "values"),
    "16-bit 255": (lambda: file_of(Image.fromarray(labelled(255, kind=np.uint16))), "values"),
    "16-bit 1 TIFF": (lambda: file_of(Image.fromarray(labelled(1, kind=np.uint16)), "TIFF"), "values"),
    "1 and 255": (lambda: file_of(Image.fromarray(labelled(1, 255))), "values"),
    "1 and 65535": (lambda: file_of(Image.fromarray(labelled(1, 65535, np.uint16))), "values"),
    "255 and 128": (lambda: file_of(Image.fromarray(labelled(255, 128))), "values"),
    "1 and 2": (lambda: file_of(Image.fromarray(labelled(1, 2))), "values"),
    "1 all over": (lambda: file_of(Image.fromarray(np.ones((40, 48), np.uint8))), "values"),
    "128 all over": (lambda: file_of(Image.fromarray(np.full((40, 48), 128, np.uint8))), "values"),
    "labels in a JPEG": (lambda: file_of(Image.fromarray(labelled(128, 255)), "JPEG", quality=90), "values"),
    "red and green": (lambda: file_of(colored((255, 0, 0), (0, 255, 0))), "color"),
    "green": (lambda: file_of(colored((0, 255, 0))), "color"),
    "red and green JPEG": (lambda: file_of(colored((255, 0, 0), (0, 255, 0)), "JPEG"), "color"),
    "indices": (lambda: file_of(palette(labelled(1, 255), VOC)), "color"),
    "one index": (lambda: file_of(palette(labelled(1), VOC)), "color"),
    "indices on greys": (lambda: file_of(palette(labelled(1), [v for n in range(256) for v in (n, n, n)])), "color"),
    "alpha under black": (lambda: file_of(colored((0, 0, 0, 255))), "alpha"),
    "alpha under white": (lambda: file_of(colored((255,) * 4, (255, 255, 255, 0), (255, 255, 255, 0))), "alpha"),
    "alpha, inverted": (lambda: file_of(colored((255, 255, 255, 0), (0, 0, 0, 255), (0, 0, 0, 255))), "alpha"),
    "alpha in LA": (
        lambda: file_of(Image.merge("LA", [Image.new("L", (48, 40), 255), Image.fromarray(labelled(255))])),
        "alpha",
    ),
    "transparent white of 16 bits": (
        lambda: file_of(Image.fromarray(labelled(65535, kind=np.uint16)), transparency=65535),
        "alpha",
    ),
    "transparent white": (lambda: file_of(Image.fromarray(labelled(255)), transparency=255), "alpha"),
}


@pytest.mark.parametrize("kind", UNCLEAR)
def test_what_is_no_black_and_white_is_not_guessed(kind: str) -> None:
    make, fault = UNCLEAR[kind]
    assert read(make()).fault == fault


NAMED: dict[str, tuple[bytes, Values]] = {
    "8-bit 1": (file_of(Image.fromarray(labelled(1, 2))), Values((1,))),
    "16-bit 1": (file_of(Image.fromarray(labelled(1, kind=np.uint16))), Values((1,))),
    "16-bit 300": (file_of(Image.fromarray(labelled(300, 44, np.uint16))), Values((300,))),  # 300 is 44 in 8 bits
    "two of three": (file_of(Image.fromarray(labelled(1) + np.uint8(0))), Values((1, 7))),
    "a range": (file_of(Image.fromarray(labelled(200, 30)), "JPEG", quality=90), Values(("128-255",))),
    "1 bit by 255": (file_of(Image.fromarray(THING)), Values((255,))),
    "1 bit by 1": (file_of(Image.fromarray(THING)), Values((1,))),
    "index": (file_of(palette(labelled(1, 2), VOC)), Values((1,))),
    "the palette's colour": (file_of(palette(labelled(1, 2), VOC)), Values(("#800000",))),
    "colour": (file_of(colored((255, 0, 0), (0, 255, 0))), Values(("#FF0000",))),
    "grey by colour": (file_of(Image.fromarray(labelled(200, 255))), Values(("#c8c8c8",))),
    "grey in RGB": (file_of(colored((9, 9, 9), (0, 9, 9))), Values((9,))),
    "alpha": (file_of(colored((0, 0, 0, 255))), Values((ALPHA,))),
    "alpha in LA": (
        file_of(Image.merge("LA", [Image.new("L", (48, 40), 7), Image.fromarray(labelled(255))])),
        Values((ALPHA,)),
    ),
}


@pytest.mark.parametrize("kind", NAMED)
def test_named_values_are_the_thing(kind: str) -> None:
    data, values = NAMED[kind]
    found = read(data, values)
    assert not found.fault
    assert (found.mask != THING).sum() == 0 if "range" not in kind else (found.mask != THING).sum() < 12
    assert not found.void.any()


@pytest.mark.parametrize(
    "data, values",
    [
        (file_of(Image.fromarray(labelled(1, 255))), Values((1,), (255,))),
        (file_of(Image.fromarray(labelled(255, 128))), Values((), (128,))),  # what is left is black and white
        (file_of(Image.fromarray(labelled(1, 65535, np.uint16))), Values((1,), ("256-65535",))),
        (file_of(palette(labelled(1, 255), VOC)), Values((1,), (255,))),
        (file_of(palette(labelled(1, 255), VOC)), Values(("#800000",), ("#e0e0c0",))),
        (file_of(colored((0, 255, 0), (255, 0, 255))), Values(("#00ff00",), ("#ff00ff",))),
        (file_of(colored((255, 255, 255), (255, 0, 255))), Values((), ("#ff00ff",))),
    ],
)
def test_what_is_not_labelled_is_neither(data: bytes, values: Values) -> None:
    found = read(data, values)
    assert not found.fault
    assert (found.mask == THING).all() and (found.void == VOID).all()


def test_what_is_ignored_does_not_make_the_rest_clear() -> None:
    assert read(file_of(Image.fromarray(labelled(1, 255))), Values((), (255,))).fault == "values"


def test_single_values_of_a_jpeg_are_not_exact() -> None:
    data = file_of(Image.fromarray(labelled(255)), "JPEG")
    assert read(data, Values((255,))).fault == "lossy"
    assert read(file_of(colored((255, 0, 0)), "WEBP", quality=80), Values(("#ff0000",))).fault == "lossy"
    assert not read(file_of(colored((255, 0, 0)), "WEBP", lossless=True), Values(("#ff0000",))).fault


def test_a_transparent_pixel_of_a_named_colour_is_not_guessed() -> None:
    data = file_of(colored((255, 0, 0, 255), (255, 0, 0, 0), (0, 0, 0, 0)))
    assert read(data, Values(("#ff0000",))).fault == "alpha"
    assert read(file_of(colored((255, 0, 0, 255))), Values(("#ff0000",))).mask.sum() == THING.sum()
    assert read(file_of(Image.fromarray(labelled(255))), Values((ALPHA,))).fault == "opaque"


def deep(channels: int) -> bytes:
    """A PNG of 16 bits in each channel, of the values 0 and 1."""
    import struct
    import zlib

    kind = {2: 4, 3: 2, 4: 6}[channels]
    values = np.repeat(labelled(1, kind=np.uint16)[..., None], channels, 2).astype(">u2")
    rows = b"".join(b"\0" + row.tobytes() for row in values)

    def chunk(name: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", 48, 40, 16, kind, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


@pytest.mark.parametrize("channels", [2, 3, 4])
def test_colour_of_sixteen_bits_is_refused(channels: int) -> None:
    """Its low bytes would be lost."""
    with pytest.raises(EdgeError, match="16 bits in each channel") as caught:
        stored(deep(channels), "mask")
    assert caught.value.code == "image.unsupported"


def test_floating_point_masks_are_refused() -> None:
    with pytest.raises(EdgeError, match="floating-point"):
        stored(file_of(Image.fromarray(THING.astype(np.float32)), "TIFF"), "mask")


@pytest.mark.parametrize(
    "values, field",
    [
        (Values((-1,)), "foreground"),
        (Values((70000,)), "foreground"),
        (Values(("red",)), "foreground"),
        (Values(("9-3",)), "foreground"),
        (Values(("#12345",)), "foreground"),
        (Values((ALPHA, 1)), "foreground"),
        (Values((1,), (ALPHA,)), "ignore"),
        (Values((1,), (1,)), "ignore"),
        (Values(("100-255",), (128,)), "ignore"),
        (Values(("#ff0000",), ("#FF0000",)), "ignore"),
    ],
)
def test_entries_that_mean_nothing_are_faults(values: Values, field: str) -> None:
    assert field in [name for name, _, _ in values.faults()]
    assert not list(Values((1, "128-254", "#00ff00"), (255, "#ff0000")).faults())
