"""Images of every usual form, and files that are none. Bad ones go through the real process in test_cli.py, too."""

from __future__ import annotations

import io
import struct

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from edge import image as images
from edge.errors import EdgeError
from edge.preprocess import Preprocessing, pixels
from tests.edge.pictures import encoded, grey_ramp, huge_png, png, raw_png

GREY = grey_ramp()
COLOUR = np.stack([GREY, GREY[::-1], GREY[:, ::-1]], axis=2)


def refused(data, **options) -> str:
    with pytest.raises(EdgeError) as caught:
        images.read(data, **options)
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("form", ["PNG", "BMP", "TIFF", "GIF"])
def test_grey_comes_as_it_is(form):
    picture = images.read(encoded(Image.fromarray(GREY), form)).image
    assert np.array_equal(np.asarray(picture.convert("L")), GREY)


@pytest.mark.parametrize("form", ["PNG", "BMP", "TIFF"])
def test_colour_comes_as_it_is(form):
    picture = images.read(encoded(Image.fromarray(COLOUR), form)).image
    assert picture.mode == "RGB" and np.array_equal(np.asarray(picture), COLOUR)


@pytest.mark.parametrize("form", ["JPEG", "WEBP"])
def test_lossy_forms_come_near(form):
    picture = images.read(encoded(Image.fromarray(COLOUR), form, quality=95)).image
    assert picture.mode == "RGB" and abs(np.asarray(picture).astype(int) - COLOUR).mean() < 8


@pytest.mark.parametrize("form", ["PNG", "TIFF"])
def test_16_bit_grey_keeps_its_high_byte(form):
    deep = (GREY.astype(np.uint16) << 8) + 200
    picture = images.read(encoded(Image.fromarray(deep), form)).image
    assert picture.mode == "L" and np.array_equal(np.asarray(picture), GREY)


def test_16_bit_grey_in_the_other_byte_order():
    deep = (GREY.astype(np.uint16) << 8) + 200
    swapped = Image.frombytes("I;16B", (60, 50), deep.astype(">u2").tobytes())
    picture = images.read(encoded(swapped, "TIFF")).image
    assert picture.mode == "L" and np.array_equal(np.asarray(picture), GREY)


def test_floating_point_pixels_are_refused():
    assert "the image has floating-point pixels" in refused(encoded(Image.fromarray(GREY.astype(np.float32)), "TIFF"))


def test_1_bit_becomes_black_and_white():
    bits = GREY > 127
    picture = images.read(encoded(Image.fromarray(bits), "PNG")).image
    assert picture.mode == "L" and np.array_equal(np.asarray(picture), bits * np.uint8(255))


def test_a_palette_becomes_its_colours():
    indexed = Image.fromarray(COLOUR).quantize(16)
    picture = images.read(encoded(indexed, "PNG")).image
    assert picture.mode == "RGB" and np.array_equal(np.asarray(picture), np.asarray(indexed.convert("RGB")))


@pytest.mark.parametrize(("mode", "planes"), [("RGBA", COLOUR), ("LA", GREY)])
def test_transparency_is_dropped(mode, planes):
    picture = Image.fromarray(planes)
    picture.putalpha(7)
    assert picture.mode == mode
    assert np.array_equal(np.asarray(images.read(encoded(picture, "PNG")).image), planes)


def test_cmyk_becomes_rgb():
    picture = images.read(encoded(Image.fromarray(COLOUR).convert("CMYK"), "JPEG", quality=95)).image
    assert picture.mode == "RGB" and abs(np.asarray(picture).astype(int) - COLOUR).mean() < 12


@pytest.mark.parametrize("form", ["PNG", "JPEG", "TIFF"])
@pytest.mark.parametrize(("orientation", "turn"), [(1, 0), (3, 2), (6, 3), (8, 1)])
def test_exif_orientation_is_applied(form, orientation, turn):
    exif = Image.Exif()
    exif[0x0112] = orientation
    picture = images.read(encoded(Image.fromarray(GREY), form, exif=exif)).image
    assert abs(np.asarray(picture).astype(int) - np.rot90(GREY, turn)).max() < 8


