"""What an answer is warned of, and what not."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import edge
from edge import image as images
from edge.plausibility import uniform
from edge.preprocess import Preprocessing, pixels
from tests.edge.pictures import encoded, grey_ramp, mpo, png, raw_png, tiff

ROOT = Path(__file__).parents[2]
GREY = grey_ramp(64, 80)
NOISE = np.random.default_rng(1)


def codes(data: bytes | Image.Image, color: str = "grey", size: int = 24, **more: object) -> list[str]:
    """What is warned of where a network of this input is asked."""
    spec = Preprocessing(height=size, width=size, color=color, channels=1 if color == "grey" else 3, **more)
    picture = images.decode(data, spec=spec) if isinstance(data, bytes) else images.take(data, spec=spec)
    doubt = uniform(pixels(picture, spec), picture.size, spec)
    return [warning.code for warning in (*picture.warnings, doubt) if warning]


def deep(array: np.ndarray) -> bytes:
    """Return a PNG of 16-bit values with 2, 3 or 4 channels, which Pillow can't write."""
    height, width, channels = array.shape
    rows = np.hstack([np.zeros((height, 1), np.uint8), array.astype(">u2").reshape(height, -1).view(np.uint8)])
    return raw_png(width, height, 16, {2: 4, 3: 2, 4: 6}[channels], rows.tobytes())


def stack(*channels: object) -> np.ndarray:
    return np.stack(np.broadcast_arrays(*channels), axis=2)


@pytest.mark.parametrize("form", ["PNG", "JPEG", "TIFF", "BMP", "GIF", "WEBP"])
@pytest.mark.parametrize("color", ["grey", "rgb"])
def test_a_usual_image_is_not_warned_of(form, color):
    assert codes(encoded(Image.fromarray(GREY), form), color) == []
    assert codes(encoded(Image.fromarray(stack(GREY, GREY, GREY)), form), color) == []


@pytest.mark.parametrize("bits", [8, 9, 10, 12, 13, 16])
@pytest.mark.parametrize("form", ["PNG", "TIFF", "array"])
def test_12_bits_in_16_and_no_window(bits, form):
    array = GREY.astype(np.uint16) << 8 >> 16 - bits
    image = Image.fromarray(array)
    found = codes(image if form == "array" else encoded(image, form))
    assert ("image.depth" in found) == (bits <= 12)
    assert codes(image, window=(0, 2**bits - 1)) == []


def test_the_highest_value_decides_and_is_told():
    array = np.full((64, 80), 7, np.uint16)
    for value, warned in ((4095, True), (4096, False)):
        array[5, 5] = value
        assert ("image.depth" in codes(png(array))) == warned
    spec = Preprocessing(24, 24, "grey", 1)
    (warning, *_) = images.decode(png(GREY.astype(np.uint16) * 4), spec=spec).warnings
    assert "value above 1020" in warning.message and "[0, 1023]" in warning.message


@pytest.mark.parametrize("channels", [2, 3, 4])
def test_12_bits_in_16_of_colour(channels):
    for shift, warned in ((4, True), (0, False)):
        array = stack(*[GREY.astype(np.uint16) * 257 >> shift] * channels)
        if channels != 3:
            array[:, :, -1] = 65535
        assert ("image.depth" in codes(deep(array))) == warned


@pytest.mark.parametrize(
    ("array", "window", "warned"),
    [
        (GREY, (0, 4095), True),
        (GREY, (0, 256), True),
        (GREY, (0, 255), False),
        (GREY, (10, 200), False),
        (GREY.astype(np.uint16), (0, 4095), True),
        (GREY.astype(np.uint16) * 4, (0, 4095), False),
        (GREY.astype(np.uint16) * 16, (0, 4095), False),
        (GREY.astype(np.uint16) + 5000, (0, 4095), True),
        (np.uint16(30000) + GREY, (30000, 30255), False),
        (GREY.astype(np.uint16) * 257, (0, 4095), True),  # nearly all of it is white
        (GREY.astype(np.uint16) * 16, (0, 1023), True),
        (GREY.astype(np.uint16) * 16, (0, 2047), False),  # a narrow window, as they are for computed tomography
        (np.where(GREY > 160, 65535, GREY.astype(np.uint16) * 16), (0, 4095), False),  # writing in the image
    ],
)
def test_values_that_do_not_fit_the_window(array, window, warned):
    assert ("image.window" in codes(png(array), window=window)) == warned


