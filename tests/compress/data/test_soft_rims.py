"""Drawings in black and white with soft rims are divided at half; labels are not."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFilter

from compress.data.soft_rims import Levels, divided


def drawing(seed: int) -> Image.Image:
    """One to three shapes in white on black."""
    random = np.random.default_rng(seed)
    width, height = map(int, random.integers(40, 160, 2))
    image = Image.new("L", (width, height))
    pen = ImageDraw.Draw(image)
    for _ in range(random.integers(1, 4)):
        x, y = (int(random.integers(0, side)) for side in (width, height))
        a, b = (int(random.integers(10, side // 2 + 6)) for side in (width, height))
        draw = pen.ellipse if random.integers(2) else pen.rectangle
        draw(
            (x, y, min(x + a, width - 3), min(y + b, height - 3))
            if x + 10 < width - 3 and y + 10 < height - 3
            else (4, 4, 24, 20),
            fill=255,
        )
    return image


def jpeg(image: Image.Image, quality: int, mode: str = "L") -> Image.Image:
    buffer = io.BytesIO()
    image.convert(mode).save(buffer, "JPEG", quality=quality)
    return Image.open(io.BytesIO(buffer.getvalue())).convert("L")


def read(image: Image.Image | np.ndarray, lossy: bool = False, full: int = 255) -> np.ndarray | None:
    values = np.asarray(image)
    return divided(Levels(values, full, lossy), np.zeros(values.shape, bool))


SEEDS = range(12)
SOFT = {
    "jpeg 95": lambda image: (jpeg(image, 95), True),
    "jpeg 70": lambda image: (jpeg(image, 70), True),
    "jpeg 40, RGB": lambda image: (jpeg(image, 40, "RGB"), True),
    "png of a jpeg": lambda image: (jpeg(image, 90), False),
    "smaller": lambda image: (image.resize((37, 41), Image.Resampling.BILINEAR), False),
    "larger": lambda image: (image.resize((150, 170), Image.Resampling.BICUBIC), False),
    "by area": lambda image: (image.resize((image.width // 2, image.height // 2), Image.Resampling.BOX), False),
    "blurred": lambda image: (image.filter(ImageFilter.GaussianBlur(1)), False),
}


@pytest.mark.parametrize("kind", SOFT)
def test_soft_rims_are_divided_at_half(kind: str) -> None:
    for seed in SEEDS:
        image, lossy = SOFT[kind](drawing(seed))
        found = read(image, lossy)
        assert found is not None, seed
        assert (found == (np.asarray(image) >= 128)).all()


@pytest.mark.parametrize("quality", range(10, 100, 5))
def test_black_that_jpeg_made_a_little_brighter_is_black(quality: int) -> None:
    found = read(jpeg(Image.new("L", (32, 24)), quality), lossy=True)
    assert found is not None and not found.any()


LABELS = [(1,), (2,), (128,), (127,), (200,), (223,), (1, 255), (1, 2), (1, 2, 255), (254, 255), (127, 255), (128, 255)]
LABELS += [(38, 75), (50, 100, 255), (1, 254), (255, 1), (255, 128), (10, 20, 30, 40, 50, 60, 255)]


@pytest.mark.parametrize("labels", LABELS)
@pytest.mark.parametrize("kind", [np.uint8, np.uint16])
def test_labels_are_not_divided(labels: tuple[int, ...], kind: type) -> None:
    for seed in SEEDS:
        values = np.zeros(np.asarray(drawing(seed)).shape, kind)
        for number, label in enumerate(labels):
            values[np.asarray(drawing(seed + 100 * number).resize(values.shape[::-1])) >= 128] = label
        if not set(np.unique(values)) <= {0, 255}:
            assert read(values) is None, seed
        if kind is np.uint16:
            assert read(values, full=65535) is None, seed


@pytest.mark.parametrize("width", [3, 5, 9])
@pytest.mark.parametrize("inside, rim", [(1, 255), (255, 128), (255, 1), (255, 254)])
def test_a_rim_that_is_a_label_is_not_taken_for_a_soft_one(inside: int, rim: int, width: int) -> None:
    """As in Pascal VOC: a band of pixels around the thing that nobody labelled."""
    for seed in SEEDS:
        image = drawing(seed)
        values = np.where(np.asarray(image) == 255, inside, 0).astype(np.uint8)
        band = np.asarray(image.filter(ImageFilter.MaxFilter(width))) != np.asarray(image)
        values[band] = rim
        if width > 3:
            assert read(values) is None, seed
        elif (found := read(values)) is not None:  # one pixel wide: half divides it
            assert (inside, rim) == (255, 128)
            assert (found == (values >= 128)).all()


def test_sixteen_bits_have_soft_rims_too() -> None:
    image = drawing(3).resize((50, 60), Image.Resampling.BILINEAR)
    values = np.asarray(image).astype(np.uint16) * 257
    found = read(values, full=65535)
    assert found is not None and (found == (np.asarray(image) >= 128)).all()


@pytest.mark.parametrize("lossy", [False, True])
def test_photographs_are_not_divided(lossy: bool) -> None:
    for seed in SEEDS:
        noise = np.random.default_rng(seed).integers(0, 256, (8, 8), np.uint8)
        image = Image.fromarray(noise).resize((90, 70), Image.Resampling.BICUBIC)
        assert read(jpeg(image, 90) if lossy else image, lossy) is None
    assert read(np.random.default_rng(0).integers(0, 256, (60, 60), np.uint8)) is None


def test_what_is_not_labelled_is_not_looked_at() -> None:
    values = np.zeros((20, 20), np.uint8)
    values[5:15, 5:15], values[:3] = 255, 128
    assert read(values) is None
    found = divided(Levels(values, 255, False), values == 128)
    assert found is not None and (found == (values == 255)).all()