@pytest.mark.parametrize("compression", ["raw", "tiff_lzw"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_oriented_tiffs_are_upright_with_every_pillow(orientation, compression):
    """Pillow turns them itself while it loads them, and before 10.1 still says that they lie."""
    exif = Image.Exif()
    exif[0x0112] = orientation
    lying = {  # how the upright image is stored for each way
        1: GREY, 2: GREY[:, ::-1], 3: GREY[::-1, ::-1], 4: GREY[::-1], 5: GREY.T, 6: np.rot90(GREY),
        7: GREY[::-1, ::-1].T, 8: np.rot90(GREY, 3),
    }[orientation]  # fmt: skip
    data = encoded(Image.fromarray(np.ascontiguousarray(lying)), "TIFF", exif=exif, compression=compression)
    opened = Image.open(io.BytesIO(data))
    for picture in (images.read(data), images.take(opened), images.take(opened)):
        assert np.array_equal(np.asarray(picture.image), GREY) and picture.size == (60, 50)


def test_what_libtiff_says_has_no_placeholders_in_it():
    data = bytearray(encoded(Image.fromarray(GREY > 127), "TIFF", compression="group4"))
    data[20:24] = b"\0\x80" * 2  # of the pixels
    assert "cut short (Bad code word): expected" in refused(bytes(data))


def test_of_an_animation_the_first_frame_counts():
    frames = [Image.fromarray(np.full((10, 12), value, np.uint8)) for value in (40, 200)]
    picture = images.read(encoded(frames[0], "GIF", save_all=True, append_images=frames[1:])).image
    assert (np.asarray(picture.convert("L")) == 40).all()


def test_one_pixel_is_a_picture():
    assert images.read(png(np.array([[9]], np.uint8))).size == (1, 1)


def test_a_huge_one_is_refused_before_it_is_decoded():
    message = refused(huge_png(20000, 20000))
    assert "20000x20000" in message and "64000000" in message and "--max-pixels 400000000" in message


def test_with_the_limit_raised_it_is_decoded():
    data = huge_png(9000, 9000)  # its data ends early, which only a decoder finds out
    assert "--max-pixels" in refused(data)
    assert "damaged or cut short" in refused(data, max_pixels=81_000_000)


def test_pillows_own_limit_is_left_as_it_was():
    before = Image.MAX_IMAGE_PIXELS
    refused(huge_png(20000, 20000))
    images.read(png(GREY))
    assert before == Image.MAX_IMAGE_PIXELS and before is not None


@pytest.mark.parametrize("form", ["PNG", "JPEG", "GIF", "BMP", "TIFF", "WEBP"])
def test_half_a_file_is_refused(form):
    data = encoded(Image.fromarray(COLOUR), form)
    assert "damaged or cut short" in refused(data[: len(data) // 2])


def test_what_is_no_picture_is_refused(tmp_path):
    assert "is empty" in refused(b"")
    assert "not an image" in refused(b"Dear Sir or Madam")
    assert "does not exist" in refused(tmp_path / "none.png")
    assert "is a folder" in refused(tmp_path)
    assert "can't be read" in refused("nul\0l.png")


def test_a_form_that_was_not_asked_for_is_refused():
    assert "not an image" in refused(encoded(Image.fromarray(COLOUR), "PPM"))


WHOLE = {
    "PNG": png(COLOUR),
    "JPEG": encoded(Image.fromarray(COLOUR), "JPEG"),
    "GIF": encoded(Image.fromarray(GREY), "GIF"),
    "TIFF": encoded(Image.fromarray(GREY), "TIFF", compression="tiff_lzw"),
    "WEBP": encoded(Image.fromarray(COLOUR), "WEBP"),
    "BMP": encoded(Image.fromarray(GREY), "BMP"),
}


@settings(max_examples=150)
@given(st.sampled_from(sorted(WHOLE)), st.data())
def test_any_damage_is_an_answer_or_one_sentence(form, data):
    damaged = bytearray(WHOLE[form])
    for _ in range(data.draw(st.integers(1, 3))):
        damaged[data.draw(st.integers(0, len(damaged) - 1))] = data.draw(st.integers(0, 255))
    damaged = damaged[: data.draw(st.integers(0, len(damaged)))]
    try:
        picture = images.read(bytes(damaged), max_pixels=1_000_000).image
    except EdgeError as error:
        assert "\n" not in str(error)
    else:
        assert picture.mode in ("L", "RGB")
        Image.open(io.BytesIO(WHOLE["PNG"])).load()  # and Pillow still works


@pytest.mark.parametrize(
    ("size", "reduction"),
    [((95, 90), 1), ((96, 79), 1), ((96, 80), 2), ((97, 81), 2), ((192, 400), 4), ((191, 400), 2), ((900, 321), 8)],
)
@pytest.mark.parametrize("turned", [False, True])
def test_a_jpeg_is_decoded_as_small_as_the_network_can_use_it(size, reduction, turned):
    spec = Preprocessing(height=20, width=24)
    whole = Image.fromarray(grey_ramp(size[1], size[0])).convert("RGB")
    exif = Image.Exif()
    exif[0x0112] = 6
    stored = whole.transpose(Image.Transpose.ROTATE_90) if turned else whole
    data = encoded(stored, "JPEG", quality=95, exif=exif if turned else b"")
    picture = images.read(data, spec)
    assert (picture.size, picture.reduction) == (size, reduction)
    assert picture.image.size == (-(-size[0] // reduction), -(-size[1] // reduction))
    assert images.read(data).reduction == 1 and images.read(data).image.size == size
    for fit in ("stretch", "crop", "pad"):
        used = Preprocessing(height=20, width=24, fit=fit)
        difference = pixels(picture, used).astype(int) - pixels(whole, used)
        assert abs(difference).max() < 6


def test_other_forms_are_decoded_in_full():
    for form in ("PNG", "BMP", "TIFF", "GIF", "WEBP"):
        picture = images.read(encoded(Image.new("RGB", (900, 900)), form), Preprocessing(20, 20))
        assert (picture.size, picture.image.size, picture.reduction) == ((900, 900), (900, 900), 1)


def test_the_limit_of_pixels_is_about_the_whole_jpeg():
    data = encoded(Image.new("RGB", (900, 900)), "JPEG")
    with pytest.raises(EdgeError, match="900x900 pixels"):
        images.read(data, Preprocessing(20, 20), max_pixels=809_999)


def test_a_cameras_jpeg_of_two_pictures_is_decoded_smaller_too():
    frames = [Image.new("RGB", (400, 300), colour) for colour in ((200, 0, 0), (0, 200, 0))]
    picture = images.read(encoded(frames[0], "MPO", save_all=True, append_images=frames[1:]), Preprocessing(20, 20))
    assert (picture.size, picture.reduction, picture.image.size) == ((400, 300), 4, (100, 75))
    assert picture.image.getpixel((50, 40))[0] > 150


# Depth, colour type, and the channels of it.
PNG_KINDS = [
    (1, 0, 1),
    (2, 0, 1),
    (8, 0, 1),
    (16, 0, 1),
    (1, 3, 1),
    (8, 3, 1),
    (8, 2, 3),
    (16, 2, 3),
    (8, 4, 2),
    (8, 6, 4),
]


@pytest.mark.parametrize(("depth", "colour", "channels"), PNG_KINDS)
@pytest.mark.parametrize("value", [0, 0xA5, 0xFF, 0x07])
def test_a_png_whose_last_rows_are_missing_is_refused(depth, colour, channels, value):
    """Pillow takes them for black: of a radiograph's lower half nothing would be left, and nobody would know."""
    width, height = 9, 6
    row = b"\0" + bytes([value if colour != 3 else value % 2]) * ((width * depth * channels + 7) // 8)
    for rows in range(height):
        data = raw_png(width, height, depth, colour, row * rows + row[: len(row) // 2])
        assert "is damaged or cut short (image file is truncated" in refused(data)
    whole = images.read(raw_png(width, height, depth, colour, row * height)).image
    with Image.open(io.BytesIO(raw_png(width, height, depth, colour, row * height))) as plain:
        assert np.array_equal(np.asarray(whole), np.asarray(images.plain(plain)))
    longer = images.read(raw_png(width, height, depth, colour, row * (height + 2))).image
    assert np.array_equal(np.asarray(longer), np.asarray(whole))


@pytest.mark.parametrize("value", [0, 0xA5])
def test_an_interlaced_png_of_which_a_row_is_missing_is_refused(value):
    passes = [(2, 1), (1, 1), (3, 1), (2, 2), (5, 1), (4, 3), (9, 3)]  # of 9 x 6 pixels: columns and rows
    rows = [b"\0" + bytes([value]) * columns for columns, count in passes for _ in range(count)]
    assert images.read(raw_png(9, 6, 8, 0, b"".join(rows), interlaced=True)).size == (9, 6)
    for count in range(len(rows)):
        data = raw_png(9, 6, 8, 0, b"".join(rows[:count]), interlaced=True)
        assert "damaged or cut short" in refused(data)


def grey_tiff(values: np.ndarray, bits: int, kind: int = 1, photometric: int = 1) -> bytes:
    """A TIFF of one strip, by its specification."""
    height, width = values.shape
    tags = {256: width, 257: height, 258: bits, 259: 1, 262: photometric, 273: 8, 277: 1, 278: height}
    if bits == 12:
        high, low = (values[:, 0::2].astype(int), values[:, 1::2].astype(int))
        rows = np.stack([high >> 4, (high & 15) << 4 | low >> 8, low & 255], 2).astype(np.uint8).tobytes()
    else:
        rows = values.tobytes()
    tags |= {279: len(rows), 339: kind}
    entries = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in sorted(tags.items()))
    header = struct.pack("<2sHI", b"II", 42, 8 + len(rows))
    return header + rows + struct.pack("<H", len(tags)) + entries + b"\0" * 4


WIDE = np.linspace(0, 65535, 24 * 30).reshape(24, 30)


def test_greys_of_16_bits_keep_their_high_byte():
    picture = images.read(grey_tiff(WIDE.astype("<u2"), 16)).image
    assert (np.asarray(picture) == WIDE.astype(np.uint16) >> 8).all()


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (grey_tiff((WIDE / 16).astype("<u2"), 12), "12-bit unsigned greys, which"),
        (grey_tiff((WIDE * 65536).astype("<u4"), 32), "32-bit unsigned greys, which"),
        (grey_tiff((WIDE - 32768).astype("<i2"), 16, 2), "16-bit signed greys, which"),
        (grey_tiff((WIDE - 32768).astype("<i4"), 32, 2), "32-bit signed greys, which"),
        (grey_tiff(WIDE.astype("<u2"), 16, photometric=0), "16-bit unsigned greys, white as 0, which"),
    ],
)
def test_greys_that_would_be_read_as_others_are_refused(data, said):
    message = refused(data)
    assert said in message and "expected 8 or 16 bits, unsigned, black as 0; convert it first" in message