def test_values_beyond_16_bits():
    array = GREY.astype(np.int32) * 1000
    assert codes(Image.fromarray(array), window=(0, 65535)) == ["image.window"]


@pytest.mark.parametrize("color", ["grey", "rgb"])
@pytest.mark.parametrize("value", [0, 128, 255])
def test_one_value_all_over(color, value):
    assert codes(png(np.full((64, 64), value, np.uint8)), color) == ["image.uniform"]
    assert codes(png(np.full((64, 64, 3), value, np.uint8)), color) == ["image.uniform"]


@pytest.mark.parametrize("quality", [30, 50, 75, 95])
@pytest.mark.parametrize("size", [64, 224, 900])
def test_one_value_and_slight_noise(quality, size):
    noisy = np.clip(120 + NOISE.normal(0, 1.5, (size, size)), 0, 255).astype(np.uint8)
    assert codes(encoded(Image.fromarray(noisy), "JPEG", quality=quality), size=64) == ["image.uniform"]


def test_one_value_and_a_few_strays():
    array = np.full((200, 200), 60, np.uint8)
    array[7, :15] = 255
    assert codes(png(array), size=200) == ["image.uniform"]
    array[100:120, 100:120] = 255
    assert codes(png(array), size=200) == []


@pytest.mark.parametrize("share", [0.15, 0.3, 1.0])
def test_low_contrast_is_an_image(share):
    assert codes(png((100 + GREY * share).astype(np.uint8))) == []


def test_padding_is_not_counted():
    wide = np.full((30, 90), 200, np.uint8)
    assert codes(png(wide), fit="pad") == ["image.uniform"]
    assert codes(png(grey_ramp(30, 90)), fit="pad") == []


def test_colour_of_one_brightness_is_not_one_value():
    colours = stack(GREY, 255 - GREY, 128).astype(np.uint8)
    assert codes(png(colours), "rgb") == []


@pytest.mark.parametrize("value", [0, 255, 128])
def test_all_in_the_alpha_channel(value):
    rgba, la = stack(value, value, value, GREY).astype(np.uint8), stack(value, GREY).astype(np.uint8)
    for data in (png(rgba), encoded(Image.fromarray(la, "LA"), "PNG"), encoded(Image.fromarray(rgba), "TIFF")):
        assert "image.alpha" in codes(data) and "image.alpha" in codes(data, "rgb")
    assert "image.alpha" in codes(Image.fromarray(rgba))
    assert "image.alpha" in codes(deep(stack(value * 257, value * 257, value * 257, GREY * np.uint16(257))))
    assert "image.alpha" in codes(deep(stack(value * 257, GREY * np.uint16(257))))


def test_all_in_the_alpha_channel_after_an_optimizer():
    rgba = stack(255, 255, 255, GREY).astype(np.uint8)
    rgba[:20, :20] = 0  # what nobody sees has lost its colour
    assert codes(png(rgba)) == ["image.alpha"]


