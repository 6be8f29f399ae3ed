"""Which way up an image lies: one SHORT in the first directory says it, and else nothing of EXIF."""

from __future__ import annotations

import struct

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from edge import image as images
from edge.preprocess import Preprocessing
from edge.readers import exif
from edge.readers.exif import NONE, UNREADABLE
from tests.edge.pictures import encoded, grey_ramp

SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8}


def entry(order: str, tag: int = 0x0112, kind: int = 3, count: int = 1, field: bytes = b"") -> bytes:
    return struct.pack(order + "HHI", tag, kind, count) + field.ljust(4, b"\0")


def tiff(*entries: bytes, order: str = "<", at: int = 8, more: bytes = bytes(4)) -> bytes:
    header = (b"II*\0" if order == "<" else b"MM\0*") + struct.pack(order + "I", at)
    return header + struct.pack(order + "H", len(entries)) + b"".join(entries) + more


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("prefix", [b"", b"Exif\0\0"])
@pytest.mark.parametrize("value", range(1, 9))
def test_one_short_is_the_orientation(order, prefix, value):
    field = struct.pack(order + "H", value)
    other = entry(order, 0x0100, 4, 1, b"\1\2\3\4")
    assert exif.exif_orientation(prefix + tiff(entry(order, field=field), order=order)) == value
    assert exif.exif_orientation(prefix + tiff(other, entry(order, field=field + b"\7\7"), other, order=order)) == value


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("count", [0, 2, 3, 2**32 - 1])
def test_several_are_none(order, count):
    field = struct.pack(order + "HH", 6, 6)
    assert exif.exif_orientation(tiff(entry(order, count=count, field=field), order=order)) == UNREADABLE


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("kind", [0, 1, 2, *range(4, 17)])
def test_numbers_of_other_kinds_are_none(order, kind):
    for field in (b"\6\0\0\0", b"\0\0\0\6", struct.pack(order + "H", 6), struct.pack(order + "f", 6)):
        assert exif.exif_orientation(tiff(entry(order, kind=kind, field=field), order=order)) == UNREADABLE


@pytest.mark.parametrize(("value", "means"), [(0, NONE), (9, UNREADABLE), (255, UNREADABLE), (65535, UNREADABLE)])
def test_other_values_are_none(value, means):
    assert exif.exif_orientation(tiff(entry("<", field=struct.pack("<H", value)))) == means


def test_two_that_differ_are_none():
    six, eight = (entry("<", field=struct.pack("<H", value)) for value in (6, 8))
    assert exif.exif_orientation(tiff(six, six)) == 6
    assert exif.exif_orientation(tiff(six, eight)) == exif.exif_orientation(tiff(eight, six)) == UNREADABLE


def test_other_directories_do_not_count():
    six = entry("<", field=b"\6\0")
    at = 8 + 2 + 12 + 4
    second = struct.pack("<IH", at, 1) + six + bytes(4)
    assert exif.exif_orientation(tiff(entry("<", 0x0100, 4), more=second)) == NONE
    inner = tiff(entry("<", 0x8769, 4, 1, struct.pack("<I", at)), more=bytes(4) + struct.pack("<H", 1) + six + bytes(4))
    assert exif.exif_orientation(inner) == NONE
    assert exif.exif_orientation(tiff(entry("<", 0x0100, 4), more=struct.pack("<I", 8))) == NONE  # a loop


def test_what_is_no_exif_or_ends_within_it_is_unreadable():
    six = tiff(entry("<", field=b"\6\0"))
    assert exif.exif_orientation(b"") == exif.exif_orientation(b"Exif\0\0") == NONE
    for end in range(1, 22):
        assert exif.exif_orientation(six[:end]) == UNREADABLE
    for wrong in (b"nonsense", b"MM*\0" + six[4:], b"II\0*" + six[4:], b"II+\0" + six[4:], b"Exif\0\0Exif\0\0" + six):
        assert exif.exif_orientation(wrong) == UNREADABLE
    for at in (len(six) - 1, len(six) * 2, 2**32 - 1):
        assert exif.exif_orientation(tiff(entry("<", field=b"\6\0"), at=at)) == UNREADABLE