def test_all_in_the_transparency_of_a_palette():
    indexed = Image.fromarray(GREY // 16)
    indexed.putpalette(bytes(3 * 256))
    opacity = bytes(range(0, 256, 17))
    assert "image.alpha" in codes(encoded(indexed, "PNG", transparency=opacity))
    indexed.putpalette(bytes(np.repeat(np.arange(0, 256, 16, np.uint8), 3)))
    assert codes(encoded(indexed, "PNG", transparency=opacity)) == []


def test_nothing_is_opaque():
    assert codes(png(stack(GREY, GREY, GREY, 0).astype(np.uint8))) == ["image.alpha"]


@pytest.mark.parametrize(
    "rgba",
    [
        stack(GREY, GREY, GREY, 255),
        stack(GREY, GREY, GREY, 7),
        stack(GREY, GREY, GREY, GREY[::-1]),
        stack(*[np.where(GREY > 99, 255, 0)] * 4),
    ],
    ids=["opaque", "evenly", "a gradient over an image", "a drawing"],
)
def test_transparency_over_an_image(rgba):
    assert codes(png(rgba.astype(np.uint8))) == []


@pytest.mark.parametrize("fit", ["stretch", "crop", "pad"])
@pytest.mark.parametrize(
    ("size", "small"),
    [((24, 24), ()), ((23, 24), (0, 1)), ((24, 23), (0, 1)), ((23, 23), (0, 1, 2)), ((9, 90), (0, 1))],
)
def test_smaller_than_the_input(fit, size, small):
    expected = ["image.small"] if ["stretch", "crop", "pad"].index(fit) in small else []
    assert codes(png(grey_ramp(size[1], size[0])), fit=fit) == expected


def test_a_jpeg_is_as_large_as_it_is_upright_and_in_full():
    exif = Image.Exif()
    exif[0x0112] = 6
    spec = {"height": 40, "width": 100, "color": "grey", "channels": 1}
    lying = encoded(Image.fromarray(grey_ramp(100, 40)), "JPEG", exif=exif)
    assert images.decode(lying, spec=Preprocessing(**spec)).warnings == ()
    assert codes(encoded(Image.fromarray(grey_ramp(400, 400)), "JPEG"), size=200) == []


COLOURS = np.stack([GREY, GREY[::-1], GREY[:, ::-1]], axis=2)


@pytest.mark.parametrize("form", ["PNG", "JPEG", "WEBP", "GIF", "TIFF", "BMP"])
def test_colour_given_to_a_grey_network(form):
    data = encoded(Image.fromarray(COLOURS), form)
    assert codes(data) == ["image.colour"] and codes(data, "rgb") == []


def test_colour_in_arrays_and_of_ink():
    assert codes(Image.fromarray(COLOURS)) == ["image.colour"]
    assert codes(encoded(Image.fromarray(COLOURS).convert("CMYK"), "JPEG")) == ["image.colour"]
    assert codes(encoded(Image.fromarray(COLOURS).quantize(30), "PNG")) == ["image.colour"]
    assert codes(encoded(Image.fromarray(GREY).convert("CMYK"), "JPEG")) == []


@pytest.mark.parametrize("quality", [30, 50, 75, 95])
@pytest.mark.parametrize("subsampling", [0, 2])
@pytest.mark.parametrize("noise", [0, 2, 3])
def test_the_noise_of_a_jpegs_colour_is_none(quality, subsampling, noise):
    grey = grey_ramp(300, 300)[:, :, None] + NOISE.normal(0, noise, (300, 300, 3)).round()
    image = Image.fromarray(np.clip(grey, 0, 255).astype(np.uint8))
    assert codes(encoded(image, "JPEG", quality=quality, subsampling=subsampling)) == []


@pytest.mark.parametrize(("side", "warned"), [(9, False), (60, True)])
def test_a_small_mark_is_no_colour(side, warned):
    array = np.repeat(grey_ramp(400, 400)[:, :, None], 3, 2)
    array[10 : 10 + side, 10 : 10 + side] = (255, 0, 0)
    assert codes(png(array)) == (["image.colour"] if warned else [])


def frames(count: int) -> list[Image.Image]:
    return [Image.fromarray(np.roll(GREY, 10 * number, 1)) for number in range(count)]


@pytest.mark.parametrize("form", ["TIFF", "GIF", "PNG", "WEBP"])
@pytest.mark.parametrize("count", [1, 2, 5])
def test_further_images(form, count):
    first, *more = frames(count)
    data = encoded(first, form, save_all=True, append_images=more)
    assert codes(data) == (["image.pages"] if count > 1 else [])
    warnings = images.decode(data, spec=Preprocessing(24, 24, "grey", 1)).warnings
    assert count == 1 or (f"{count} images (" in warnings[0].message and f"{count - 1} left out" in warnings[0].message)


def test_further_images_behind_a_picture_that_is_no_frame():
    data = encoded(Image.fromarray(GREY), "PNG", save_all=True, append_images=frames(3), default_image=True)
    assert "4 images" in images.decode(data, spec=Preprocessing(24, 24, "grey", 1)).warnings[0].message


def test_further_images_of_a_camera():
    parts = [image.convert("RGB") for image in frames(3)]
    assert codes(mpo(parts)) == ["image.pages"] and codes(encoded(parts[0], "MPO")) == []
    assert codes(mpo(parts, 0x010001)) == []  # thumbnails


def test_smaller_versions_of_a_page_are_none():
    assert codes(tiff([0, 1, 1])) == [] and codes(tiff([0, 0, 1])) == ["image.pages"]


def test_damage_behind_the_first_image_warns_of_what_is_there():
    first, *more = frames(3)
    for form in ("TIFF", "GIF"):
        data = encoded(first, form, save_all=True, append_images=more)
        cut = data[: len(data) * 2 // 3] if form == "GIF" else data
        assert codes(cut) == ["image.pages"]


def test_directories_that_go_in_a_circle_end():
    data = bytearray(encoded(Image.fromarray(GREY), "TIFF"))
    at = int.from_bytes(data[4:8], "little")
    entries = int.from_bytes(data[at : at + 2], "little")
    data[at + 2 + 12 * entries : at + 6 + 12 * entries] = at.to_bytes(4, "little")
    assert codes(bytes(data)) == []


def test_answers_carry_them(model, mask_model):
    engine, outliner = edge.load(model, threads=1), edge.load(mask_model, threads=1)
    black = png(np.zeros((9, 9), np.uint8))
    for answer in (engine(black), outliner(black), engine(np.zeros((9, 9), np.uint8))):
        assert [warning.code for warning in answer.warnings] == ["image.small", "image.uniform"]
        assert all(warning.message.isprintable() for warning in answer.warnings)
    assert engine(GREY).warnings == outliner(GREY).warnings == ()


@pytest.mark.parametrize(
    ("name", "picture"), [("pneumonia", "phantom.png"), ("cpgresnet50", "phantom.png"), ("polyp", "colon.jpg")]
)
def test_the_documentations_images_warn_of_nothing(name, picture):
    assert edge.load(name)(ROOT / "docs" / picture).warnings == ()


@pytest.mark.parametrize("name", ["bpcp", "cpgresnet50", "pneumonia", "polyp"])
def test_golden_images_are_small_and_nothing_else(name):
    engine = edge.load(name)
    for golden in engine.file.manifest.golden:
        data = engine.file.member(golden.image)
        found = [warning.code for warning in engine(data).warnings]
        assert found == (["image.small"] if engine.file.manifest.inputs[0].width > 96 else [])


needs_data = pytest.mark.skipif("EDGE_DATA" not in os.environ, reason="EDGE_DATA names no folder of real images")


@needs_data
@pytest.mark.parametrize(("folder", "color"), [("chest_xray/test", "grey"), ("Kvasir-SEG/images", "rgb")])
def test_real_images_warn_of_nothing(folder, color):
    paths = sorted(path for path in Path(os.environ["EDGE_DATA"], folder).rglob("*.jp*g"))
    if not paths:
        pytest.skip(f"EDGE_DATA has no images in {folder}")
    size = 224 if color == "grey" else 256
    assert {path.name: found for path in paths[::3] if (found := codes(path.read_bytes(), color, size))} == {}


@needs_data
def test_cifars_images_warn_of_nothing():
    sheets = sorted(Path(os.environ["EDGE_DATA"], "cifar10").glob("test_*.webp"))
    if not sheets:
        pytest.skip("EDGE_DATA has no CIFAR-10")
    tiles = (
        np.asarray(Image.open(sheets[0])).reshape(25, 32, 40, 32, 3).transpose(0, 2, 1, 3, 4).reshape(1000, 32, 32, 3)
    )
    assert [found for tile in tiles if (found := codes(Image.fromarray(tile), "rgb", 32))] == []