@pytest.mark.parametrize(
    ("text", "means"),
    [
        ('tiff:Orientation="6"', 6),
        ("tiff:Orientation='3'", 3),
        ('tiff:Orientation = "8"', 8),
        ("<tiff:Orientation>5</tiff:Orientation>", 5),
        ("<tiff:Orientation> 2 </tiff:Orientation>", 2),
        ('tiff:Orientation="9"', NONE),
        ('tiff:Orientation="0"', NONE),
        ('tiff:Orientation="66"', NONE),
        ("tiff:Orientation=6", NONE),
        ('exif:Orientation="6"', NONE),
        ('tiff:Orientation="x" tiff:Orientation="7"', 7),
        ("", NONE),
    ],
)
def test_xmp_says_it_where_exif_does_not(text, means):
    six, two = tiff(entry("<", field=b"\6\0")), tiff(entry("<", count=2, field=b"\6\0\6\0"))
    assert exif.xmp_orientation(text.encode()) == means
    assert exif.combined(None, text.encode()) == exif.combined(b"", text.encode()) == means
    assert exif.combined(six, text.encode()) == 6
    assert exif.combined(two, text.encode()) == (means or UNREADABLE)


UPRIGHT = grey_ramp(20, 30)
UPRIGHT[:5, :7] = 255 - UPRIGHT[:5, :7]


def stored(form: str, data: bytes) -> bytes:
    """Return that image in a file with this EXIF data."""
    options = {"quality": 95} if form == "JPEG" else {"lossless": True} if form == "WEBP" else {}
    return encoded(Image.fromarray(UPRIGHT), form, exif=b"Exif\0\0" + data if form == "JPEG" else data, **options)


@pytest.mark.parametrize("form", ["PNG", "JPEG", "TIFF", "WEBP"])
@pytest.mark.parametrize("value", range(1, 9))
def test_every_format_is_turned_alike(form, value):
    """As EXIF has it: where the first row and the first column of what is stored are in the image."""
    by_hand = {
        1: UPRIGHT,
        2: UPRIGHT[:, ::-1],
        3: UPRIGHT[::-1, ::-1],
        4: UPRIGHT[::-1],
        5: UPRIGHT.T,
        6: np.rot90(UPRIGHT, -1),
        7: UPRIGHT[::-1, ::-1].T,
        8: np.rot90(UPRIGHT),
    }[value]
    data = stored(form, tiff(entry("<", field=bytes([value, 0]))))
    shown = images.decode(data, spec=Preprocessing(10, 10, "grey", 1))
    decoded = np.asarray(shown.image.convert("L")).astype(int)
    assert decoded.shape == by_hand.shape and abs(decoded - by_hand).max() < (40 if form == "JPEG" else 2)
    assert "image.orientation" not in [warning.code for warning in shown.warnings]


@pytest.mark.parametrize("form", ["PNG", "JPEG", "TIFF", "WEBP"])
def test_an_orientation_of_two_values_is_ignored_with_a_warning(form):
    one, two = (entry("<", count=count, field=b"\6\0" * count) for count in (1, 2))
    if form == "TIFF":
        shown = images.decode(stored(form, tiff(one)).replace(one, two))
    else:
        shown = images.decode(stored(form, tiff(two)))
    assert shown.image.size == (30, 20) and [warning.code for warning in shown.warnings] == ["image.orientation"]


def test_a_pillow_image_is_turned_as_its_file_is(tmp_path):
    for count, size in ((1, (20, 30)), (2, (30, 20))):
        data = encoded(Image.fromarray(UPRIGHT), "PNG", exif=tiff(entry("<", count=count, field=b"\6\0\6\0")))
        (tmp_path / "image.png").write_bytes(data)
        with Image.open(tmp_path / "image.png") as opened:
            assert images.take(opened).image.size == images.read(tmp_path / "image.png").image.size == size


@settings(max_examples=100)
@given(st.binary(max_size=80), st.booleans())
def test_any_bytes_mean_something(data, whole):
    value = exif.exif_orientation((b"MM\0*\0\0\0\x08" if whole else b"") + data)
    assert value in range(-1, 9)
